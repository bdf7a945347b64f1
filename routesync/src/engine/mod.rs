//! The whole of route synchronisation but for the sockets: wish and events go in, writes come out.
//!
//! ```text
//! set_desired ──┐                          ┌──► plan() ──► writes ──► kernel ──► answers ──► finished()
//! load (dump) ──┼─► keys to look at again ─┤
//! handle (event)┘   (dirty, doomed)        └──► view(), status()
//! ```
//!
//! `events.rs` takes what the kernel tells, `plan.rs` decides what to write, `outcome.rs` takes the answers and reports; here is what goes in.
//!
//! Every input marks keys; [`Engine::plan`] compares the marked ones ([`crate::diff`]) and says what to write. A write is done
//! when the kernel says so. What others did meanwhile is notified before that answer, so the caller hands in all pending
//! notifications between [`Engine::finished`] and the next plan; where they meet a key that was just written, the order is not
//! known, and a dump tells. The next dump also shows whether the kernel did as it said. What fails is tried again with back-off, and at once when a link, an address or a foreign route appears that may
//! have been missing. No clock is read here.

mod events;
mod outcome;
mod plan;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    clock::Now,
    fib::{Fib, RouteEvent},
    host::Host,
    inbox::Changes,
    model::{
        Address, DesiredFib, DesiredNexthops, DesiredRoute, Link, NexthopForm, NexthopKey, NexthopMode,
        RouteKey, Settings, SyncStatus, Target,
    },
    nexthop::{
        object::{KernelNexthop, NexthopEvent},
        sync::Sync,
    },
    ownership::Ownership,
    route::KernelRoute,
    trouble::Trouble,
};

pub(crate) use plan::Batch;

type Names = FxHashMap<Arc<str>, u32>;

/// Events come in bursts (a link going down is several); a dump waits this long for the rest of the burst.
const SETTLE: Duration = Duration::from_millis(3);
/// A link that is removed falls first; its end, when it follows, says more than a dump.
const FALL: Duration = Duration::from_millis(10);
/// The kernel announces a link's fall before it flushes the routes, so one more look a little later.
const SECOND_LOOK: Duration = Duration::from_millis(200);

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
    /// A nexthop object has changed or gone, and routes that use it with it, without a word.
    Nexthop(NexthopEvent),
    /// The socket lost notifications.
    Lost,
}

/// The kernel's state from one complete dump.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub host: Host,
    /// `None`: this kernel has no nexthop objects.
    pub nexthops: Option<Vec<KernelNexthop>>,
    pub routes: Vec<(RouteKey, KernelRoute)>,
}

/// See the module.
pub(crate) struct Engine {
    settings: Settings,
    /// Every wanted route.
    wanted: BTreeMap<RouteKey, DesiredRoute>,
    /// The sets of hops that routes refer to.
    sets: Arc<DesiredNexthops>,
    nexthops: Sync,
    form: NexthopForm,
    sweep: bool,
    generation: u64,
    synced: u64,
    fib: Fib,
    host: Host,
    /// The interfaces' numbers by name, while `host` stays as it is.
    names: Option<Arc<Names>>,
    loaded: bool,
    unsure: bool,
    ownership: Ownership,
    /// Keys to compare again.
    dirty: BTreeSet<RouteKey>,
    /// Keys whose route of ours is to go, once nothing is dirty and their twins are in place.
    doomed: BTreeSet<RouteKey>,
    /// Wanted keys that were seen in place with their present wish: a difference there is somebody else's doing.
    confirmed: FxHashSet<RouteKey>,
    /// Keys that the last plan wrote, in order: what others did to them meanwhile came before or after.
    fresh: Vec<RouteKey>,
    /// Keys that were written and that the last dump did not show so.
    unshown: FxHashSet<RouteKey>,
    troubles: BTreeMap<RouteKey, Trouble>,
    /// No trouble is due earlier.
    next_due: Option<Instant>,
    /// Something has changed that may let succeed what failed.
    retry: bool,
    drifted: BTreeSet<RouteKey>,
    orphans: BTreeSet<RouteKey>,
    /// Wanted keys for which there is no room ([`Settings::max_routes`]).
    held_back: BTreeSet<RouteKey>,
    resync_at: Option<Instant>,
    /// When to look at what became of the routes over links that fell: soon, and once more.
    falls: BTreeMap<u32, [Option<Instant>; 2]>,
    /// Links that have come back.
    back: BTreeSet<u32>,
    not_before: Option<Instant>,
    view_dirty: bool,
    counters: SyncStatus,
}

