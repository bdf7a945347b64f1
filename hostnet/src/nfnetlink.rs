//! One nfnetlink socket for one operation: questions and answers, for nftables and for connection tracking.
//!
//! A socket belongs to the network namespace in which it was opened. The kernel answers at once; ten seconds are only a guard.

use std::io;
use std::os::fd::AsFd;

use netlink_packet_core::{
    NLA_TYPE_MASK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{ReceiveTimeout, SndBufForce};
use nix::sys::time::{TimeVal, TimeValLike};

/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile, and the dump may have gaps (netlink(7)).
const NLM_F_DUMP_INTR: u16 = 0x10;
/// The kernel's dumps come in pieces of at most 32 KiB.
const BUFFER: usize = 1 << 16;
/// Less than what fits through a new socket by default (`net.core.wmem_default`, 208 KiB).
const ROOM: usize = 1 << 16;
/// The header of every message of a subsystem (`struct nfgenmsg`).
const NFGENMSG: usize = 4;

pub(crate) type Packet = NetlinkMessage<NetfilterMessage>;

pub(crate) struct Nfnetlink {
    socket: Socket,
    sequence: u32,
}

impl Nfnetlink {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Nfnetlink> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        setsockopt(&socket.as_fd(), ReceiveTimeout, &TimeVal::seconds(10))?;
        Ok(Nfnetlink { socket, sequence: 0 })
    }

    /// The number of the last packet that was made.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// A message with a number of its own. `resource` is the subsystem where a batch begins or ends, else 0.
    pub(crate) fn packet(
        &mut self,
        family: NetfilterProtoFamily,
        resource: u16,
        inner: NetfilterMessageInner,
        flags: u16,
    ) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        let mut about = NetlinkHeader::default();
        about.flags = NLM_F_REQUEST | flags;
        about.sequence_number = self.sequence;
        let message = NetfilterMessage::new(NetfilterHeader::new(family, 0, resource), inner);
        let mut packet = NetlinkMessage::new(about, NetlinkPayload::from(message));
        packet.finalize();
        packet
    }

    /// Sends packets as one datagram, however long.
    pub(crate) fn send(&self, packets: &[Packet]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for packet in packets {
            let begin = bytes.len();
            bytes.resize(begin + packet.buffer_len().next_multiple_of(4), 0);
            packet.serialize(bytes.get_mut(begin..).unwrap_or_default());
        }
        if bytes.len() > ROOM {
            // Some of the room is the kernel's own.
            setsockopt(&self.socket.as_fd(), SndBufForce, &(bytes.len() + ROOM))?;
        }
        self.socket.send(&bytes, 0).map(|_| ())
    }

    /// What has come next.
    pub(crate) fn receive(&self) -> io::Result<Vec<Packet>> {
        let bytes = self.receive_bytes()?;
        let mut packets = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let packet = Packet::deserialize(rest).map_err(|error| invalid(&error.to_string()))?;
            let length = (packet.header.length as usize).next_multiple_of(4).max(16);
            rest = rest.get(length..).unwrap_or_default();
            packets.push(packet);
        }
        Ok(packets)
    }

    fn receive_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes: Vec<u8> = Vec::with_capacity(BUFFER);
        loop {
            match self.socket.recv(&mut bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(bytes),
            }
        }
    }

    /// Sends one packet and waits for its acknowledgement or the end of what it asked for: the answers, and whether they may
    /// have gaps.
    pub(crate) fn ask(&mut self, packet: Packet) -> io::Result<(Vec<NetfilterMessageInner>, bool)> {
        let number = packet.header.sequence_number;
        self.send(&[packet])?;
        let (mut answers, mut gaps) = (Vec::new(), false);
        loop {
            for packet in self.receive()? {
                if packet.header.sequence_number != number {
                    continue;
                }
                gaps |= packet.header.flags & NLM_F_DUMP_INTR != 0;
                match packet.payload {
                    NetlinkPayload::InnerMessage(message) => answers.push(message.inner),
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok((answers, gaps)),
                    NetlinkPayload::Overrun(_) => return Err(io::Error::other("netlink overrun")),
                    _ => {}
                }
            }
        }
    }

    /// Asks for many objects, and gives the attributes of each as bytes to `take`, for what there can be very much of. Whether there
    /// may be gaps.
    pub(crate) fn dump(
        &mut self,
        family: NetfilterProtoFamily,
        question: NetfilterMessageInner,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        const NLMSG_ERROR: u16 = 2;
        const NLMSG_DONE: u16 = 3;
        let packet = self.packet(family, 0, question, NLM_F_DUMP);
        let number = packet.header.sequence_number;
        self.send(&[packet])?;
        let mut gaps = false;
        loop {
            let bytes = self.receive_bytes()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message =
                    NetlinkBuffer::new_checked(rest).map_err(|error| invalid(&error.to_string()))?;
                if message.sequence_number() == number {
                    gaps |= message.flags() & NLM_F_DUMP_INTR != 0;
                    match message.message_type() {
                        NLMSG_ERROR | NLMSG_DONE => {
                            let code = message.payload().first_chunk().copied();
                            let code = i32::from_ne_bytes(code.unwrap_or_default());
                            return match code {
                                0.. => Ok(gaps),
                                _ => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                            };
                        }
                        _ => take(message.payload().get(NFGENMSG..).unwrap_or_default()),
                    }
                }
                let length = (message.length() as usize).next_multiple_of(4).max(16);
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Attributes one after the other, as kind and value; ends where they are broken.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const HEADER: usize = 4;
    std::iter::from_fn(move || {
        let &[l0, l1, k0, k1] = bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK;
        let value = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(is, value)| (is == kind).then_some(value))
}
