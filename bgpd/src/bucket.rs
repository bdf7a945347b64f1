//! A token bucket: so many at once, and so many a second after that. Holds what strangers and flapping peers can make
//! us do (accept, log) to a rate.

use std::time::{Duration, Instant};

/// How much, how fast.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Taken at once from a full bucket.
    pub burst: u32,
    /// One more comes after each such pause.
    pub pause: Duration,
}

/// One bucket, full when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// The bucket is full at this time, if nothing more is taken.
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one; false where the bucket is empty.
    pub fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let debt = self.full_at.saturating_duration_since(now) + rate.pause;
        let allowed = debt <= rate.pause * rate.burst.max(1);
        if allowed {
            self.full_at = now + debt;
        }
        allowed
    }

    /// Whether forgetting this bucket changes nothing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_at_once_and_the_rest_at_the_rate() {
        let rate = Rate {
            burst: 3,
            pause: Duration::from_secs(2),
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut bucket = Bucket::new(start);
        let taken: Vec<bool> = (0..5).map(|_| bucket.take(rate, start)).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        assert!(!bucket.take(rate, at(1)));
        assert!(bucket.take(rate, at(2)));
        assert!(
            !bucket.take(rate, at(2)),
            "refusals cost nothing, and bring nothing"
        );
        assert!(!bucket.is_full(at(7)));
        assert!(bucket.is_full(at(8)));
        assert_eq!((0..9).filter(|_| bucket.take(rate, at(60))).count(), 3);
    }
}
