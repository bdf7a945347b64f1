//! What of the Loc-RIB has changed, for one reader that keeps a copy: the fast path beside reading it whole.
//!
//! The log holds prefixes, not routes: however often a prefix flaps, it stands there once, and the reader gets the route as it is
//! when it asks. Before the first question there is no log, and who never asks pays nothing.

use super::store::Queue;
use super::table::{PrefixId, Table};
use super::view::BestRoute;
use ipnet::IpNet;

/// Prefixes whose selected paths have changed since the last question; their numbers are held.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeLog(Option<Queue>);

impl ChangeLog {
    pub fn note(&mut self, id: PrefixId, table: &mut Table) {
        if let Some(queue) = &mut self.0
            && queue.push(id.0)
        {
            table.hold(id);
        }
    }

    /// The prefixes since the last call; `None` at the first, from which on there is a log.
    pub fn take(&mut self) -> Option<Queue> {
        self.0.replace(Queue::default())
    }

    /// The numbers that wait.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(Queue::iter)
    }

    /// No log any more.
    pub fn stop(&mut self) -> Option<Queue> {
        self.0.take()
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
