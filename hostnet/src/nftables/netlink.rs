//! One nfnetlink socket for one operation: questions, and batches of changes.
//!
//! A socket belongs to the network namespace in which it was opened. The kernel answers at once; ten seconds are only a guard.

use std::io;
use std::os::fd::AsFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily, NetfilterSubsystem,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{ReceiveTimeout, SndBufForce};
use nix::sys::time::{TimeVal, TimeValLike};

use super::error::{Step, TableError};
use super::messages::Change;

/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile, and the dump may have gaps (netlink(7)).
const NLM_F_DUMP_INTR: u16 = 0x10;
/// The kernel's dumps come in pieces of at most 32 KiB.
const BUFFER: usize = 1 << 16;
const DUMP_TRIES: usize = 5;
/// Less than what fits through a new socket by default (`net.core.wmem_default`, 208 KiB).
const ROOM: usize = 1 << 16;

type Packet = NetlinkMessage<NetfilterMessage>;

pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// A socket in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Netlink, TableError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            setsockopt(&socket.as_fd(), ReceiveTimeout, &TimeVal::seconds(10))?;
            Ok(Netlink { socket, sequence: 0 })
        };
        open().map_err(|error| TableError::at(Step::Open, error))
    }

    /// One object; none where there is none.
    pub(super) fn get(&mut self, question: NfTablesMessage) -> Result<Option<NfTablesMessage>, TableError> {
        let packet = self.packet(question.into(), NLM_F_ACK);
        match self.ask(&[packet]) {
            Ok((answers, _)) => Ok(answers.into_iter().next()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TableError::at(Step::Read, error)),
        }
    }

    /// All objects that the question is about; asked again where they changed meanwhile.
    pub(super) fn dump(&mut self, question: &NfTablesMessage) -> Result<Vec<NfTablesMessage>, TableError> {
        for _ in 0..DUMP_TRIES {
            let packet = self.packet(question.clone().into(), NLM_F_DUMP);
            match self.ask(&[packet]) {
                Ok((answers, false)) => return Ok(answers),
                Ok((_, true)) => {}
                Err(error) => return Err(TableError::at(Step::Read, error)),
            }
        }
        let error = io::Error::other("it changes too fast to be read");
        Err(TableError::at(Step::Read, error))
    }

    /// Carries out all changes at one moment, or none.
    pub(super) fn change(&mut self, changes: Vec<Change>) -> Result<(), TableError> {
        let mut packets = vec![self.packet(ControlMessage::BatchBegin.into(), 0)];
        let first = self.sequence;
        let mut steps = Vec::new();
        for Change { step, flags, message } in changes {
            packets.push(self.packet(message.into(), flags | NLM_F_ACK));
            steps.push(step);
        }
        let last = self.sequence;
        packets.push(self.packet(ControlMessage::BatchEnd.into(), 0));
        let failed = |(sequence, error): (u32, io::Error)| {
            let index = sequence
                .checked_sub(first + 1)
                .and_then(|index| usize::try_from(index).ok());
            // An error of the transaction as a whole comes with the number of its beginning.
            let step = index.and_then(|index| steps.get(index)).copied();
            TableError::at(step.unwrap_or(Step::Batch), error)
        };
        let no_packet = |error| failed((first, error));
        self.send(&packets).map_err(no_packet)?;
        loop {
            for packet in self.receive().map_err(no_packet)? {
                let sequence = packet.header.sequence_number;
                match packet.payload {
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(failed((sequence, error.to_io())));
                    }
                    // Acknowledgements are sent when the transaction is through.
                    NetlinkPayload::Error(_) if sequence == last => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    fn packet(&mut self, inner: NetfilterMessageInner, flags: u16) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        let header = match inner {
            NetfilterMessageInner::None(_) => {
                let tables = u8::from(NetfilterSubsystem::NfTables);
                NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, tables.into())
            }
            _ => NetfilterHeader::new(NetfilterProtoFamily::Inet, 0, 0),
        };
        let mut about = NetlinkHeader::default();
        about.flags = NLM_F_REQUEST | flags;
        about.sequence_number = self.sequence;
        let mut packet =
            NetlinkMessage::new(about, NetlinkPayload::from(NetfilterMessage::new(header, inner)));
        packet.finalize();
        packet
    }

    fn send(&self, packets: &[Packet]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for packet in packets {
            let begin = bytes.len();
            bytes.resize(begin + packet.buffer_len().next_multiple_of(4), 0);
            packet.serialize(bytes.get_mut(begin..).unwrap_or_default());
        }
        // A batch is one datagram, however long; some of the room is the kernel's own.
        if bytes.len() > ROOM {
            setsockopt(&self.socket.as_fd(), SndBufForce, &(bytes.len() + ROOM))?;
        }
        self.socket.send(&bytes, 0).map(|_| ())
    }

    fn receive(&self) -> io::Result<Vec<Packet>> {
        let mut bytes: Vec<u8> = Vec::with_capacity(BUFFER);
        loop {
            match self.socket.recv(&mut bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        let mut packets = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let packet = Packet::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            let length = (packet.header.length as usize).next_multiple_of(4).max(16);
            rest = rest.get(length..).unwrap_or_default();
            packets.push(packet);
        }
        Ok(packets)
    }

    /// The answers up to the end or the acknowledgement, and whether they may have gaps.
    fn ask(&mut self, packets: &[Packet]) -> io::Result<(Vec<NfTablesMessage>, bool)> {
        self.send(packets)?;
        let (mut answers, mut gaps) = (Vec::new(), false);
        loop {
            for packet in self.receive()? {
                if packet.header.sequence_number != self.sequence {
                    continue;
                }
                gaps |= packet.header.flags & NLM_F_DUMP_INTR != 0;
                match packet.payload {
                    NetlinkPayload::InnerMessage(message) => {
                        if let NetfilterMessageInner::NfTables(answer) = message.inner {
                            answers.push(answer);
                        }
                    }
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok((answers, gaps)),
                    NetlinkPayload::Overrun(_) => return Err(io::Error::other("netlink overrun")),
                    _ => {}
                }
            }
        }
    }
}
