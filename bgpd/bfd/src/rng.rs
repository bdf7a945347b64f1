//! Random numbers for jitter and discriminators (SplitMix64): the driver seeds them, tests repeat them.

use std::num::NonZeroU32;
use std::time::Duration;

#[derive(Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform from zero to `most`, both included.
    pub fn up_to(&mut self, most: u32) -> u32 {
        // The bias of a remainder of 64 bits by 32 is of no matter here.
        (self.next() % (u64::from(most) + 1)) as u32
    }

    /// A number that is not zero.
    pub fn discriminator(&mut self) -> NonZeroU32 {
        loop {
            if let Some(number) = NonZeroU32::new((self.next() >> 32) as u32) {
                return number;
            }
        }
    }

    /// A time from zero to `most`.
    pub fn delay(&mut self, most: Duration) -> Duration {
        Duration::from_micros(u64::from(self.up_to(most.as_micros() as u32)))
    }
}
