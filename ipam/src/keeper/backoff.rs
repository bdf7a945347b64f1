//! How long to wait before the next try: doubling, bounded, and spread so that nodes do not come all at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits that grow with each failure in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Around `first`, then twice that and so on up to around `most`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Backoff {
            first,
            most,
            failures: 0,
        }
    }

    /// The wait after one more failure, between half and one and a half of its step.
    pub(crate) fn next(&mut self) -> Duration {
        let step = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.most);
        self.failures = self.failures.saturating_add(1);
        spread(step)
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Between half and one and a half of a duration, by chance. `RandomState` takes its keys from the system.
pub(crate) fn spread(around: Duration) -> Duration {
    let chance = RandomState::new().hash_one(around) % 1024;
    let share = u32::try_from(chance).unwrap_or(512);
    around / 2 + around.saturating_mul(share) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_again() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, most);
        for failure in 0..40 {
            let step = first.saturating_mul(1 << failure.min(16)).min(most);
            let wait = backoff.next();
            assert!(wait >= step / 2 && wait <= step + step / 2, "{failure}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first * 3 / 2);
    }

    #[test]
    fn waits_are_spread() {
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| spread(Duration::from_secs(1))).collect();
        assert!(waits.len() > 10);
    }
}
