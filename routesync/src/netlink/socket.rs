//! A non-blocking rtnetlink socket on tokio, and the messages of a datagram (netlink(7)).

use std::io;

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::unix::AsyncFd;

use crate::{error::Error, trouble::Refusal};

/// The kernel fills dump datagrams up to 32 KiB; single notifications are far smaller.
const DATAGRAM: usize = 64 * 1024;

pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A bound rtnetlink socket. It belongs to the network namespace of the thread that opened it.
pub(crate) struct Channel {
    fd: AsyncFd<Socket>,
    buffer: Vec<u8>,
    port: u32,
    sequence: u32,
    /// Errors that the next system calls meet; 0: none.
    #[cfg(test)]
    pub faults: std::collections::VecDeque<i32>,
}

impl Channel {
    /// Opens a socket with a receive buffer of that many bytes (beyond `net.core.rmem_max`, with the right to).
    pub fn open(receive_buffer: usize) -> Result<Self, Error> {
        Self::try_open(receive_buffer).map_err(Error::Open)
    }

    fn try_open(receive_buffer: usize) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        socket.set_non_blocking(true)?;
        // Errors come without a copy of the request, and with words where the kernel has some.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &receive_buffer).is_err() {
            socket.set_rx_buf_sz(libc_int(receive_buffer))?;
        }
        // Its replacement is an unsafe function that wants what holds here: `Socket` owns its descriptor, closes it only when
        // dropped, and always reports the same one.
        #[allow(
            deprecated,
            reason = "the condition that the deprecation is about holds, and stays free of unsafe code"
        )]
        let fd = AsyncFd::new(socket)?;
        Ok(Channel {
            fd,
            buffer: Vec::with_capacity(DATAGRAM),
            port,
            sequence: 0,
            #[cfg(test)]
            faults: Default::default(),
        })
    }

    /// Subscribes to a multicast group (`RTNLGRP_*`).
    pub fn join(&self, group: u32) -> Result<(), Error> {
        self.fd.get_ref().add_membership(group).map_err(Error::Open)
    }

    /// The socket itself, for options.
    pub fn socket(&self) -> &Socket {
        self.fd.get_ref()
    }

    /// The socket's netlink port: notifications that our writes cause carry it.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// A fresh sequence number.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends a datagram of one or more requests; the kernel has carried them all out when this returns.
    pub async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        loop {
            let mut guard = self.fd.writable().await?;
            let result = guard.try_io(|fd| {
                #[cfg(test)]
                meet(&mut self.faults)?;
                fd.get_ref().send_to(datagram, &kernel, 0)
            });
            match result {
                Ok(Ok(sent)) if sent == datagram.len() => return Ok(()),
                Ok(Ok(_)) => return Err(io::ErrorKind::WriteZero.into()),
                // A signal came before anything was sent.
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// The next datagram.
    pub async fn receive(&mut self) -> io::Result<Messages<'_>> {
        self.buffer.clear();
        loop {
            let mut guard = self.fd.readable().await?;
            let result = guard.try_io(|fd| {
                #[cfg(test)]
                meet(&mut self.faults)?;
                fd.get_ref().recv(&mut self.buffer, 0)
            });
            match result {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => {
                    result?;
                    return Ok(Messages { rest: &self.buffer });
                }
                Err(_would_block) => {}
            }
        }
    }

    /// The next datagram if there is one right now.
    pub fn try_receive(&mut self) -> io::Result<Option<Messages<'_>>> {
        self.buffer.clear();
        loop {
            match self.fd.get_ref().recv(&mut self.buffer, 0) {
                Ok(_) => return Ok(Some(Messages { rest: &self.buffer })),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until [`Channel::try_receive`] may have something.
    pub async fn readable(&self) -> io::Result<()> {
        self.fd.readable().await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
fn meet(faults: &mut std::collections::VecDeque<i32>) -> io::Result<()> {
    match faults.pop_front() {
        None | Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn libc_int(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// One message of a datagram.
pub(crate) struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub port: u32,
    pub payload: &'a [u8],
}

/// The messages of a datagram; a truncated one ends it.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = NetlinkBuffer::new_checked(self.rest).ok()?;
        let length = header.length() as usize;
        let payload = self.rest.get(16..length)?;
        let message = Message {
            kind: header.message_type(),
            flags: header.flags(),
            sequence: header.sequence_number(),
            port: header.port_number(),
            payload,
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

impl Message<'_> {
    /// The error number in an `NLMSG_ERROR` or at the end of a dump, as the positive errno; 0 is success.
    pub fn errno(&self) -> i32 {
        let code = self
            .payload
            .first_chunk::<4>()
            .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        code.saturating_neg()
    }

    /// An `NLMSG_ERROR` as a result.
    pub fn acknowledgement(&self) -> Result<(), Refusal> {
        match self.errno() {
            0 => Ok(()),
            errno => Err(Refusal {
                errno,
                message: self.words(),
            }),
        }
    }

    /// What the kernel says about the error: after the code and the header of the refused request (capped, see `open`).
    fn words(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let attributes = super::decode::Attributes::new(self.payload.get(20..)?);
        let text = attributes
            .into_iter()
            .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)?
            .1;
        let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_string();
        (!text.is_empty()).then_some(text)
    }
}
