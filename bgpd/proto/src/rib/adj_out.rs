//! Adj-RIB-Out of one peer: what it was last told of each prefix, and the prefixes that may have to be told anew.
//!
//! Nothing is queued but prefixes: what to say of one is computed when the socket has room for it, so that a prefix
//! that flaps a thousand times costs one entry, and a slow peer is told the last state only.

use super::intern::Body;
use crate::types::{Family, PerFamily};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a peer was told, and what is to be looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct AdjOut {
    /// What was last sent; `None`: something, but it is to be sent again (ROUTE-REFRESH).
    sent: FxHashMap<IpNet, Option<Arc<Body>>>,
    pending: BTreeSet<IpNet>,
    /// Families whose End-of-RIB is still to be sent.
    unfinished: BTreeSet<Family>,
    /// Prefixes in `sent`, by family.
    count: PerFamily<usize>,
}

impl AdjOut {
    /// For a session that has just come up; each of its families ends with End-of-RIB.
    pub fn new(families: &[Family]) -> Self {
        Self {
            unfinished: families.iter().copied().collect(),
            ..Self::default()
        }
    }

    /// The prefix may have to be told anew.
    pub fn mark(&mut self, prefix: IpNet) {
        self.pending.insert(prefix);
    }

    /// Whether the peer was told of the prefix.
    pub fn has_sent(&self, prefix: &IpNet) -> bool {
        self.sent.contains_key(prefix)
    }

    /// What the peer was last told of a prefix.
    pub fn last_sent(&self, prefix: &IpNet) -> Option<&Arc<Body>> {
        self.sent.get(prefix).and_then(Option::as_ref)
    }

    /// All that the peer was told, by prefix.
    pub fn sent(&self) -> impl Iterator<Item = (&IpNet, &Arc<Body>)> {
        self.sent
            .iter()
            .filter_map(|(prefix, body)| Some((prefix, body.as_ref()?)))
    }

    /// Notes that a prefix was announced.
    pub fn note_announced(&mut self, prefix: IpNet, body: Arc<Body>) {
        if self.sent.insert(prefix, Some(body)).is_none() {
            *self.count.get_mut(Family::of(&prefix)) += 1;
        }
    }

    /// Notes that a prefix was withdrawn.
    pub fn note_withdrawn(&mut self, prefix: &IpNet) {
        if self.sent.remove(prefix).is_some() {
            *self.count.get_mut(Family::of(prefix)) -= 1;
        }
        if self.sent.capacity() > 64 && self.sent.len() < self.sent.capacity() / 8 {
            self.sent.shrink_to(self.sent.len() * 2);
        }
    }

    /// Everything of a family that was sent is to be sent again.
    pub fn resend(&mut self, family: Family) {
        for (prefix, body) in self
            .sent
            .iter_mut()
            .filter(|(prefix, _)| Family::of(prefix) == family)
        {
            *body = None;
            self.pending.insert(*prefix);
        }
    }

    /// Takes up to `size` of the next prefixes to look at, all of one family.
    pub fn pop_batch(&mut self, size: usize) -> Option<(Family, Vec<IpNet>)> {
        let family = self.pending.first().map(Family::of)?;
        let mut batch = Vec::with_capacity(size.min(self.pending.len()));
        while batch.len() < size
            && self
                .pending
                .first()
                .is_some_and(|prefix| Family::of(prefix) == family)
        {
            batch.extend(self.pending.pop_first());
        }
        Some((family, batch))
    }

    /// Takes a family whose first table is out, for its End-of-RIB. Prefixes come in the order of their families, so
    /// IPv4 is finished while IPv6 goes on.
    pub fn pop_finished(&mut self) -> Option<Family> {
        let next = self.pending.first().map(Family::of);
        let finished = self
            .unfinished
            .iter()
            .copied()
            .find(|family| next.is_none_or(|next| *family < next))?;
        self.unfinished.remove(&finished);
        Some(finished)
    }

    /// Whether there is anything to look at or to say.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty() || !self.unfinished.is_empty()
    }

    /// How many prefixes of a family the peer was told of.
    pub fn count(&self, family: Family) -> usize {
        *self.count.get(family)
    }
}
