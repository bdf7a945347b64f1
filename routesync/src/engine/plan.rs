//! What to write next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;

use super::{Engine, Names};
use crate::{
    clock::Now,
    diff::{self, Op, OpKind, Step},
    model::{DesiredNexthops, DesiredRoute, NexthopForm, NexthopKey, RouteKey, Target},
    nexthop::{self, object::NexthopOp, plan::Votes},
    ownership::Fate,
    route::{self, NexthopId, Unfit, Way},
};

/// Writes that may go out together.
#[derive(Debug)]
pub(crate) enum Batch {
    Nexthops(Vec<NexthopOp>),
    Routes(Vec<Op>),
}

/// What is to be done about a key.
enum Found {
    /// Nothing, or nothing yet.
    Nothing,
    Write(OpKind),
    /// A route of ours is to go, when its turn comes.
    Unwanted,
}

impl Engine {
    /// The next writes, at most `limit` routes. Empty: nothing to do for now.
    pub fn plan(&mut self, now: Now, limit: usize) -> Batch {
        self.fresh.clear();
        if !self.loaded || self.unsure {
            return Batch::Routes(Vec::new());
        }
        let objects = self.plan_nexthops(now);
        if !objects.is_empty() {
            return Batch::Nexthops(objects);
        }
        self.take_due(now);
        self.readmit();
        let mut ops = Vec::new();
        let desired = std::mem::take(&mut self.wanted);
        let host = &self.host;
        let names = self.names.get_or_insert_with(|| Arc::new(host.names())).clone();
        let sets = self.sets.clone();
        let mut room = self.room();
        let mut doomed = Vec::new();
        while ops.len() < limit
            && let Some(key) = self.dirty.pop_first()
        {
            let kind = match self.examine(key, desired.get(&key), &names, &sets, now) {
                Found::Nothing => continue,
                Found::Unwanted => {
                    doomed.push(key);
                    continue;
                }
                Found::Write(kind) => kind,
            };
            if matches!(kind, OpKind::Create(_)) {
                if room == 0 && !self.takes_over(&key, &desired) {
                    self.hold_back(key, now);
                    continue;
                }
                room = room.saturating_sub(1);
            }
            ops.push(Op { key, kind });
        }
        self.wanted = desired;
        super::add(&mut self.doomed, doomed);
        if ops.is_empty() {
            self.plan_removals(&mut ops, limit, now);
        }
        if ops.is_empty() && !self.unsure {
            let fib = &self.fib;
            let leftovers = self.nexthops.removals(self.sweep, |ids| fib.refers(ids));
            if !leftovers.is_empty() {
                return Batch::Nexthops(leftovers);
            }
            self.synced = self.generation;
            self.unshown.clear();
        }
        Batch::Routes(ops)
    }

    /// Looks again at what failed, where its time has come or something has changed. There may be very many of them, and this is
    /// asked with every batch: so the earliest time is known.
    fn take_due(&mut self, now: Now) {
        let all = std::mem::take(&mut self.retry);
        if !all && self.next_due.is_none_or(|at| at > now.at) {
            return;
        }
        let mut due = Vec::new();
        self.next_due = None;
        for (key, trouble) in &mut self.troubles {
            if trouble.due.take_if(|at| all || *at <= now.at).is_some() || all {
                due.push(*key);
            }
            self.next_due = [self.next_due, trouble.due].into_iter().flatten().min();
        }
        self.mark(due);
    }

    /// Nexthop objects that have to be written before any route is.
    fn plan_nexthops(&mut self, now: Now) -> Vec<NexthopOp> {
        if self.form != NexthopForm::Objects {
            return Vec::new();
        }
        let (fib, wanted) = (&self.fib, &self.wanted);
        let votes = |groups: &BTreeSet<NexthopId>| {
            let mut votes: BTreeMap<NexthopId, Votes> = BTreeMap::new();
            for (key, route) in fib.over(groups) {
                let votes = votes.entry(route).or_default();
                votes.all += 1;
                if let Some(Target::Via(set)) = wanted.get(key).map(|route| &route.target) {
                    *votes.by_set.entry(set.clone()).or_default() += 1;
                }
            }
            votes
        };
        let news = self
            .nexthops
            .plan(&self.host, &self.sets.sets, votes, |ids| fib.refers(ids), now);
        if news.arrived {
            self.dirty.extend(self.troubles.keys());
        }
        if !news.moved.is_empty() {
            let moved = |target: &Target| matches!(target, Target::Via(set) if news.moved.contains(set));
            let keys = self.wanted.iter().filter(|(_, route)| moved(&route.target));
            self.mark(keys.map(|(key, _)| *key).collect());
        }
        news.ops
    }

