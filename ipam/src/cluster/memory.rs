//! What a node remembers between decisions. In memory only: a new process begins anew, and nothing here is needed
//! for safety that was true before the process began.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use config::NodeName;
use datastore::{Key, Version};
use ipnet::IpNet;

use super::situation::Situation;
use crate::lease::Owner;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Nodes that are gone, and for how long they were seen to be.
    pub(super) gone: BTreeMap<NodeName, Gone>,
    /// Blocks that this process asked for: an earlier one cannot have sent the deletion of such a record.
    pub(super) claimed: BTreeSet<IpNet>,
    /// Blocks that are about to be given back, and since when they have been seen so: withdrawn, and nothing in them.
    pub(super) withdrawn: BTreeMap<IpNet, SystemTime>,
    /// Records that this process writes once more before it relies on them, with the writing of before: whatever
    /// an earlier process sent against that writing and what is still under way finds another one.
    pub(super) touched: BTreeMap<Key, Version>,
    /// Loans that this process began to end, by the writing that it deletes.
    pub(super) ending: BTreeMap<IpAddr, Version>,
    /// Loans that the ledger was asked to set aside: asked again, it has said no.
    pub(super) tried: BTreeMap<IpAddr, Version>,
    /// Whose lease last wrote its place down, by workload, and over which writing: each lease writes it once, so that
    /// two pods of one workload do not take turns for ever.
    pub(super) placed: BTreeMap<String, (Owner, Option<Version>)>,
}

impl Memory {
    /// Lets go of what is over.
    pub(super) fn forget(&mut self, here: Situation<'_>) {
        self.claimed.retain(|net| here.taken(net).is_none());
        self.touched.retain(|key, _| match key {
            Key::Block(net) => here.view.blocks.get(net).is_some(),
            Key::Loan(address) => here.view.loans.contains_key(address),
            _ => false,
        });
        let same = |address: &IpAddr, version: &Version| {
            here.view
                .loans
                .get(address)
                .is_some_and(|stored| stored.version == *version)
        };
        self.tried.retain(|address, version| same(address, version));
        self.ending.retain(|address, version| same(address, version));
    }
}

/// How long a node has been seen to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    /// When it was looked at last.
    pub looked: SystemTime,
    /// The sum of the times between looks, each one counted for no more than a part of the grace time: a clock
    /// that jumps does not make a node dead.
    pub lasted: Duration,
    /// How often it was looked at.
    pub looks: u32,
}
