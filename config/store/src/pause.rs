//! Pauses between attempts. Pure but for the seed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double from `min` to `max`, each with up to as much again by chance: nodes that lost their store
/// together do not come back together.
#[derive(Debug)]
pub(crate) struct Pause {
    builder: ExponentialBuilder,
    max: Duration,
    pauses: ExponentialBackoff,
}

impl Pause {
    pub(crate) fn new(min: Duration, max: Duration, seed: u64) -> Pause {
        let builder = ExponentialBuilder::new()
            .with_min_delay(min)
            .with_max_delay(max)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed);
        Pause {
            builder,
            max,
            pauses: builder.build(),
        }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.max)
    }

    /// Things went well: begin with the shortest again.
    pub(crate) fn reset(&mut self) {
        // The seed moves on, so that the pauses of two outages are not the same ones.
        let spread = self.pauses.next().unwrap_or_default().subsec_nanos();
        self.pauses = self.builder.with_jitter_seed(u64::from(spread)).build();
    }
}

/// A number that differs from process to process.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_bounds_and_differ() {
        let ms = Duration::from_millis;
        let mut pause = Pause::new(ms(100), ms(1000), 7);
        let mut floor = ms(100);
        for _ in 0..20 {
            let next = pause.next();
            assert!(next >= floor && next <= floor * 2, "{next:?} of {floor:?}");
            floor = (floor * 2).min(ms(1000));
        }
        pause.reset();
        assert!(pause.next() <= ms(200), "begins anew");
        let first = |seed| Pause::new(ms(100), ms(1000), seed).next();
        let differing: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert!(differing.len() > 15, "{differing:?}");
    }
}
