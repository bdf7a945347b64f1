//! What to write next.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Now};
use crate::{
    diff::{self, Op, OpKind, Step},
    model::{DesiredRoute, NexthopKey, RouteKey},
    ownership::Fate,
    route::{self, Unfit, Way},
};

impl Engine {
    /// The next writes, at most `limit`. Empty: nothing to do for now.
    pub fn plan(&mut self, now: Now, limit: usize) -> Vec<Op> {
        let mut ops = Vec::new();
        if !self.loaded || self.unsure {
            return ops;
        }
        let due = self
            .troubles
            .iter()
            .filter(|(_, trouble)| trouble.due.is_some_and(|at| at <= now.at));
        self.dirty.extend(due.map(|(key, _)| *key));
        let (host, desired) = (std::mem::take(&mut self.host), std::mem::take(&mut self.wanted));
        let indexes = host.indexes();
        while ops.len() < limit
            && let Some(key) = self.dirty.pop_first()
        {
            let wanted = desired.get(&key);
            ops.extend(
                self.examine(key, wanted, &indexes, now)
                    .map(|kind| Op { key, kind }),
            );
        }
        drop(indexes);
        (self.host, self.wanted) = (host, desired);
        if ops.is_empty() {
            self.plan_removals(&mut ops, limit, now);
        }
        if ops.is_empty() && !self.unsure {
            self.synced = self.generation;
        }
        ops
    }

    /// Decides about one key, all but removals.
    fn examine(
        &mut self,
        key: RouteKey,
        wanted: Option<&DesiredRoute>,
        indexes: &BTreeMap<&str, u32>,
        now: Now,
    ) -> Option<OpKind> {
        let sets = self.nexthops.clone();
        let way = |set: &NexthopKey| {
            let known = sets.sets.get(set).ok_or_else(|| Unfit::NoSet(set.clone()))?;
            Ok(Way::Hops(&known.hops))
        };
        let index_of = |name: &str| indexes.get(name).copied();
        let compiled =
            wanted.map(|wanted| route::compile(&key, wanted, self.settings.protocol, index_of, way));
        let compiled = match compiled.transpose() {
            Ok(compiled) => compiled,
            Err(unfit) => {
                self.trouble(key, unfit.to_string(), now, false);
                return None;
            }
        };
        let (ours, foreign) = (self.fib.ours(&key), self.fib.foreign(&key));
        match diff::step(self.settings.protocol, compiled.as_ref(), ours, foreign) {
            Step::Done => {
                self.settle(key, wanted.is_some());
                None
            }
            Step::Conflict(owner) => {
                let reason = format!(
                    "another program's route (protocol {owner}) has the same destination, table and metric; \
                     it is left alone: remove it, or change its metric"
                );
                self.trouble(key, reason, now, false);
                None
            }
            Step::Write(_) if wanted.is_none() => {
                match self.ownership.fate(&key) {
                    Fate::Keep => {
                        self.settle(key, false);
                        self.orphans.insert(key);
                    }
                    Fate::Retire | Fate::Sweep => {
                        self.doomed.insert(key);
                    }
                }
                None
            }
            Step::Write(kind) => self.admit(key, now).then_some(kind),
        }
    }

    /// Whether the key may be written now: not while repair is off, it backs off, or the last write had no visible effect.
    fn admit(&mut self, key: RouteKey, now: Now) -> bool {
        if !self.settings.repair && self.confirmed.contains(&key) {
            self.drifted.insert(key);
            self.trouble(
                key,
                "changed or removed by something else, and repair is off".into(),
                now,
                false,
            );
            return false;
        }
        if self
            .troubles
            .get(&key)
            .is_some_and(|trouble| trouble.due.is_some_and(|at| at > now.at))
        {
            return false;
        }
        if self.unconfirmed.remove(&key) {
            self.trouble(
                key,
                "the kernel accepted it but does not show it".into(),
                now,
                true,
            );
            self.distrust(now);
            return false;
        }
        true
    }

    /// Removals: last, and only where every wanted route to the same destination is in place or cannot be.
    fn plan_removals(&mut self, ops: &mut Vec<Op>, limit: usize, now: Now) {
        let mut held = BTreeSet::new();
        while ops.len() < limit
            && let Some(key) = self.doomed.pop_first()
        {
            if self.wanted.contains_key(&key) || self.fib.ours(&key).is_empty() {
                continue;
            }
            let waits = diff::twins(&self.wanted, &key)
                .any(|twin| !self.confirmed.contains(twin) && self.fib.foreign(twin).is_empty());
            let backs_off = self
                .troubles
                .get(&key)
                .is_some_and(|t| t.due.is_some_and(|at| at > now.at));
            if waits {
                // It is looked at again with every plan; no time needs to come for that.
                self.troubles.remove(&key);
                held.insert(key);
            } else if backs_off || !self.admit(key, now) {
                held.insert(key);
            } else {
                ops.push(Op {
                    key,
                    kind: OpKind::Delete(self.settings.protocol),
                });
            }
        }
        self.doomed.append(&mut held);
    }
}
