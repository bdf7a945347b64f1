//! The whole of route synchronisation but for the sockets: wish and events go in, writes come out.
//!
//! ```text
//! set_desired ──┐                          ┌──► plan() ──► writes ──► kernel ──► finished()
//! load (dump) ──┼─► keys to look at again ─┤                            │
//! handle (event)┘   (dirty, doomed)        └──► view(), status()        └─ notifications ──► handle()
//! ```
//!
//! Every input marks keys; [`Engine::plan`] compares the marked ones ([`crate::diff`]) and says what to write. A write is taken
//! as done only when the mirror shows it, so the caller hands in all pending notifications between [`Engine::finished`] and the
//! next plan. What fails is tried again with back-off, and at once when a link, an address or a foreign route appears that may
//! have been missing. No clock is read here.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    diff::{self, Op, OpKind, Step},
    fib::{Applied, Fib, RouteChange, RouteEvent},
    host::{Host, LinkEffect},
    model::{Address, DesiredFib, DesiredRoute, KernelView, Link, RouteKey, Settings, SyncStatus},
    ownership::{Fate, Ownership},
    route::{self, KernelRoute},
    trouble::{Refusal, Trouble},
};

/// Events come in bursts (a link going down is several); a dump waits this long for the rest of the burst.
const SETTLE: Duration = Duration::from_millis(3);
/// A link that is removed falls first; its end, when it follows, says more than a dump.
const FALL: Duration = Duration::from_millis(10);
/// The kernel announces a link's fall before it flushes the routes, so one more look a little later.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// The time, given to every call that needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub at: Instant,
    pub wall: SystemTime,
}

/// A notification from the kernel.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Route(RouteEvent),
    Link(Link),
    LinkGone(u32),
    Address {
        address: Address,
        present: bool,
    },
    /// A nexthop object has changed: routes that use it may have changed or gone without a word.
    Nexthop,
    /// The socket lost notifications.
    Lost,
}

/// The kernel's state from one complete dump.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub host: Host,
    pub routes: Vec<(RouteKey, KernelRoute)>,
}

/// See the module.
pub(crate) struct Engine {
    settings: Settings,
    desired: Arc<DesiredFib>,
    generation: u64,
    synced: u64,
    fib: Fib,
    host: Host,
    loaded: bool,
    unsure: bool,
    ownership: Ownership,
    /// Keys to compare again.
    dirty: BTreeSet<RouteKey>,
    /// Keys whose route of ours is to go, once nothing is dirty and their twins are in place.
    doomed: BTreeSet<RouteKey>,
    /// Wanted keys that were seen in place with their present wish: a difference there is somebody else's doing.
    confirmed: HashSet<RouteKey>,
    /// Keys written successfully and not yet seen so in the mirror.
    unconfirmed: HashSet<RouteKey>,
    troubles: BTreeMap<RouteKey, Trouble>,
    drifted: BTreeSet<RouteKey>,
    orphans: BTreeSet<RouteKey>,
    resync_at: Option<Instant>,
    /// When to look at what became of the routes over links that fell: soon, and once more.
    falls: BTreeMap<u32, [Option<Instant>; 2]>,
    not_before: Option<Instant>,
    view_dirty: bool,
    counters: SyncStatus,
}

impl Engine {
    pub fn new(settings: Settings) -> Self {
        Engine {
            settings,
            desired: Arc::default(),
            generation: 0,
            synced: 0,
            fib: Fib::new(settings.protocol),
            host: Host::default(),
            loaded: false,
            unsure: false,
            ownership: Ownership::default(),
            dirty: BTreeSet::new(),
            doomed: BTreeSet::new(),
            confirmed: HashSet::new(),
            unconfirmed: HashSet::new(),
            troubles: BTreeMap::new(),
            drifted: BTreeSet::new(),
            orphans: BTreeSet::new(),
            resync_at: None,
            falls: BTreeMap::new(),
            not_before: None,
            view_dirty: false,
            counters: SyncStatus::default(),
        }
    }

