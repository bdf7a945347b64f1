//! The wish for nexthop objects against the mirror of them: what to write, in which order, and what came of it.
//!
//! Single objects come first, then groups of those that the kernel has taken, then (by the engine) the routes; what nothing
//! refers to any more goes in the reverse order; only a hop that its groups are to lose goes first (`shrink.rs`). A hop that the kernel refuses is left out of its group and tried again.
//! Objects that an earlier run left are removed only when told to sweep, and never while a route refers to them.

mod outcome;
mod shrink;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    mirror::Mirror,
    object::{Group, KernelNexthop, Member, NexthopEvent, NexthopOp, NexthopOpKind, Object, Single},
    plan::{self, Assigned, Compiled, Ids, Votes},
};
use crate::{
    clock::Now,
    host::Host,
    model::{NexthopKey, NexthopSet, Protocol},
    route::NexthopId,
    trouble::Trouble,
};

/// The sets of hops that are published.
pub(crate) type Sets = BTreeMap<NexthopKey, NexthopSet>;

/// How many wanted routes of each family use a set.
#[derive(Debug, Default, Clone, Copy)]
struct Users {
    v4: usize,
    v6: usize,
}

/// What a plan says.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Writes, to be carried out before any route is.
    pub ops: Vec<NexthopOp>,
    /// A set that could not be used now can.
    pub arrived: bool,
    /// Sets whose group has another number now.
    pub moved: BTreeSet<NexthopKey>,
}

/// What an answer of the kernel means beyond the object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The mirror is wrong somewhere.
    pub distrust: bool,
    /// Something that others had changed or removed is as it was.
    pub repaired: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    protocol: Protocol,
    mirror: Mirror,
    users: BTreeMap<NexthopKey, Users>,
    ids: Ids,
    /// The group of each used set that is in the kernel.
    ready: BTreeMap<NexthopKey, NexthopId>,
    /// Used sets that are not exactly in place.
    troubles: BTreeMap<NexthopKey, Trouble>,
    /// Objects that the kernel refused.
    refused: BTreeMap<NexthopId, Trouble>,
    /// Numbers given in this run: what is no longer used of them needs no sweep to go.
    given: BTreeSet<NexthopId>,
    /// Single objects that used sets need now.
    needed: BTreeSet<NexthopId>,
    /// Written successfully and not yet seen so in the mirror.
    unconfirmed: BTreeSet<NexthopId>,
    /// Changed or removed by others.
    lost: BTreeSet<NexthopId>,
    /// Something has changed since the last plan.
    stale: bool,
    /// There may be something to remove.
    untidy: bool,
}

impl Sync {
    pub fn new(protocol: Protocol) -> Self {
        Sync {
            protocol,
            ..Sync::default()
        }
    }

    /// Takes a complete dump in place of all that was believed.
    pub fn load(&mut self, objects: Vec<KernelNexthop>, now: Now) {
        self.mirror = objects.into_iter().collect();
        self.retry(now);
        (self.stale, self.untidy) = (true, true);
    }

    /// The mirror of all objects.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// What the kernel refused it may take now.
    pub fn retry(&mut self, now: Now) {
        self.refused
            .values_mut()
            .for_each(|trouble| trouble.retry(now.at));
    }

    /// Links or the published sets have changed.
    pub fn review(&mut self) {
        self.stale = true;
    }

    /// A wanted route of that family uses the set from now on.
    pub fn used(&mut self, set: &NexthopKey, v6: bool) {
        let known = match self.users.get_mut(set) {
            Some(users) => users,
            None => self.users.entry(set.clone()).or_default(),
        };
        let count = if v6 { &mut known.v6 } else { &mut known.v4 };
        *count += 1;
        self.stale |= *count == 1;
    }

    /// A wanted route of that family no longer uses the set.
    pub fn unused(&mut self, set: &NexthopKey, v6: bool) {
        let Some(users) = self.users.get_mut(set) else {
            return;
        };
        let count = if v6 { &mut users.v6 } else { &mut users.v4 };
        *count = count.saturating_sub(1);
        if users.v4 + users.v6 == 0 {
            self.users.remove(set);
            self.troubles.remove(set);
            self.ready.remove(set);
            self.stale = true;
        }
    }

    /// There may be something to remove.
    pub fn untidy(&mut self) {
        self.untidy = true;
    }

    /// Takes one notification. The ids that are gone: so are the routes on them.
    pub fn handle(&mut self, event: &NexthopEvent) -> Vec<NexthopId> {
        let gone = self.mirror.apply(event);
        if !event.own {
            let touched = gone.iter().chain([&event.id]);
            self.lost.extend(touched.filter(|id| self.given.contains(id)));
        }
        self.note(&gone);
        gone
    }

    /// A link fell or is gone. The ids that are gone with it.
    pub fn flush(&mut self, index: u32) -> Vec<NexthopId> {
        let gone = self.mirror.flush(index);
        self.note(&gone);
        gone
    }

