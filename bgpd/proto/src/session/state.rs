//! The six states of the BGP finite state machine (RFC 4271 §8.2.2).

use std::fmt;

/// State of one connection, and of the session that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// Not trying, and refusing connections: stopped, or backing off after an error.
    #[default]
    Idle,
    /// Our TCP connection attempt is under way.
    Connect,
    /// Listening for the peer, until it is time for an attempt of our own.
    Active,
    /// TCP is up, our OPEN is sent, the peer's is awaited.
    OpenSent,
    /// The peer's OPEN was good; its first KEEPALIVE is awaited.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl State {
    /// The name that RFC 4271 and every looking glass uses.
    pub const fn name(self) -> &'static str {
        match self {
            State::Idle => "Idle",
            State::Connect => "Connect",
            State::Active => "Active",
            State::OpenSent => "OpenSent",
            State::OpenConfirm => "OpenConfirm",
            State::Established => "Established",
        }
    }

    /// Whether BGP messages flow: an OPEN was sent at least.
    pub const fn is_connected(self) -> bool {
        matches!(self, State::OpenSent | State::OpenConfirm | State::Established)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
