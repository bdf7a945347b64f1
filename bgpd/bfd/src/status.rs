//! The looking glass of sessions: one plain value for each, cheap to copy.

use crate::packet::{Diag, State};
use crate::settings::{Hops, Key};
use std::time::{Duration, Instant};

/// All that is worth knowing of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// With whom.
    pub key: Key,
    /// Over which port now.
    pub hops: Hops,
    /// Where it stands; AdminDown: not wanted any more, and saying so.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// When it was made.
    pub created: Instant,
    /// Whether it has ever been Up.
    pub has_been_up: bool,
    /// Why it last left Up.
    pub diag: Diag,
    /// What the peer said last of itself; `None`: nothing heard, or nothing for a detection time.
    pub remote: Option<(State, Diag)>,
    /// We send this often, before jitter.
    pub transmit_interval: Duration,
    /// Silence of this length is death; `None` while the peer is not heard.
    pub detection_time: Option<Duration>,
    /// Valid packets received.
    pub packets_in: u64,
    /// Packets handed out.
    pub packets_out: u64,
    /// How often it left Up, except because the peer was switched off.
    pub failures: u64,
    /// How often expiry was put off because this process came late.
    pub late: u64,
}
