//! When the owner looks at the kernel again, though nobody asks: for the audit, for what is kept no longer, after an error.
//!
//! Pure: time is a parameter, counted from the start of the owner. A reading takes time, and is made for the moment at which
//! it began: what is over only since then is not part of it, and is the reason for the next one.

use std::time::Duration;

/// The least time between two readings that notices cause: bounds the work when others change much.
const NOTICE_INTERVAL: Duration = Duration::from_millis(50);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The readings of an owner.
#[derive(Debug)]
pub struct Rhythm {
    audit: Duration,
    /// The moment for which the last one was made.
    made_for: Duration,
    /// When it was done.
    ended: Duration,
    /// Those in a row that ended with an error.
    failures: u32,
}

impl Rhythm {
    /// With an audit after each `audit` without a reading.
    pub fn new(audit: Duration) -> Self {
        Self {
            audit,
            made_for: Duration::ZERO,
            ended: Duration::ZERO,
            failures: 0,
        }
    }

    /// A reading made for the moment `made_for` has ended at `ended`.
    pub fn done(&mut self, made_for: Duration, ended: Duration, well: bool) {
        self.made_for = made_for;
        self.ended = ended;
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
    }

    /// The moment for which the last reading was made.
    pub fn made_for(&self) -> Duration {
        self.made_for
    }

    /// Whether the last reading ended well.
    pub fn well(&self) -> bool {
        self.failures == 0
    }

    /// When a notice may cause a reading.
    pub fn after_notice(&self) -> Duration {
        self.ended + NOTICE_INTERVAL
    }

    /// When to look again if nothing happens. `over` is when something is kept no longer, of what is so after
    /// [`Rhythm::made_for`].
    pub fn next(&self, over: Option<Duration>) -> Duration {
        let audit = self.ended + self.audit;
        if self.well() {
            return over.map_or(audit, |over| over.min(audit));
        }
        let retry = FIRST_RETRY.saturating_mul(1 << self.failures.min(10).saturating_sub(1));
        audit.min(self.ended + retry.min(LAST_RETRY))
    }
}

/// How long to wait before a closed socket is opened again.
pub const REOPEN: Duration = FIRST_RETRY;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::linger::Linger;
    use crate::model::DesiredTunnels;

    const AUDIT: Duration = Duration::from_secs(60);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn without_a_reason_it_is_the_audit() {
        let mut rhythm = Rhythm::new(AUDIT);
        rhythm.done(seconds(1.0), seconds(1.5), true);
        assert_eq!(rhythm.next(None), seconds(61.5));
        assert_eq!(rhythm.next(Some(seconds(90.0))), seconds(61.5));
        assert_eq!(rhythm.next(Some(seconds(6.0))), seconds(6.0));
        assert_eq!(rhythm.after_notice(), seconds(1.55));
    }

    #[test]
    fn after_errors_the_pause_grows_to_its_bound() {
        let mut rhythm = Rhythm::new(AUDIT);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            rhythm.done(seconds(1.0), seconds(1.0), false);
            pauses.push((rhythm.next(Some(seconds(1.1))) - seconds(1.0)).as_secs_f64());
        }
        assert_eq!(pauses, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        rhythm.done(seconds(1.0), seconds(1.0), true);
        assert!(rhythm.well());
    }

    /// A slow reading that began before the first sweep and ended after it is not the sweep.
    #[test]
    fn what_is_over_during_a_reading_is_the_reason_for_the_next() {
        let mut linger = Linger::new(seconds(5.0));
        let wanted = DesiredTunnels {
            sweep: true,
            ..DesiredTunnels::default()
        };
        linger.take(Arc::new(wanted), seconds(0.0));
        let mut rhythm = Rhythm::new(AUDIT);
        assert!(!linger.effective(seconds(4.9)).sweep);
        rhythm.done(seconds(4.9), seconds(5.1), true);
        let next = rhythm.next(linger.next(rhythm.made_for()));
        assert_eq!(next, seconds(5.0), "at once");
        assert!(linger.effective(next).sweep);
        rhythm.done(seconds(5.2), seconds(5.3), true);
        assert_eq!(rhythm.next(linger.next(rhythm.made_for())), seconds(65.3));
    }
}
