//! One TCP connection: its machine, the bytes that have come but make no whole message yet, and the control messages
//! that wait to be sent. UPDATEs never wait here: they are built from the RIB when the socket is ready for them.

use super::collision::Direction;
use super::fsm::{Fsm, Tuning};
use super::jitter::Jitter;
use super::open::Negotiated;
use crate::types::ConnId;
use crate::wire::{self, DecodeContext, Message, Notification};
use std::net::SocketAddr;
use std::sync::Arc;

/// Machine and buffers of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Number of the TCP connection or attempt; `None` while there is none.
    pub id: Option<ConnId>,
    pub direction: Direction,
    pub fsm: Fsm,
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    /// What both OPENs agree on, once the peer's has come.
    pub agreed: Option<Arc<Negotiated>>,
    /// How the next message is to be read.
    context: DecodeContext,
    input: Vec<u8>,
    /// How much of `input` has been read.
    consumed: usize,
    pub output: Vec<u8>,
}

impl Connection {
    pub fn new(tuning: Tuning, jitter: Jitter, direction: Direction) -> Self {
        Self {
            id: None,
            direction,
            fsm: Fsm::new(tuning, jitter),
            local: None,
            remote: None,
            agreed: None,
            context: DecodeContext::default(),
            input: Vec::new(),
            consumed: 0,
            output: Vec::new(),
        }
    }

    /// Forgets the TCP connection and all that came over it; the machine stays.
    pub fn release(&mut self) -> Option<(ConnId, Vec<u8>)> {
        self.input = Vec::new();
        self.consumed = 0;
        self.agreed = None;
        self.context = DecodeContext::default();
        self.local = None;
        self.remote = None;
        let last_words = std::mem::take(&mut self.output);
        self.id.take().map(|id| (id, last_words))
    }

    /// From now on messages are read by what was agreed.
    pub fn agree(&mut self, negotiated: Arc<Negotiated>, context: DecodeContext) {
        self.context = context;
        self.agreed = Some(negotiated);
    }

    /// Takes in bytes from the socket.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.consumed = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The next whole message, or the NOTIFICATION that the peer's bytes deserve.
    pub fn next_message(&mut self) -> Result<Option<Message>, Notification> {
        let rest = &self.input[self.consumed..];
        match wire::decode(rest, &self.context)? {
            Some((message, length)) => {
                self.consumed += length;
                Ok(Some(message))
            }
            None => Ok(None),
        }
    }
}
