//! How long to wait after a failure: doubling pauses with jitter, forgotten once a session has been stable.
//!
//! RFC 4271 §8.1.1 calls this DampPeerOscillations. After most failures we go on listening and only our own next
//! attempt waits; after a fault in what the peer said we also refuse its connections for the pause (IdleHoldTimer), since
//! the next OPEN would say the same.

use super::jitter::Jitter;
use std::time::Duration;

/// First pause.
const FIRST: Duration = Duration::from_secs(1);

/// Longest pause with connections refused.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// A session that stood this long was no failure.
pub const STABLE: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    jitter: Jitter,
}

impl Backoff {
    /// No failures yet.
    pub fn new(jitter: Jitter) -> Self {
        Self { failures: 0, jitter }
    }

    /// The peer was stable, or was configured anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Pause before our next attempt, at most `connect_retry`.
    pub fn retry(&mut self, connect_retry: Duration) -> Duration {
        let pause = self.doubled().min(connect_retry);
        self.jitter.apply(pause)
    }

    /// Pause for which the peer is refused too.
    pub fn hold(&mut self) -> Duration {
        let pause = self.doubled().min(LONGEST_HOLD);
        self.jitter.apply(pause)
    }

    fn doubled(&mut self) -> Duration {
        let pause = FIRST * (1 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_caps() {
        let mut backoff = Backoff::new(Jitter::new(3));
        let holds: Vec<_> = (0..9).map(|_| backoff.hold().as_secs_f32()).collect();
        assert!(holds[0] >= 0.75 && holds[0] <= 1.0);
        assert!(holds[3] >= 6.0 && holds[3] <= 8.0);
        assert!(holds[8] >= 45.0 && holds[8] <= 60.0);
        assert!(backoff.retry(Duration::from_secs(5)) <= Duration::from_secs(5));
        backoff.reset();
        assert!(backoff.retry(Duration::from_secs(5)) <= Duration::from_secs(1));
    }
}
