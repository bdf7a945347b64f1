//! The way to the probing task, and what it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::model::{DEFAULT_PORT, DesiredProbes, ProbeKey};
use super::tuning::Tuning;
use super::verdict::{ProbeVerdict, Proof};

/// How the task behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// UDP port of requests and answers; the same on all nodes.
    pub port: u16,
    /// Times and numbers.
    pub tuning: Tuning,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: DEFAULT_PORT,
            tuning: Tuning::default(),
        }
    }
}

/// What the probes have found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// The newest desired state that this belongs to. 0: none yet.
    pub generation: u64,
    /// One for each wanted peer.
    pub peers: BTreeMap<ProbeKey, ProbeVerdict>,
    /// What stands in the way of probing, for the operator.
    pub problems: Vec<String>,
    /// Requests sent since the start, to all peers.
    pub sent: u64,
    /// Those of them of which the peer said that they came without a tunnel.
    pub answered: u64,
}

impl Verdicts {
    /// What is proven about `key`; nothing if it is not probed.
    pub fn proof(&self, key: &ProbeKey) -> Proof {
        self.peers.get(key).map(ProbeVerdict::proof).unwrap_or_default()
    }

    /// The verdict about `key`; unknown if it is not probed.
    pub fn of(&self, key: &ProbeKey) -> ProbeVerdict {
        self.peers.get(key).cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Published {
    pub generation: u64,
    pub desired: Arc<DesiredProbes>,
    pub carried: Arc<BTreeSet<ProbeKey>>,
}

/// The way to the task. When the last clone is dropped it ends; rule and table stay in the kernel.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) desired: Arc<watch::Sender<Published>>,
    pub(super) verdicts: watch::Receiver<Verdicts>,
}

impl Handle {
    /// Replaces what is wanted; returns its generation, which [`Verdicts::generation`] will reach.
    pub fn publish(&self, desired: DesiredProbes) -> u64 {
        let mut generation = 0;
        self.desired.send_modify(|published| {
            published.generation += 1;
            published.desired = Arc::new(desired);
            generation = published.generation;
        });
        generation
    }

    /// Says, before the first [`Handle::publish`], which ways were in use before this start: they are taken for proven until
    /// their probes fail, so that a restart moves no traffic. It holds for the first time that a peer is probed.
    pub fn adopt(&self, carried: BTreeSet<ProbeKey>) {
        self.desired.send_if_modified(|published| {
            published.carried = Arc::new(carried);
            false
        });
    }

    /// What the probes have found. It wakes when a verdict changes, when a peer comes or goes, or a problem; the counts in
    /// it are always new, and wake nobody.
    pub fn verdicts(&self) -> watch::Receiver<Verdicts> {
        self.verdicts.clone()
    }
}
