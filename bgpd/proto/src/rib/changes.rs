//! What of the Loc-RIB has changed, for one reader that keeps a copy: the fast path beside reading it whole.
//!
//! The log holds prefixes, not routes: however often a prefix flaps, it stands there once, and the reader gets the route as it is
//! when it asks. Before the first question there is no log, and who never asks pays nothing.

use std::collections::HashSet;

use ipnet::IpNet;

use super::view::BestRoute;

/// Prefixes whose selected paths have changed since the last question. Their hash is seeded at random, for peers choose them.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeLog(Option<HashSet<IpNet>>);

impl ChangeLog {
    pub fn note(&mut self, prefix: IpNet) {
        if let Some(prefixes) = &mut self.0 {
            prefixes.insert(prefix);
        }
    }

    /// The prefixes since the last call, sorted; `None` at the first, from which on there is a log.
    pub fn take(&mut self) -> Option<Vec<IpNet>> {
        let mut prefixes: Vec<IpNet> = self.0.replace(HashSet::new())?.into_iter().collect();
        prefixes.sort_unstable();
        Some(prefixes)
    }
}

/// What has changed since the last question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocRibChanges {
    /// `routes` are all that there are: the answer to the first question.
    pub whole: bool,
    /// Each prefix with its route as it is now, `None` where it has none any more; in the order of prefixes, IPv4 first.
    pub routes: Vec<(IpNet, Option<BestRoute>)>,
}
