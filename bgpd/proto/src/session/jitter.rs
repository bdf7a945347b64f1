//! Timer jitter (RFC 4271 §10) from a seeded source: the same seed gives the same run, so that a simulated fabric
//! can be replayed, while two peers of one speaker, or two speakers, drift apart as the RFC wants.

use std::time::Duration;

/// A small deterministic generator (SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// A source that always gives the same sequence for `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `base` times a factor between 0.75 and 1.0, as RFC 4271 §10 asks.
    pub fn apply(&mut self, base: Duration) -> Duration {
        let parts = 750 + u32::try_from(self.next() % 251).unwrap_or(0);
        base.saturating_mul(parts) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_the_rfc_range_and_repeats_by_seed() {
        let base = Duration::from_secs(100);
        let (mut a, mut b) = (Jitter::new(7), Jitter::new(7));
        for _ in 0..1000 {
            let value = a.apply(base);
            assert!((75..=100).contains(&value.as_secs()), "{value:?}");
            assert_eq!(value, b.apply(base));
        }
        assert_ne!(Jitter::new(1).apply(base), Jitter::new(2).apply(base));
    }
}
