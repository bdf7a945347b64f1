//! Questions about the table, and batches of changes.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NetlinkPayload};
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterMessageInner, NetfilterProtoFamily, NetfilterSubsystem};

use super::attributes::Change;
use super::error::{Step, TableError};
use crate::nfnetlink::{Nfnetlink, Packet};

const DUMP_TRIES: usize = 5;

pub(super) struct Netlink(Nfnetlink);

impl Netlink {
    /// A socket in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Netlink, TableError> {
        let socket = Nfnetlink::open().map_err(|error| TableError::at(Step::Open, error))?;
        Ok(Netlink(socket))
    }

    /// One object; none where there is none.
    pub(super) fn get(&mut self, question: NfTablesMessage) -> Result<Option<NfTablesMessage>, TableError> {
        let packet = self.packet(question, NLM_F_ACK);
        match self.0.ask(packet) {
            Ok((answers, _)) => Ok(answers.into_iter().find_map(table_message)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TableError::at(Step::Read, error)),
        }
    }

    /// All objects that the question is about; asked again where they changed meanwhile.
    pub(super) fn dump(&mut self, question: &NfTablesMessage) -> Result<Vec<NfTablesMessage>, TableError> {
        for _ in 0..DUMP_TRIES {
            let packet = self.packet(question.clone(), NLM_F_DUMP);
            match self.0.ask(packet) {
                Ok((answers, false)) => return Ok(answers.into_iter().filter_map(table_message).collect()),
                Ok((_, true)) => {}
                Err(error) => return Err(TableError::at(Step::Read, error)),
            }
        }
        Err(restless())
    }

    /// The same, each object as the bytes of its attributes: the typed reading of long lists costs the square of their length.
    pub(super) fn dump_bytes(&mut self, question: &NfTablesMessage) -> Result<Vec<Vec<u8>>, TableError> {
        for _ in 0..DUMP_TRIES {
            let mut objects = Vec::new();
            let take = |bytes: &[u8]| objects.push(bytes.to_vec());
            match self
                .0
                .dump(NetfilterProtoFamily::Inet, question.clone().into(), take)
            {
                Ok(false) => return Ok(objects),
                Ok(true) => {}
                Err(error) => return Err(TableError::at(Step::Read, error)),
            }
        }
        Err(restless())
    }

    /// Carries out all changes at one moment, or none.
    pub(super) fn change(mut self, changes: Vec<Change>) -> Result<(), TableError> {
        let mut packets = vec![self.mark(ControlMessage::BatchBegin)];
        let first = self.0.sequence();
        let mut steps = Vec::new();
        for Change { step, flags, message } in changes {
            packets.push(self.packet(message, flags | NLM_F_ACK));
            steps.push(step);
        }
        let last = self.0.sequence();
        packets.push(self.mark(ControlMessage::BatchEnd));
        let failed = |(sequence, error): (u32, io::Error)| {
            let index = sequence
                .checked_sub(first + 1)
                .and_then(|index| usize::try_from(index).ok());
            // An error of the transaction as a whole comes with the number of its beginning.
            let step = index.and_then(|index| steps.get(index)).copied();
            TableError::at(step.unwrap_or(Step::Batch), error)
        };
        let no_packet = |error| failed((first, error));
        self.0.send(&packets).map_err(no_packet)?;
        loop {
            for packet in self.0.receive().map_err(no_packet)? {
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

    fn packet(&mut self, message: NfTablesMessage, flags: u16) -> Packet {
        self.0
            .packet(NetfilterProtoFamily::Inet, 0, message.into(), flags)
    }

    /// The beginning or the end of a batch.
    fn mark(&mut self, mark: ControlMessage) -> Packet {
        let tables = u8::from(NetfilterSubsystem::NfTables);
        self.0
            .packet(NetfilterProtoFamily::Unspec, tables.into(), mark.into(), 0)
    }
}

fn table_message(message: NetfilterMessageInner) -> Option<NfTablesMessage> {
    match message {
        NetfilterMessageInner::NfTables(message) => Some(message),
        _ => None,
    }
}

fn restless() -> TableError {
    let error = io::Error::other("it changes too fast to be read");
    TableError::at(Step::Read, error)
}
