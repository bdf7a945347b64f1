//! One rtnetlink socket, used by one thread at a time: questions, dumps, and batches of changes.
//!
//! Changes go to the kernel many in one message, which it carries out in order; only the last asks for an
//! acknowledgement, refusals come anyway. A socket belongs to the network namespace in which it was opened, wherever
//! it is used later. Answers are awaited for ten seconds at most; the kernel answers at once, so that is only a
//! guard (rtnetlink(7), netlink(7)).

use std::io;
use std::os::fd::AsFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::error::Error;
use crate::fault;

/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile, and the dump may have gaps (netlink(7)).
const NLM_F_DUMP_INTR: u16 = 0x10;
/// The kernel's dumps come in pieces of at most 32 KiB.
const BUFFER: usize = 1 << 16;
const DUMP_TRIES: usize = 5;
/// Far below what the kernel takes in one send (the socket's send buffer, 200 KiB by default).
const BATCH: usize = 64;

/// A change, and what it is in words: "cannot STEP".
pub(crate) struct Request {
    pub message: RouteNetlinkMessage,
    pub flags: u16,
    pub step: String,
}

pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One packet of an answer.
enum Answer {
    Object(RouteNetlinkMessage),
    Refused(io::Error),
    End,
}

impl Netlink {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Netlink> {
        fault::point("open a netlink socket")?;
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        setsockopt(&socket.as_fd(), ReceiveTimeout, &TimeVal::seconds(10))?;
        // With it the kernel filters dumps; before Linux 4.20 it does not know it, and all is filtered here as well.
        let _ = socket.set_netlink_get_strict_chk(true);
        Ok(Netlink {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Asks for one object.
    pub(crate) fn ask(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        fault::point("ask the kernel")?;
        let mut bytes = Vec::new();
        self.append(&mut bytes, message, NLM_F_REQUEST | NLM_F_ACK);
        self.socket.send(&bytes, 0)?;
        Ok(self.objects()?.0)
    }

    /// All objects of a kind; asked again where they changed meanwhile.
    pub(crate) fn dump(&mut self, message: &RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        fault::point("read the kernel's tables")?;
        for _ in 0..DUMP_TRIES {
            let mut bytes = Vec::new();
            self.append(&mut bytes, message.clone(), NLM_F_REQUEST | NLM_F_DUMP);
            self.socket.send(&bytes, 0)?;
            let (answers, interrupted) = self.objects()?;
            if !interrupted {
                return Ok(answers);
            }
        }
        Err(io::Error::other("the kernel's tables change too fast to be read"))
    }

    /// Carries out the changes in order.
    ///
    /// # Errors
    /// The first refusal. What comes after it was tried nevertheless.
    pub(crate) fn carry_out(&mut self, requests: Vec<Request>) -> Result<(), Error> {
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            self.batch(requests.by_ref().take(BATCH).collect())?;
        }
        Ok(())
    }

    fn batch(&mut self, mut requests: Vec<Request>) -> Result<(), Error> {
        let injected = requests
            .iter()
            .enumerate()
            .find_map(|(n, r)| fault::point(&r.step).err().map(|e| (n, e)));
        let injected = injected.map(|(n, source)| {
            let step = requests.drain(n..).next().map(|r| r.step).unwrap_or_default();
            Error::Kernel { step, source }
        });
        self.send_all(requests)?;
        injected.map_or(Ok(()), Err)
    }

    fn send_all(&mut self, requests: Vec<Request>) -> Result<(), Error> {
        let (count, before) = (requests.len(), self.sequence);
        let (mut bytes, mut steps) = (Vec::new(), Vec::with_capacity(count));
        for (n, request) in requests.into_iter().enumerate() {
            let ack = if n + 1 == count { NLM_F_ACK } else { 0 };
            self.append(&mut bytes, request.message, NLM_F_REQUEST | ack | request.flags);
            steps.push(request.step);
        }
        let Some(last_step) = steps.last() else {
            return Ok(());
        };
        let sent = self.socket.send(&bytes, 0);
        sent.map_err(Error::at(last_step))?;
        let (last, mut first_refusal) = (self.sequence, None);
        loop {
            let mut ended = false;
            self.receive(|sequence, _, answer| {
                let nth = sequence.wrapping_sub(before).wrapping_sub(1) as usize;
                let Some(step) = steps.get(nth) else { return };
                match answer {
                    Answer::Object(_) => return,
                    Answer::Refused(source) => {
                        _ = first_refusal.get_or_insert_with(|| Error::at(step)(source))
                    }
                    Answer::End => {}
                }
                ended |= sequence == last;
            })
            .map_err(Error::at(last_step))?;
            if ended {
                return first_refusal.map_or(Ok(()), Err);
            }
        }
    }

    fn append(&mut self, bytes: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let start = bytes.len();
        bytes.resize(start + packet.buffer_len().next_multiple_of(4), 0);
        packet.serialize(&mut bytes[start..]);
    }

    /// The answers to the last request up to their end, and whether a dump may have gaps.
    fn objects(&mut self) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        let (mut objects, mut gaps, mut end) = (Vec::new(), false, None);
        let last = self.sequence;
        loop {
            self.receive(|sequence, interrupted, answer| {
                if sequence != last {
                    return;
                }
                gaps |= interrupted;
                match answer {
                    Answer::Object(object) => objects.push(object),
                    Answer::Refused(error) => end = Some(Err(error)),
                    Answer::End => end = Some(Ok(())),
                }
            })?;
            match end.take() {
                Some(Ok(())) => return Ok((objects, gaps)),
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
    }

    /// One message of the kernel's, packet by packet: sequence number, whether a dump was interrupted, answer.
    fn receive(&mut self, mut each: impl FnMut(u32, bool, Answer)) -> io::Result<()> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            break;
        }
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            let length = (packet.header.length as usize).next_multiple_of(4).max(16);
            rest = rest.get(length..).unwrap_or_default();
            let answer = match packet.payload {
                NetlinkPayload::InnerMessage(message) => Answer::Object(message),
                NetlinkPayload::Error(error) if error.code.is_some() => Answer::Refused(error.to_io()),
                NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => Answer::End,
                NetlinkPayload::Overrun(_) => return Err(io::Error::other("netlink overrun")),
                _ => continue,
            };
            let interrupted = packet.header.flags & NLM_F_DUMP_INTR != 0;
            each(packet.header.sequence_number, interrupted, answer);
        }
        Ok(())
    }
}
