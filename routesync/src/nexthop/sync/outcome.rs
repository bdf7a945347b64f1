//! What may go, what came of a write, and what to tell of it.

use std::{collections::BTreeSet, time::Instant};

use super::{Sync, Verdict};
use crate::{
    clock::Now,
    model::NexthopKey,
    nexthop::object::{KernelNexthop, NexthopOp, NexthopOpKind, Object},
    route::NexthopId,
    trouble::{Refusal, Trouble},
};

impl Sync {
    /// What may be removed now: nothing wanted needs it, and no route refers to it (`in_use` picks those that are referred to).
    /// Groups first, then their hops.
    pub fn removals(
        &mut self,
        sweep: bool,
        in_use: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeSet<NexthopId>,
    ) -> Vec<NexthopOp> {
        if !std::mem::take(&mut self.untidy) {
            return Vec::new();
        }
        let used = self.users.keys().filter_map(|key| self.ids.groups.get(key));
        let mut kept: BTreeSet<_> = used.map(|assigned| assigned.id).collect();
        kept.extend(self.ready.values());
        kept.extend(&self.needed);
        let groups = self.mirror.all().filter_map(|held| match &held.object {
            Object::Group(group) => Some(group),
            Object::Single(_) | Object::Other => None,
        });
        kept.extend(groups.flat_map(|group| &group.members).map(|member| member.id));
        let may_go = |held: &&KernelNexthop| {
            held.is_of(self.protocol)
                && !kept.contains(&held.id)
                && (sweep || self.given.contains(&held.id))
                && !self.waits(held.id)
        };
        let mut going: BTreeSet<_> = self.mirror.all().filter(may_go).map(|held| held.id).collect();
        if going.is_empty() {
            return Vec::new();
        }
        for id in in_use(&going) {
            going.remove(&id);
            self.untidy = true;
        }
        let delete = |id| NexthopOp {
            id,
            protocol: self.protocol,
            kind: NexthopOpKind::Delete,
        };
        going.into_iter().map(delete).collect()
    }

    /// Takes the kernel's answer to a write.
    pub fn finished(&mut self, op: &NexthopOp, result: Result<(), Refusal>, now: Now) -> Verdict {
        self.stale = true;
        let delete = op.kind == NexthopOpKind::Delete;
        match result {
            Err(refusal) if !(delete && refusal.is_absence()) => {
                self.refuse(op.id, refusal.to_string(), now);
                Verdict {
                    distrust: refusal.contradicts_mirror(),
                    repaired: false,
                }
            }
            _ if delete => {
                self.ids.groups.retain(|_, assigned| assigned.id != op.id);
                self.ids.singles.retain(|_, id| *id != op.id);
                self.given.remove(&op.id);
                self.refused.remove(&op.id);
                Verdict::default()
            }
            _ => {
                self.unconfirmed.insert(op.id);
                Verdict {
                    distrust: false,
                    repaired: self.lost.remove(&op.id),
                }
            }
        }
    }

    pub(super) fn refuse(&mut self, id: NexthopId, reason: String, now: Now) {
        let trouble = self.refused.entry(id).or_insert_with(|| Trouble::new(now.wall));
        trouble.failed(reason, Some(now.at));
    }

    pub(super) fn trouble(&mut self, set: &NexthopKey, reason: String, now: Now) {
        let trouble = match self.troubles.get_mut(set) {
            Some(trouble) => trouble,
            None => (self.troubles.entry(set.clone())).or_insert_with(|| Trouble::new(now.wall)),
        };
        trouble.failed(reason, None);
    }

    /// When to plan again, if nothing else happens.
    pub fn next_wake(&self) -> Option<Instant> {
        self.refused.values().filter_map(|trouble| trouble.due).min()
    }

    /// How many objects in the kernel are ours.
    pub fn count(&self) -> usize {
        self.mirror.all().filter(|held| held.is_of(self.protocol)).count()
    }

    /// Used sets that are not exactly in place.
    pub fn troubles(&self) -> impl Iterator<Item = (&NexthopKey, &Trouble)> {
        self.troubles.iter()
    }
}
