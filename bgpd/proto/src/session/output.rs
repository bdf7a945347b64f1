//! What a session wants from its owner, what it reports, and what it counts.

use super::open::Negotiated;
use crate::types::{ConnId, Family};
use crate::wire::Update;
use std::sync::Arc;

/// What a session wants or reports.
#[derive(Debug)]
pub enum Output {
    /// Open a connection and tell its number with [`Session::connecting`].
    Connect,
    /// Write the bytes if possible, then close.
    Close {
        /// Which connection.
        conn: ConnId,
        /// Mostly a NOTIFICATION.
        last_words: Vec<u8>,
    },
    /// The session is Established.
    Up(Arc<Negotiated>),
    /// It was Established and is no longer.
    Lost {
        /// Why, for people.
        reason: String,
        /// TCP ended without a NOTIFICATION from either side: the peer may be restarting (RFC 4724 §4.2).
        silent: bool,
    },
    /// An attempt failed; it had not been Established.
    Failed(String),
    /// Routes came.
    Update(Box<Update>),
    /// The peer wants all our routes of a family again.
    Refresh(Family),
    /// A KEEPALIVE came while Established.
    Keepalive,
}

/// Message counters of a session, since the peer was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that came, of every type.
    pub messages_in: u64,
    /// UPDATEs among them.
    pub updates_in: u64,
    /// Messages that we sent.
    pub messages_out: u64,
    /// UPDATEs among them.
    pub updates_out: u64,
    /// How often an Established session was lost.
    pub flaps: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The connection that the session stands for.
    Main,
    /// Another one, until the collision is decided.
    Second,
}
