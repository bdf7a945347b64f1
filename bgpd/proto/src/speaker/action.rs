//! What the speaker asks of its driver, and what it reports.

use super::config::Transport;
use crate::types::{ConnId, Family, PeerId};
use std::net::{IpAddr, SocketAddr};

/// Work for the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection, then call `handle_connected` or `handle_connect_failed` with `conn`.
    Connect {
        /// Number that the speaker gave to this connection.
        conn: ConnId,
        /// Whose it is.
        peer: PeerId,
        /// Address to bind to before connecting.
        local: Option<IpAddr>,
        /// Where to.
        remote: SocketAddr,
        /// What the socket needs.
        transport: Transport,
    },
    /// Close the connection, or give up the attempt. The speaker has forgotten it already: `handle_closed` need not
    /// be called, and does nothing.
    Close {
        /// Which.
        conn: ConnId,
        /// Bytes to be written first, as far as the socket takes them: mostly a NOTIFICATION.
        last_words: Vec<u8>,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session with the peer is Established.
    Up {
        /// Which peer.
        peer: PeerId,
    },
    /// The session, or an attempt at one, ended.
    Down {
        /// Which peer.
        peer: PeerId,
        /// Why, for people.
        reason: String,
    },
    /// Something that a peer sent was wrong, and did not end its session.
    Fault {
        /// Which peer.
        peer: PeerId,
        /// What was wrong, and what was done about it.
        what: String,
        /// How many faults came since the last event, that nothing was said of.
        unsaid: u64,
    },
    /// A peer has come near the number of prefixes that it may send, or has gone beyond: then [`Event::Down`] follows where
    /// the session ends for it.
    PrefixLimit {
        /// Which peer.
        peer: PeerId,
        /// Of which family.
        family: Family,
        /// How many prefixes it has sent.
        received: u64,
        /// How many it may send.
        limit: u32,
    },
    /// Loc-RIB, received routes or the set of tracked next hops may have changed, or the first feed is complete.
    RibChanged,
}