    /// Takes the newest wish; keys must be normalized.
    pub fn set_desired(&mut self, generation: u64, desired: Arc<DesiredFib>) {
        let old = std::mem::replace(&mut self.desired, desired);
        self.generation = generation;
        let Engine {
            ownership,
            dirty,
            confirmed,
            unconfirmed,
            troubles,
            drifted,
            ..
        } = self;
        ownership.step(&old.routes, &self.desired.routes, self.desired.sweep, |key| {
            confirmed.remove(key);
            unconfirmed.remove(key);
            troubles.remove(key);
            drifted.remove(key);
            dirty.insert(*key);
        });
        if old.sweep != self.desired.sweep {
            self.dirty.extend(self.fib.our_keys());
        }
    }

    /// Takes a complete dump in place of all that was believed. `cost` is how long it took: the next one keeps a distance.
    pub fn load(&mut self, snapshot: Snapshot, now: Now, cost: Duration) {
        let old = std::mem::replace(&mut self.fib, Fib::new(self.settings.protocol));
        for (key, route) in snapshot.routes {
            self.fib.insert(key, route);
        }
        self.host = snapshot.host;
        self.dirty.extend(old.our_keys());
        self.dirty.extend(self.fib.our_keys());
        self.dirty.extend(self.desired.routes.keys());
        for trouble in self.troubles.values_mut() {
            trouble.retry(now.at);
        }
        (self.loaded, self.unsure, self.view_dirty) = (true, false, true);
        self.not_before = Some(now.at + (cost * 4).max(SETTLE));
        self.resync_at = (!self.settings.audit.is_zero()).then(|| now.at + self.settings.audit);
        self.counters.resyncs += 1;
    }