impl Engine {
    pub fn new(settings: Settings) -> Self {
        Engine {
            settings,
            wanted: BTreeMap::new(),
            sets: Arc::default(),
            nexthops: Sync::new(settings.protocol),
            form: NexthopForm::Unknown,
            sweep: false,
            generation: 0,
            synced: 0,
            fib: Fib::new(settings.protocol),
            host: Host::default(),
            names: None,
            loaded: false,
            unsure: false,
            ownership: Ownership::default(),
            dirty: BTreeSet::new(),
            doomed: BTreeSet::new(),
            confirmed: FxHashSet::default(),
            fresh: Vec::new(),
            unshown: FxHashSet::default(),
            troubles: BTreeMap::new(),
            next_due: None,
            retry: false,
            drifted: BTreeSet::new(),
            orphans: BTreeSet::new(),
            held_back: BTreeSet::new(),
            resync_at: None,
            falls: BTreeMap::new(),
            back: BTreeSet::new(),
            not_before: None,
            view_dirty: false,
            counters: SyncStatus::default(),
        }
    }

    /// Takes a complete wish; keys must be normalized.
    pub fn set_desired(&mut self, desired: DesiredFib) {
        let (old, new) = (std::mem::take(&mut self.wanted), desired.routes);
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        // What is used anew is noted first: a set that stays in use never seems unused.
        let mut before = old.iter().peekable();
        for (key, route) in &new {
            while let Some(dropped) = before.next_if(|(old, _)| *old < key) {
                gone.push(dropped);
            }
            let before = before.next_if(|(old, _)| *old == key).map(|(_, route)| route);
            if before != Some(route) {
                self.ownership.wanted(key);
                self.note_use(key, before, Some(route));
                if before.is_some() {
                    self.confirmed.remove(key);
                }
                changed.push(*key);
            }
        }
        gone.extend(before);
        for (key, route) in gone {
            self.ownership.dropped(*key);
            self.note_use(key, Some(route), None);
            self.confirmed.remove(key);
            changed.push(*key);
        }
        self.confirmed.reserve(changed.len());
        changed.iter().for_each(|key| self.forget(key));
        self.mark(changed);
        self.wanted = new;
        self.set_sweep(desired.sweep);
    }

    /// Takes changes to the wish; keys must be normalized.
    pub fn update(&mut self, changes: Changes, sweep: bool) {
        let mut changed = Vec::with_capacity(changes.len());
        for (key, route) in changes {
            if self.wanted.get(&key) == route.as_ref() {
                continue;
            }
            let before = match &route {
                Some(route) => {
                    self.ownership.wanted(&key);
                    self.wanted.insert(key, route.clone())
                }
                None => {
                    self.ownership.dropped(key);
                    self.wanted.remove(&key)
                }
            };
            self.note_use(&key, before.as_ref(), route.as_ref());
            self.confirmed.remove(&key);
            self.forget(&key);
            changed.push(key);
        }
        self.mark(changed);
        self.set_sweep(sweep);
    }

    /// Counts which sets the wanted routes use.
    fn note_use(&mut self, key: &RouteKey, before: Option<&DesiredRoute>, now: Option<&DesiredRoute>) {
        fn set(route: Option<&DesiredRoute>) -> Option<&NexthopKey> {
            match &route?.target {
                Target::Via(set) => Some(set),
                Target::Forward(_) | Target::Blackhole => None,
            }
        }
        let v6 = matches!(key.destination, IpNet::V6(_));
        if set(now) == set(before) {
            return;
        }
        if let Some(set) = set(now) {
            self.nexthops.used(set, v6);
        }
        if let Some(set) = set(before) {
            self.nexthops.unused(set, v6);
        }
    }

    /// The wish at the key is a new one: what went wrong with the old one does not matter.
    fn forget(&mut self, key: &RouteKey) {
        self.unshown.remove(key);
        self.troubles.remove(key);
        self.drifted.remove(key);
        self.held_back.remove(key);
    }

    /// These keys are to be looked at.
    fn mark(&mut self, keys: Vec<RouteKey>) {
        add(&mut self.dirty, keys);
    }

    fn set_sweep(&mut self, sweep: bool) {
        self.ownership.allow_sweep(sweep);
        if std::mem::replace(&mut self.sweep, sweep) != sweep {
            self.mark(self.fib.our_keys().copied().collect());
            self.nexthops.untidy();
        }
    }

