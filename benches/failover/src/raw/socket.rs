//! The program's netlink socket: batches without acknowledgement but for the last message of each, and single questions.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::message::Message;

/// Messages that are handed to the kernel in one call.
const BATCH: usize = 64;

/// A socket in the network namespace of the thread that opened it.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens it.
    pub fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Hands all messages to the kernel and waits until it has carried out the last; the first refusal is the error.
    pub fn write(&mut self, messages: impl IntoIterator<Item = Message>) -> io::Result<()> {
        let mut messages = messages.into_iter().peekable();
        let mut batch = Vec::with_capacity(BATCH * 64);
        while messages.peek().is_some() {
            batch.clear();
            let mut last = self.sequence;
            for message in messages.by_ref().take(BATCH) {
                last = self.append(&mut batch, message, NLM_F_CREATE | NLM_F_REPLACE);
            }
            self.acknowledge_last(&mut batch);
            self.socket.send(&batch, 0)?;
            self.answer(last)?;
        }
        Ok(())
    }

    /// The interface that the kernel takes to this destination; `None` where there is no way.
    pub fn leads(&mut self, to: IpAddr) -> io::Result<Option<u32>> {
        let mut bytes = Vec::new();
        let sequence = self.append(&mut bytes, Message::lookup(to), 0);
        self.socket.send(&bytes, 0)?;
        match self.answer(sequence) {
            Ok(answer) => Ok(answer.and_then(|message| message.interface())),
            Err(_) => Ok(None),
        }
    }

    fn append(&mut self, out: &mut Vec<u8>, message: Message, flags: u16) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let start = out.len();
        out.resize(start + packet.buffer_len().next_multiple_of(4), 0);
        packet.serialize(&mut out[start..]);
        self.sequence
    }

    /// Sets `NLM_F_ACK` in the last message of a batch.
    fn acknowledge_last(&self, batch: &mut [u8]) {
        let mut at = 0;
        while let Some(head) = batch.get(at..at + 8) {
            let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let next = at + length.max(16).next_multiple_of(4);
            if next >= batch.len() {
                let flags = u16::from_ne_bytes([head[6], head[7]]) | NLM_F_ACK;
                batch[at + 6..at + 8].copy_from_slice(&flags.to_ne_bytes());
            }
            at = next;
        }
    }

    /// Reads until the answer to this message; refusals of others come before it.
    fn answer(&mut self, sequence: u32) -> io::Result<Option<Message>> {
        let mut refusal = None;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = &datagram[..];
            while !rest.is_empty() {
                let message = NetlinkMessage::<Message>::deserialize(rest)
                    .map_err(|e| io::Error::other(format!("unreadable answer of the kernel: {e}")))?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length.max(16)..).unwrap_or_default();
                let last = message.header.sequence_number == sequence;
                match message.payload {
                    NetlinkPayload::Error(e) if e.code.is_some() => {
                        refusal.get_or_insert_with(|| e.to_io());
                    }
                    NetlinkPayload::InnerMessage(inner) if last => return Ok(Some(inner)),
                    _ => {}
                }
                if last {
                    return refusal.map_or(Ok(None), Err);
                }
            }
        }
    }
}
