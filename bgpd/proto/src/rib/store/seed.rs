//! A hash with a secret key, for keys that peers choose: without the key nobody can prepare prefixes or attributes that
//! collide. It multiplies and folds; a million prefixes a second are nothing to it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// The key, drawn from the standard library's source of randomness.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    start: u64,
    factor: u64,
    end: u64,
}

impl Default for Seed {
    fn default() -> Self {
        let random = RandomState::new();
        Seed {
            start: random.hash_one(0),
            factor: random.hash_one(1) | 1,
            end: random.hash_one(2) | 1,
        }
    }
}

impl Seed {
    /// The hash of one word.
    pub fn word(&self, word: u64) -> u32 {
        self.finish(fold(word ^ self.start, self.factor))
    }

    /// The hash of octets.
    pub fn bytes(&self, bytes: &[u8]) -> u32 {
        let mut state = self.start ^ bytes.len() as u64;
        let (chunks, rest) = bytes.as_chunks::<16>();
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        for chunk in chunks.iter().chain([&last]) {
            let word = u128::from_le_bytes(*chunk);
            state = fold(word as u64 ^ self.factor, (word >> 64) as u64 ^ state);
        }
        self.finish(state)
    }

    fn finish(&self, state: u64) -> u32 {
        (fold(state ^ self.end, self.factor) >> 32) as u32
    }
}

/// The product of both, its halves laid over each other.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