    /// Takes a complete wish for sets of hops.
    pub fn set_nexthops(&mut self, desired: Arc<DesiredNexthops>, now: Now) {
        let old = std::mem::replace(&mut self.sets, desired);
        self.nexthops.retry(now);
        self.nexthops.review();
        // A route that failed may go over the set as it is now.
        self.dirty.extend(self.troubles.keys());
        if self.form == NexthopForm::Objects {
            return;
        }
        let sets = &self.sets.sets;
        let moved = |target: &Target| match target {
            Target::Via(set) => old.sets.get(set) != sets.get(set),
            Target::Forward(_) | Target::Blackhole => false,
        };
        let keys = self.wanted.iter().filter(|(_, route)| moved(&route.target));
        let keys: Vec<_> = keys.map(|(key, _)| *key).collect();
        for key in &keys {
            self.confirmed.remove(key);
            self.forget(key);
        }
        self.mark(keys);
    }

    /// All that was given until now is of this generation.
    pub fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Whether the route is wanted.
    pub fn wants(&self, key: &RouteKey) -> bool {
        self.wanted.contains_key(key)
    }

    /// Takes a complete dump in place of all that was believed. `cost` is how long it took: the next one keeps a distance.
    pub fn load(&mut self, snapshot: Snapshot, now: Now, cost: Duration) {
        let fib = Fib::load(self.settings.protocol, snapshot.routes);
        let old = std::mem::replace(&mut self.fib, fib);
        self.unshown = old.not_shown_by(&self.fib);
        let before = std::mem::replace(&mut self.host, snapshot.host);
        if self.loaded {
            // Their notifications are queued behind this dump, and will be no news.
            let runs = self.host.links.keys().filter(|index| self.host.runs(**index));
            self.back.extend(runs.filter(|index| !before.runs(**index)));
        }
        self.names = None;
        self.form = match (self.settings.nexthops, &snapshot.nexthops) {
            (NexthopMode::Plain, _) => NexthopForm::PlainByChoice,
            (_, None) => NexthopForm::PlainByKernel,
            (_, Some(_)) => NexthopForm::Objects,
        };
        self.nexthops.load(snapshot.nexthops.unwrap_or_default(), now);
        self.fresh.clear();
        let mut all: Vec<_> = self.wanted.keys().copied().collect();
        all.extend(self.fib.our_keys().filter(|key| !self.wanted.contains_key(key)));
        all.extend(old.our_keys().filter(|key| !self.wanted.contains_key(key)));
        self.mark(all);
        self.retry = true;
        (self.loaded, self.unsure, self.view_dirty) = (true, false, true);
        self.not_before = Some(now.at + (cost * 4).max(SETTLE));
        self.resync_at = (!self.settings.audit.is_zero()).then(|| now.at + self.settings.audit);
        self.counters.resyncs += 1;
    }

    /// Asks for a dump soon.
    pub fn request_resync(&mut self, now: Now) {
        let at = self.not_before.unwrap_or(now.at).max(now.at + SETTLE);
        self.resync_at = Some(self.resync_at.map_or(at, |planned| planned.min(at)));
    }

    /// The mirror is wrong somewhere: nothing is written until the next dump.
    pub fn distrust(&mut self, now: Now) {
        self.unsure = true;
        self.fib.disbelieve();
        self.request_resync(now);
    }

    /// What failed may succeed now.
    fn retry_all(&mut self, now: Now) {
        self.nexthops.retry(now);
        self.retry = true;
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
        let retries = self.next_due.filter(|_| writable);
        let looks = self.falls.values().flatten().flatten().copied();
        let objects = self.nexthops.next_wake().filter(|_| writable);
        retries
            .into_iter()
            .chain(objects)
            .chain(self.resync_at)
            .chain(looks)
            .min()
    }
}

/// Many in one go cost a fraction of as many one by one, unless there are far more already: a table that comes in pieces must not be
/// put in order anew with each piece.
fn add(to: &mut BTreeSet<RouteKey>, mut keys: Vec<RouteKey>) {
    const FEW: usize = 64;
    if keys.len() <= FEW || keys.len() < to.len() {
        to.extend(keys);
        return;
    }
    keys.extend(std::mem::take(to));
    // Runs in order, one after another, are what this sort is quick at.
    keys.sort();
    *to = keys.into_iter().collect();
}

#[cfg(test)]
mod tests;