    /// How many routes of ours may still be added.
    fn room(&self) -> usize {
        let limit = self.settings.max_routes.unwrap_or(usize::MAX);
        limit.saturating_sub(self.fib.our_count())
    }

    /// Whether an unwanted route of ours goes as soon as this one is there: a changed metric needs no room.
    fn takes_over(&self, key: &RouteKey, wanted: &BTreeMap<RouteKey, DesiredRoute>) -> bool {
        self.fib.our_twins(key).any(|twin| !wanted.contains_key(twin))
    }

    fn hold_back(&mut self, key: RouteKey, now: Now) {
        let limit = self.settings.max_routes.unwrap_or(usize::MAX);
        let reason = format!("held back: as many routes of ours as are allowed ({limit}) are in the kernel");
        self.trouble(key, reason, now, false);
        self.held_back.insert(key);
    }

    /// Looks again at as many of the routes held back as there is room for now.
    fn readmit(&mut self) {
        for _ in 0..self.room().min(self.held_back.len()) {
            self.dirty.extend(self.held_back.pop_first());
        }
    }

    /// What the name of a set of hops stands for, in a route with that key.
    fn way<'a>(
        &self,
        key: &RouteKey,
        name: &NexthopKey,
        sets: &'a DesiredNexthops,
    ) -> Result<Way<'a>, Unfit> {
        if self.form != NexthopForm::Objects {
            let set = sets.sets.get(name).ok_or_else(|| Unfit::NoSet(name.clone()))?;
            return Ok(Way::Hops(&set.hops));
        }
        if matches!(key.destination, IpNet::V6(_)) {
            let v4 = sets.sets.get(name).and_then(nexthop::plan::v4_gateway);
            v4.map_or(Ok(()), |gateway| Err(Unfit::WrongFamily(gateway)))?;
        }
        let group = self.nexthops.group(name);
        group
            .map(Way::Object)
            .map_err(|reason| Unfit::NotReady(name.clone(), reason))
    }

    /// Decides about one key, all but removals.
    fn examine(
        &mut self,
        key: RouteKey,
        wanted: Option<&DesiredRoute>,
        names: &Names,
        sets: &DesiredNexthops,
        now: Now,
    ) -> Found {
        let way = |name: &'_ NexthopKey| self.way(&key, name, sets);
        let index_of = |name: &str| names.get(name).copied();
        let compiled =
            wanted.map(|wanted| route::compile(&key, wanted, self.settings.protocol, index_of, way));
        let compiled = match compiled.transpose() {
            Ok(compiled) => compiled,
            Err(unfit) => {
                self.trouble(key, unfit.to_string(), now, false);
                return Found::Nothing;
            }
        };
        let (ours, foreign) = (self.fib.ours(&key), self.fib.foreign(&key));
        match diff::step(self.settings.protocol, compiled.as_ref(), ours, foreign) {
            Step::Done => {
                _ = self.settle(key, wanted.is_some());
                Found::Nothing
            }
            Step::Conflict(owner) => {
                let reason = format!(
                    "another program's route (protocol {owner}) has the same destination, table and metric; \
                     it is left alone: remove it, or change its metric"
                );
                self.trouble(key, reason, now, false);
                Found::Nothing
            }
            Step::Write(_) if wanted.is_none() => match self.ownership.fate(&key) {
                Fate::Keep => {
                    _ = self.settle(key, false);
                    self.orphans.insert(key);
                    Found::Nothing
                }
                Fate::Retire | Fate::Sweep => Found::Unwanted,
            },
            Step::Write(kind) if self.admit(key, now) => Found::Write(kind),
            Step::Write(_) => Found::Nothing,
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
        if self.unshown.remove(&key) {
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
