//! One TCP connection: its machine, the bytes that have come but make no whole message yet, and the control messages
//! that wait to be sent. UPDATEs never wait here: they are built from the RIB when the socket is ready for them.

use super::collision::Direction;
use super::fsm::{Fsm, Tuning};
use super::jitter::Jitter;
use super::open::Negotiated;
use crate::types::ConnId;
use crate::wire::{self, DecodeContext, LatestList, Message, Notification};
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
    /// Our OPEN went without optional parameters.
    pub plain: bool,
    /// What both OPENs agree on, once the peer's has come.
    pub agreed: Option<Arc<Negotiated>>,
    /// How the next message is to be read.
    context: DecodeContext,
    latest: LatestList,
    /// The beginning of a message whose end has not come: without memory between messages.
    tail: Vec<u8>,
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
            plain: false,
            agreed: None,
            context: DecodeContext::default(),
            latest: LatestList::default(),
            tail: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Forgets the TCP connection and all that came over it; the machine stays.
    pub fn release(&mut self) -> Option<(ConnId, Vec<u8>)> {
        self.tail = Vec::new();
        self.agreed = None;
        self.context = DecodeContext::default();
        self.latest = LatestList::default();
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

    /// What was kept of the bytes before, followed by `bytes`; `None` where nothing was kept and they stand alone.
    pub fn join(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut joined = Some(std::mem::take(&mut self.tail)).filter(|tail| !tail.is_empty())?;
        joined.extend_from_slice(bytes);
        Some(joined)
    }

    /// Keeps the last `rest` of the bytes, the beginning of a message, until its end comes. What [`Self::join`] made is
    /// kept as it is where nothing of it was used: a peer that sends byte by byte costs no copy for each.
    pub fn keep(&mut self, joined: Option<Vec<u8>>, bytes: &[u8], rest: usize) {
        self.tail = match joined {
            Some(joined) if joined.len() == rest => joined,
            Some(joined) => joined[joined.len() - rest..].to_vec(),
            None => bytes[bytes.len() - rest..].to_vec(),
        };
    }

    /// The next whole message, taken off the front of `input`, or the NOTIFICATION that the peer's bytes deserve.
    pub fn next_message(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Notification> {
        match wire::decode_next(input, &self.context, &mut self.latest)? {
            Some((message, length)) => {
                *input = input.get(length..).unwrap_or_default();
                Ok(Some(message))
            }
            None => Ok(None),
        }
    }
}
