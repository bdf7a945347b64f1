//! What came of it: confirmation, failure, the published view and status.

use super::Engine;
use crate::{
    clock::Now,
    diff::{Op, OpKind},
    model::{KernelView, RouteKey, SyncStatus},
    nexthop::object::NexthopOp,
    trouble::{Refusal, Trouble},
};

impl Engine {
    /// The kernel has what is wanted at the key. Whether it had before, with the present wish; where nothing is wanted, whether
    /// something was.
    pub(super) fn settle(&mut self, key: RouteKey, wanted: bool) -> bool {
        self.troubles.remove(&key);
        self.unshown.remove(&key);
        self.drifted.remove(&key);
        self.orphans.remove(&key);
        self.held_back.remove(&key);
        if wanted {
            !self.confirmed.insert(key)
        } else {
            self.ownership.gone(&key)
        }
    }

    /// Notes a failure; `again` asks for another try after a back-off, otherwise an event has to bring it.
    pub(super) fn trouble(&mut self, key: RouteKey, reason: String, now: Now, again: bool) {
        self.counters.last_error = Some(format!("{key}: {reason}"));
        let trouble = self.troubles.entry(key).or_insert_with(|| Trouble::new(now.wall));
        trouble.failed(reason, again.then_some(now.at));
        self.next_due = [self.next_due, trouble.due].into_iter().flatten().min();
    }

    /// Takes the kernel's answer to a write of the last plan; all of them in their order.
    pub fn finished(&mut self, op: Op, result: Result<(), Refusal>, now: Now) {
        let Op { key, kind } = op;
        self.fresh.push(key);
        match (kind, result) {
            (OpKind::Create(route) | OpKind::Replace(route), Ok(())) => {
                self.fib.wrote(key, route);
                let before = self.settle(key, true);
                self.counters.repaired += u64::from(before);
            }
            (OpKind::Delete(_), Ok(())) => self.removed(key, now),
            // Already gone: its notification is on the way, or the mirror was wrong and the next plan finds out.
            (OpKind::Delete(_), Err(refusal)) if refusal.is_absence() => {
                self.dirty.insert(key);
                self.unshown.insert(key);
            }
            (kind, Err(refusal)) => {
                self.dirty.insert(key);
                self.trouble(key, refusal.to_string(), now, true);
                if refusal.contradicts_mirror() || matches!(kind, OpKind::Replace(_)) {
                    self.distrust(now);
                }
            }
        }
    }

    fn removed(&mut self, key: RouteKey, now: Now) {
        let wanted = self.wanted.contains_key(&key);
        if wanted && self.confirmed.contains(&key) {
            self.counters.repaired += 1;
        }
        let last = self.fib.removed(&key);
        if wanted || !last {
            self.dirty.insert(key);
        } else {
            let dropped = self.settle(key, false);
            self.counters.swept += u64::from(!dropped);
        }
        if !last {
            // Which of them went is for the kernel to say.
            self.distrust(now);
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