    /// Takes one notification.
    pub fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Route(event) => self.handle_route(&event, now),
            Event::Link(link) => {
                let index = link.index;
                let effect = self.host.set_link(link);
                self.handle_link(index, effect, now);
            }
            Event::LinkGone(index) => {
                let effect = self.host.remove_link(index);
                self.handle_link(index, effect, now);
            }
            Event::Address { address, present } => {
                if self.host.set_address(address, present) {
                    self.view_dirty = true;
                    self.retry_all(now);
                    if !present && self.fib.prefers(address.net.addr()) {
                        // Routes that prefer this source address go with it, without a notification on older kernels.
                        self.request_resync(now);
                    }
                }
            }
            Event::Nexthop => self.request_resync(now),
            Event::Lost => self.distrust(now),
        }
    }

    fn handle_route(&mut self, event: &RouteEvent, now: Now) {
        match self.fib.apply(event) {
            Applied::Nothing => return,
            Applied::Changed => {}
            Applied::Unsure => self.distrust(now),
        }
        self.dirty.insert(event.key);
        if event.route.protocol != self.settings.protocol {
            self.view_dirty = true;
            if event.change != RouteChange::Removed {
                self.retry_all(now);
            }
        }
    }

    fn handle_link(&mut self, index: u32, effect: LinkEffect, now: Now) {
        if effect == LinkEffect::None {
            return;
        }
        self.view_dirty = true;
        match effect {
            LinkEffect::None | LinkEffect::Noted => {}
            LinkEffect::Usable => {
                self.retry_all(now);
                let link = self.host.links.get(&index);
                if link.is_some_and(|link| link.up && link.carrier) {
                    self.dirty.extend(self.fib.link_alive(index));
                }
            }
            LinkEffect::Flushed => self.fell(index, now),
            LinkEffect::Gone => match self.fib.link_gone(index) {
                Some(keys) => {
                    self.falls.remove(&index);
                    self.dirty.extend(keys);
                }
                None => self.fell(index, now),
            },
        }
    }

    fn fell(&mut self, index: u32, now: Now) {
        let looks = [FALL, SECOND_LOOK].map(|pause| Some(now.at + pause));
        self.falls.insert(index, looks);
    }

    /// Asks for a dump soon.
    pub fn request_resync(&mut self, now: Now) {
        let at = self.not_before.unwrap_or(now.at).max(now.at + SETTLE);
        self.resync_at = Some(self.resync_at.map_or(at, |planned| planned.min(at)));
    }

    /// The mirror is wrong somewhere: nothing is written until the next dump.
    fn distrust(&mut self, now: Now) {
        self.unsure = true;
        self.request_resync(now);
    }

    /// What failed may succeed now.
    fn retry_all(&mut self, now: Now) {
        for (key, trouble) in &mut self.troubles {
            trouble.retry(now.at);
            self.dirty.insert(*key);
        }
    }

    /// Whether a dump is due.
    pub fn resync_due(&mut self, now: Now) -> bool {
        let looks = self.falls.values_mut().flatten();
        let due = looks.filter_map(|at| at.take_if(|at| *at <= now.at)).count();
        self.falls.retain(|_, looks| looks.iter().any(Option::is_some));
        if due > 0 {
            self.request_resync(now);
        }
        !self.loaded || self.resync_at.is_some_and(|at| at <= now.at)
    }

    /// When to call again, if nothing else happens.
    pub fn next_wake(&self) -> Option<Instant> {
        // While nothing may be written there is nothing to retry.
        let writable = self.loaded && !self.unsure;
        let retries = self
            .troubles
            .values()
            .filter_map(|trouble| trouble.due.filter(|_| writable));
        let looks = self.falls.values().flatten().flatten().copied();
        retries.chain(self.resync_at).chain(looks).min()
    }

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
        let (host, desired) = (std::mem::take(&mut self.host), self.desired.clone());
        let indexes = host.indexes();
        while ops.len() < limit
            && let Some(key) = self.dirty.pop_first()
        {
            let wanted = desired.routes.get(&key);
            ops.extend(
                self.examine(key, wanted, &indexes, now)
                    .map(|kind| Op { key, kind }),
            );
        }
        drop(indexes);
        self.host = host;
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
        let compiled = wanted.map(|wanted| {
            route::compile(&key, wanted, self.settings.protocol, |name| {
                indexes.get(name).copied()
            })
        });
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
            if self.desired.routes.contains_key(&key) || self.fib.ours(&key).is_empty() {
                continue;
            }
            let waits = diff::twins(&self.desired.routes, &key)
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

    /// The kernel has what is wanted at the key.
    fn settle(&mut self, key: RouteKey, wanted: bool) {
        self.troubles.remove(&key);
        self.unconfirmed.remove(&key);
        self.drifted.remove(&key);
        self.orphans.remove(&key);
        if wanted {
            self.confirmed.insert(key);
        } else {
            self.confirmed.remove(&key);
            self.ownership.gone(&key);
        }
    }

    /// Notes a failure; `again` asks for another try after a back-off, otherwise an event has to bring it.
    fn trouble(&mut self, key: RouteKey, reason: String, now: Now, again: bool) {
        self.counters.last_error = Some(format!("{key}: {reason}"));
        let trouble = self.troubles.entry(key).or_insert_with(|| Trouble::new(now.wall));
        trouble.failed(reason, again.then_some(now.at));
    }

    /// Takes the kernel's answer to a write.
    pub fn finished(&mut self, op: &Op, result: Result<(), Refusal>, now: Now) {
        self.dirty.insert(op.key);
        let wanted = self.desired.routes.contains_key(&op.key);
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

    /// The foreign state, if it may have changed since the last call; the generation is the caller's.
    pub fn view(&mut self) -> Option<KernelView> {
        if !self.loaded || !std::mem::take(&mut self.view_dirty) {
            return None;
        }
        Some(KernelView {
            generation: 0,
            links: self.host.links.clone(),
            addresses: self.host.addresses.iter().copied().collect(),
            foreign: self.fib.foreign_routes(),
        })
    }

    /// The state of synchronisation.
    pub fn status(&self) -> SyncStatus {
        let wanted = &self.desired.routes;
        let failed = self
            .troubles
            .iter()
            .map(|(key, trouble)| (*key, trouble.reason.clone(), trouble.since));
        SyncStatus {
            wanted: wanted.len(),
            installed: self
                .confirmed
                .iter()
                .filter(|key| !self.troubles.contains_key(key))
                .count(),
            failed: failed.collect(),
            drifted: self.drifted.len(),
            orphans: self.orphans.len(),
            in_sync_with: self.synced,
            ..self.counters.clone()
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
