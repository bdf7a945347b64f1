//! Random numbers from a seed (SplitMix64): the same seed makes the same feed and the same order of contenders.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed; streams of different purposes do not meet.
    pub fn new(seed: u64, purpose: u64) -> Rng {
        Rng(mix(seed ^ mix(purpose)))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u32) -> u32 {
        let wide = u128::from(self.draw()) * u128::from(end.max(1));
        (wide >> 64) as u32
    }

    /// Between 0 and 1, 1 not included.
    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Any order of the elements.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(u32::try_from(last + 1).unwrap_or(u32::MAX)) as usize;
            all.swap(last, other);
        }
    }
}

/// Spreads every bit of a number over all others.
pub fn mix(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
        let draw = |seed, purpose| -> Vec<u64> {
            let mut rng = Rng::new(seed, purpose);
            (0..5).map(|_| rng.draw()).collect()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn numbers_lie_where_they_are_asked_for() {
        let mut rng = Rng::new(3, 0);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
        let hits = (0..10_000).filter(|_| rng.chance(0.2)).count();
        assert!((1800..2200).contains(&hits), "{hits}");
        let mut all: Vec<u32> = (0..100).collect();
        rng.shuffle(&mut all);
        assert!(all.iter().enumerate().any(|(at, n)| at != *n as usize));
        all.sort_unstable();
        assert!(all.iter().enumerate().all(|(at, n)| at == *n as usize));
    }
}