    fn note(&mut self, gone: &[NexthopId]) {
        self.unconfirmed.retain(|id| !gone.contains(id));
        (self.stale, self.untidy) = (true, true);
    }

    /// The group of a set, if the kernel has it; else why not.
    pub fn group(&self, set: &NexthopKey) -> Result<NexthopId, String> {
        self.ready.get(set).copied().ok_or_else(|| {
            let trouble = self.troubles.get(set);
            trouble.map_or_else(|| "not in the kernel yet".into(), |t| t.reason.clone())
        })
    }

    /// What to write before routes are. `votes` says how the kernel's routes use the groups with these numbers, `in_use` which of
    /// the objects a route refers to.
    pub fn plan(
        &mut self,
        host: &Host,
        sets: &Sets,
        votes: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeMap<NexthopId, Votes>,
        in_use: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeSet<NexthopId>,
        now: Now,
    ) -> News {
        for trouble in self.refused.values_mut() {
            // Without a time it may be tried at any time.
            self.stale |= trouble.due.take_if(|at| *at <= now.at).is_some();
        }
        if !std::mem::take(&mut self.stale) {
            return News::default();
        }
        let compiled = self.compile(host, sets, votes, now);
        let mut ops = self.singles(&compiled, now);
        if ops.is_empty() {
            ops = self.groups(&compiled, in_use, now);
        }
        self.given.extend(ops.iter().map(|op| op.id));
        self.untidy = true;
        self.readiness(ops)
    }

    /// Every used set in the kernel's terms, each with a number for its group.
    fn compile(
        &mut self,
        host: &Host,
        sets: &Sets,
        votes: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeMap<NexthopId, Votes>,
        now: Now,
    ) -> BTreeMap<NexthopKey, Compiled> {
        let indexes = host.indexes();
        let (mut all, mut nameless) = (BTreeMap::new(), BTreeMap::new());
        let mut unknown = Vec::new();
        for (key, users) in &self.users {
            let Some(set) = sets.get(key) else {
                unknown.push(key.clone());
                continue;
            };
            let mut assigned = self.ids.groups.get_mut(key);
            if let Some(assigned) = &mut assigned {
                assigned.v6 |= users.v6 > 0;
            }
            let assigned = assigned.map(|assigned| *assigned);
            let v6 = assigned.map_or(users.v6 > 0, |assigned| assigned.v6);
            let compiled = plan::compile(set, v6, host, &indexes);
            let buckets = compiled.resilient.map(|buckets| buckets.number);
            let held = assigned.map(|assigned| self.mirror.get(assigned.id));
            let fits = assigned.is_some_and(|assigned| assigned.buckets == buckets)
                && held
                    .flatten()
                    .is_none_or(|held| held.is_of(self.protocol) && matches!(held.object, Object::Group(_)));
            if !fits && !compiled.hops.is_empty() {
                let other = plan::compile(set, !v6, host, &indexes);
                nameless.insert(key.clone(), vec![compiled.clone(), other]);
            }
            all.insert(key.clone(), compiled);
        }
        for key in unknown {
            self.trouble(&key, "it is not published (yet)".into(), now);
        }
        if !nameless.is_empty() {
            self.name(&nameless, votes);
        }
        all
    }

    /// Gives numbers to groups: those of equal groups that are there, or new ones.
    fn name(
        &mut self,
        nameless: &BTreeMap<NexthopKey, Vec<Compiled>>,
        votes: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeMap<NexthopId, Votes>,
    ) {
        let nobodys = |held: &&KernelNexthop| held.is_of(self.protocol) && !self.given.contains(&held.id);
        let candidates = self.mirror.all().filter(nobodys);
        let candidates: BTreeMap<_, _> = candidates
            .filter_map(|held| Some((held.id, self.content(held)?)))
            .collect();
        let mut claims = BTreeMap::new();
        if !candidates.is_empty() {
            let votes = votes(&candidates.keys().copied().collect());
            claims = plan::claims(nameless, &candidates, &votes);
        }
        for (key, forms) in nameless {
            let v6 = self.users.get(key).is_some_and(|users| users.v6 > 0);
            let (id, form) = match claims.get(key) {
                Some(claim) => *claim,
                None => (self.ids.fresh(&self.mirror), 0),
            };
            self.given.insert(id);
            let assigned = Assigned {
                id,
                v6: v6 || form == 1,
                buckets: forms
                    .first()
                    .and_then(|form| form.resilient)
                    .map(|buckets| buckets.number),
            };
            self.ids.groups.insert(key.clone(), assigned);
        }
    }

    /// The hops of a group in the kernel.
    fn content(&self, held: &KernelNexthop) -> Option<Compiled> {
        let Object::Group(group) = &held.object else {
            return None;
        };
        let hop = |member: &Member| match &self.mirror.get(member.id)?.object {
            Object::Single(single) => Some((*single, member.weight)),
            Object::Group(_) | Object::Other => None,
        };
        Some(Compiled {
            hops: group.members.iter().map(hop).collect::<Option<_>>()?,
            resilient: group.resilient,
            left_out: Vec::new(),
        })
    }

