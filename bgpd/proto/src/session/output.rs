//! What a session wants from its owner, what it reports, and what it counts.

use super::open::Negotiated;
use crate::types::{ConnId, Family};
use crate::wire::{RefreshKind, Update};
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
        /// How it ended: whether the peer may be restarting.
        end: End,
    },
    /// An attempt failed; it had not been Established.
    Failed(String),
    /// Routes came.
    Update(Box<Update>),
    /// The peer wants all our routes of a family again, or marks where its own answer begins and ends (RFC 7313); the
    /// marks only where both know them.
    Refresh {
        /// Which family.
        family: Family,
        /// What it says.
        kind: RefreshKind,
    },
    /// A KEEPALIVE came while Established.
    Keepalive,
}

/// How an Established session ended, as far as what it taught may outlive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// TCP ended without a NOTIFICATION from either side, or the peer has connected anew: it restarts (RFC 4724 §4.2).
    Transport,
    /// A timer expired or one side sent a NOTIFICATION: a restart where both set the N bit (RFC 8538 §4).
    Notification,
    /// Nothing is to be kept: a Hard Reset, a dead path, or the operator's wish.
    HardReset,
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
    /// Failures in a row since the last Established session (ConnectRetryCounter, RFC 4271 §8).
    pub connect_retries: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The connection that the session stands for.
    Main,
    /// Another one, until the collision is decided.
    Second,
}
