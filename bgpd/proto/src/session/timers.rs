//! The timers of one connection (RFC 4271 §8.1.3 and §10, RFC 9687): a deadline each, or off.
//! Nothing ticks here; the owner asks for the next deadline and later for what has expired.

use std::time::{Duration, Instant};

/// Hold time while the peer's OPEN or first KEEPALIVE is awaited. RFC 4271 suggests four minutes; a minute is
/// plenty for any peer and frees a half-dead connection sooner.
pub const OPEN_HOLD: Duration = Duration::from_secs(60);

/// Which timer expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// ConnectRetryTimer: time for the next TCP attempt.
    ConnectRetry,
    /// HoldTimer: nothing was heard from the peer for the hold time.
    Hold,
    /// KeepaliveTimer: our next KEEPALIVE is due.
    Keepalive,
    /// SendHoldTimer (RFC 9687): the peer has not taken our bytes for too long.
    SendHold,
}

/// Deadlines; `None` is a stopped timer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// See [`Timer::ConnectRetry`].
    pub connect_retry: Option<Instant>,
    /// See [`Timer::Hold`].
    pub hold: Option<Instant>,
    /// See [`Timer::Keepalive`].
    pub keepalive: Option<Instant>,
    /// See [`Timer::SendHold`].
    pub send_hold: Option<Instant>,
}

impl Timers {
    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        [self.connect_retry, self.hold, self.keepalive, self.send_hold]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes one timer that has expired at `now`: it is stopped by that.
    pub fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let due = |slot: &mut Option<Instant>| slot.take_if(|at| *at <= now).is_some();
        if due(&mut self.hold) {
            Some(Timer::Hold)
        } else if due(&mut self.send_hold) {
            Some(Timer::SendHold)
        } else if due(&mut self.connect_retry) {
            Some(Timer::ConnectRetry)
        } else if due(&mut self.keepalive) {
            Some(Timer::Keepalive)
        } else {
            None
        }
    }
}
