//! What came of it: confirmation, failure, the published view and status.

use super::Engine;
use crate::{
    clock::Now,
    diff::{Op, OpKind},
    model::{KernelView, RouteKey, SyncStatus},
    nexthop::object::NexthopOp,
    ownership::Fate,
    trouble::{Refusal, Trouble},
};

impl Engine {
    /// The kernel has what is wanted at the key.
    pub(super) fn settle(&mut self, key: RouteKey, wanted: bool) {
        self.troubles.remove(&key);
        self.unconfirmed.remove(&key);
        self.drifted.remove(&key);
        self.orphans.remove(&key);
        self.held_back.remove(&key);
        if wanted {
            self.confirmed.insert(key);
        } else {
            self.confirmed.remove(&key);
            self.ownership.gone(&key);
        }
    }

    /// Notes a failure; `again` asks for another try after a back-off, otherwise an event has to bring it.
    pub(super) fn trouble(&mut self, key: RouteKey, reason: String, now: Now, again: bool) {
        self.counters.last_error = Some(format!("{key}: {reason}"));
        let trouble = self.troubles.entry(key).or_insert_with(|| Trouble::new(now.wall));
        trouble.failed(reason, again.then_some(now.at));
    }

    /// Takes the kernel's answer to a write.
    pub fn finished(&mut self, op: &Op, result: Result<(), Refusal>, now: Now) {
        self.dirty.insert(op.key);
        let wanted = self.wanted.contains_key(&op.key);
        match result {
            Ok(()) => {
                self.unconfirmed.insert(op.key);
                if wanted && self.confirmed.contains(&op.key) {
                    self.counters.repaired += 1;
                } else if !wanted && self.ownership.fate(&op.key) == Fate::Sweep {
                    self.counters.swept += 1;
                }
            }
            // Already gone: its notification is on the way, or the mirror was wrong and the next plan finds out.
            Err(refusal) if matches!(op.kind, OpKind::Delete(_)) && refusal.is_absence() => {
                self.unconfirmed.insert(op.key);
            }
            Err(refusal) => {
                self.trouble(op.key, refusal.to_string(), now, true);
                if refusal.contradicts_mirror() || matches!(op.kind, OpKind::Replace(_)) {
                    self.distrust(now);
                }
            }
        }
    }

    /// Takes the kernel's answer to the write of a nexthop object.
    pub fn finished_nexthop(&mut self, op: &NexthopOp, result: Result<(), Refusal>, now: Now) {
        if let Err(refusal) = &result {
            self.counters.last_error = Some(format!("nexthop object {}: {refusal}", op.id));
        }
        let verdict = self.nexthops.finished(op, result, now);
        self.counters.repaired += u64::from(verdict.repaired);
        if verdict.distrust {
            self.distrust(now);
        }
    }

    /// The foreign state, if it may have changed since the last call; the generation is the caller's.
    pub fn view(&mut self) -> Option<KernelView> {
        if !self.loaded || !std::mem::take(&mut self.view_dirty) {
            return None;
        }
        Some(KernelView {
            generation: 0,
            links: self.host.links.clone(),
            addresses: self.host.addresses.iter().copied().collect(),
            foreign: self.fib.foreign_routes(self.nexthops.mirror()),
        })
    }

    /// The state of synchronisation.
    pub fn status(&self) -> SyncStatus {
        let wanted = &self.wanted;
        let failed = self
            .troubles
            .iter()
            .map(|(key, trouble)| (*key, trouble.reason.clone(), trouble.since));
        // Not by walking over all that is in place: there may be very many, and every publication asks.
        let failing = self
            .troubles
            .keys()
            .filter(|key| self.confirmed.contains(key))
            .count();
        let sets = (self.nexthops.troubles())
            .map(|(set, trouble)| (set.clone(), trouble.reason.clone(), trouble.since));
        SyncStatus {
            wanted: wanted.len(),
            installed: self.confirmed.len() - failing,
            failed: failed.collect(),
            drifted: self.drifted.len(),
            orphans: self.orphans.len(),
            in_sync_with: self.synced,
            nexthop_form: self.form,
            nexthop_objects: self.nexthops.count(),
            failed_nexthops: sets.collect(),
            held_back: self.held_back.len(),
            ..self.counters.clone()
        }
    }
}
