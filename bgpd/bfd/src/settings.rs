//! What a session is wanted to be: with whom, over which port, how fast.

use std::net::IpAddr;
use std::time::Duration;

/// Intervals below this are raised to it: faster than a general-purpose kernel keeps time.
pub const MIN_INTERVAL: Duration = Duration::from_millis(10);

const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// Which of the two encapsulations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hops {
    /// RFC 5881: UDP port 3784, TTL exactly 255.
    Single,
    /// RFC 5883: UDP port 4784, TTL 240 at least: fifteen routers between.
    Multi,
}

impl Hops {
    /// The UDP port that the peer listens on, and we.
    pub fn port(self) -> u16 {
        match self {
            Hops::Single => 3784,
            Hops::Multi => 4784,
        }
    }

    /// Packets that arrive with less are dropped.
    pub fn min_ttl(self) -> u8 {
        match self {
            Hops::Single => 255,
            Hops::Multi => 240,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Hops::Single => Hops::Multi,
            Hops::Multi => Hops::Single,
        }
    }
}

/// Whom a session is with. There is one for each peer address; a link-local one is known by its interface as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The peer's address.
    pub remote: IpAddr,
    /// Index of the interface if `remote` is link-local, else zero.
    pub scope: u32,
}

impl Key {
    /// A session with `remote`; `scope` counts for link-local addresses only.
    pub fn new(remote: IpAddr, scope: u32) -> Self {
        let remote = remote.to_canonical();
        let local = matches!(remote, IpAddr::V6(v6) if v6.is_unicast_link_local());
        Self {
            remote,
            scope: if local { scope } else { 0 },
        }
    }
}

/// How a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it begins.
    pub hops: Hops,
    /// A session that has never been Up, and whose peer calls on the other port, goes over to that.
    pub follow: bool,
    /// We do not send faster.
    pub min_tx: Duration,
    /// We do not want to receive faster.
    pub min_rx: Duration,
    /// The peer takes us for dead after this many of our packets are missing.
    pub detect_mult: u8,
}

impl Settings {
    /// 300 ms three times, as nearly everybody has it.
    pub fn new(hops: Hops) -> Self {
        Self {
            hops,
            follow: false,
            min_tx: Duration::from_millis(300),
            min_rx: Duration::from_millis(300),
            detect_mult: 3,
        }
    }

    /// With intervals between 10 ms and a minute, and a multiplier that is not zero.
    pub(crate) fn within_limits(self) -> Self {
        Self {
            min_tx: self.min_tx.clamp(MIN_INTERVAL, MAX_INTERVAL),
            min_rx: self.min_rx.clamp(MIN_INTERVAL, MAX_INTERVAL),
            detect_mult: self.detect_mult.max(1),
            ..self
        }
    }
}
