//! `Auto`: whether the fabric carries pod addresses to each peer node, proven by probes.

mod verdict;

pub use verdict::{ProbeVerdict, Seen, Silence, Way};