    fn singles(&mut self, compiled: &BTreeMap<NexthopKey, Compiled>, now: Now) -> Vec<NexthopOp> {
        let used: BTreeSet<Single> = compiled
            .values()
            .flat_map(|set| set.hops.keys())
            .copied()
            .collect();
        let mut ops = Vec::new();
        self.needed.clear();
        for single in used {
            let id = self.ids.single(single, self.protocol, &self.mirror);
            self.needed.insert(id);
            self.given.insert(id);
            ops.extend(self.write(id, Object::Single(single), now));
        }
        let groups: BTreeSet<_> = self.ids.groups.values().map(|group| group.id).collect();
        self.refused.retain(|id, _| {
            self.needed.contains(id) || groups.contains(id) || self.mirror.get(*id).is_some()
        });
        ops
    }

    /// The members of a set's group that the kernel has, and why it has not the others.
    fn members(&self, set: &Compiled) -> (Vec<Member>, Vec<String>) {
        let (mut members, mut wrong) = (Vec::new(), set.left_out.clone());
        for (single, weight) in &set.hops {
            let Some(id) = self.ids.singles.get(single).copied() else {
                continue;
            };
            match self.mirror.get(id) {
                Some(held) if held.object == Object::Single(*single) => {
                    members.push(Member { id, weight: *weight });
                }
                _ => wrong.extend(self.refused.get(&id).map(|trouble| trouble.reason.clone())),
            }
        }
        members.sort_unstable();
        (members, wrong)
    }

    fn groups(
        &mut self,
        compiled: &BTreeMap<NexthopKey, Compiled>,
        in_use: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeSet<NexthopId>,
        now: Now,
    ) -> Vec<NexthopOp> {
        let mut wanted = BTreeMap::new();
        for (key, set) in compiled {
            let (members, _) = self.members(set);
            if let Some(assigned) = self.ids.groups.get(key)
                && !members.is_empty()
            {
                let resilient = set.resilient;
                wanted.insert(assigned.id, Group { members, resilient });
            }
        }
        let going = self.departures(&wanted, in_use);
        let depart = |id: &NexthopId| NexthopOp {
            id: *id,
            protocol: self.protocol,
            kind: NexthopOpKind::Delete,
        };
        let mut ops: Vec<_> = going.iter().map(depart).collect();
        for (key, set) in compiled {
            let (_, mut wrong) = self.members(set);
            let id = self.ids.groups.get(key).map(|assigned| assigned.id);
            if let Some(id) = id
                && let Some(group) = wanted.remove(&id)
            {
                if !self.shrinks(id, &group, &going) {
                    ops.extend(self.write(id, Object::Group(group), now));
                }
                wrong.extend(self.refused.get(&id).map(|trouble| trouble.reason.clone()));
            }
            if wrong.is_empty() {
                self.troubles.remove(key);
            } else {
                self.trouble(key, wrong.join("; "), now);
            }
        }
        ops
    }

    /// The write that makes the object so, if one is needed and may be tried.
    fn write(&mut self, id: NexthopId, object: Object, now: Now) -> Option<NexthopOp> {
        let kind = match self.mirror.get(id) {
            Some(held) if held.object == object => {
                self.refused.remove(&id);
                self.unconfirmed.remove(&id);
                self.lost.remove(&id);
                return None;
            }
            Some(_) => NexthopOpKind::Replace(object),
            None => NexthopOpKind::Create(object),
        };
        if self.waits(id) {
            return None;
        }
        if self.unconfirmed.remove(&id) {
            self.refuse(id, "the kernel accepted it but does not show it".into(), now);
            return None;
        }
        Some(NexthopOp {
            id,
            protocol: self.protocol,
            kind,
        })
    }

    /// Whether a refused write waits for its time.
    fn waits(&self, id: NexthopId) -> bool {
        self.refused.get(&id).is_some_and(|trouble| trouble.due.is_some())
    }

    fn readiness(&mut self, ops: Vec<NexthopOp>) -> News {
        let mut news = News {
            ops,
            ..News::default()
        };
        for key in self.users.keys() {
            let group = self.ids.groups.get(key).map(|assigned| assigned.id);
            let held = group.filter(|id| self.mirror.get(*id).is_some_and(|held| held.is_of(self.protocol)));
            match (self.ready.get(key).copied(), held) {
                (None, Some(id)) => {
                    self.ready.insert(key.clone(), id);
                    news.arrived = true;
                }
                (Some(old), Some(new)) if old != new => {
                    self.ready.insert(key.clone(), new);
                    news.moved.insert(key.clone());
                }
                // A new number whose group is still to be written leaves the old group in use.
                (Some(old), None) if self.mirror.get(old).is_some_and(|held| held.is_of(self.protocol)) => {}
                (Some(_), None) => drop(self.ready.remove(key)),
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
        news
    }
}
