//! The times and numbers of probing.

use std::time::Duration;

/// How often is probed, and what counts as proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Between requests to a peer that nothing is known of yet, or whose verdict is in doubt.
    pub fast: Duration,
    /// Between requests to a peer whose verdict stands; longer if `steady_rate` would be exceeded.
    pub steady: Duration,
    /// A request is lost if it is not answered in this time.
    pub timeout: Duration,
    /// Answers in a row that prove a way of which nothing is known.
    pub prove: u32,
    /// Answers in a row that prove a way that was silent.
    pub restore: u32,
    /// Losses in a row that make a way silent.
    pub lose: u32,
    /// Answers to full-size requests in a row that a proof needs besides.
    pub prove_full: u32,
    /// One of so many steady requests has the full size.
    pub full_every: u32,
    /// A way that stops carrying is silent at least so long; twice as long each time that it breaks again soon.
    pub hold: Duration,
    /// The longest hold.
    pub hold_most: Duration,
    /// A way that carried so long has its first hold again.
    pub calm: Duration,
    /// Requests a second to all peers together, at most.
    pub rate: u32,
    /// Requests a second to all peers together while every verdict stands.
    pub steady_rate: u32,
    /// Requests that may leave at once.
    pub burst: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            fast: Duration::from_millis(250),
            steady: Duration::from_secs(3),
            timeout: Duration::from_secs(1),
            prove: 3,
            restore: 5,
            lose: 5,
            prove_full: 2,
            full_every: 8,
            hold: Duration::from_secs(10),
            hold_most: Duration::from_secs(320),
            calm: Duration::from_secs(600),
            rate: 400,
            steady_rate: 100,
            burst: 40,
        }
    }
}

impl Tuning {
    /// Between steady requests to one of `peers`: their sum stays below the steady rate.
    pub(crate) fn steady_of(&self, peers: usize) -> Duration {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        let spread = Duration::from_secs(1).saturating_mul(peers) / self.steady_rate.max(1);
        spread.max(self.steady)
    }
}
