//! What the speaker asks of its driver, and what it reports.

use crate::types::{ConnId, PeerId};
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
        /// Time to live (hop limit) of our packets.
        ttl: u8,
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
    /// Loc-RIB, received routes or the set of tracked next hops may have changed, or the first feed is complete.
    RibChanged,
}
