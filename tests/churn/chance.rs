//! Random numbers that a seed brings back: `ROADBED_SEED` repeats the choices of a run, though not its timing.

/// A xorshift generator: 64 bits of state are enough to choose containers.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

/// The seed asked for, or one of this moment.
pub fn seed() -> u64 {
    let asked = std::env::var("ROADBED_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    asked.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.subsec_nanos().into())
    })
}
