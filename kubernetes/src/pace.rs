//! How fast this crate listens and speaks: every pause in one place.

use std::time::Duration;

use crate::events::Limits;

/// How fast things go. The default is what a cluster bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// What is known is published this often at most.
    pub publish: Duration,
    /// The shortest and the longest pause before something that failed is tried again.
    pub retry: (Duration, Duration),
    /// An object of ours is written this often at most.
    pub write: Duration,
    /// Where only words or counters differ, this often.
    pub words: Duration,
    /// A node that was ready is unavailable only after this long.
    pub patience: Duration,
    /// How long [`crate::Handle::wishes`] asks for a pod that the watch has not brought.
    pub pod: Duration,
    /// How often Events are looked at that wait to be written.
    pub event_tick: Duration,
    /// How many Events there are.
    pub events: Limits,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            publish: Duration::from_millis(50),
            retry: (Duration::from_millis(500), Duration::from_secs(15)),
            write: Duration::from_secs(5),
            words: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            pod: Duration::from_secs(2),
            event_tick: Duration::from_secs(5),
            events: Limits::default(),
        }
    }
}

impl Pace {
    /// The pause after so many failures of a write. What was refused, for a right or a definition that is missing, is
    /// tried less often than what nobody answered.
    pub(crate) fn failing(&self, failures: u32, refused: bool) -> Duration {
        let doubled = self
            .retry
            .0
            .saturating_mul(1 << failures.saturating_sub(1).min(20));
        doubled.min(self.retry.1 * if refused { 4 } else { 1 })
    }
}
