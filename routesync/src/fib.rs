//! The mirror of the kernel's FIB, split by owner.
//!
//! A dump fills it; then others' route notifications (`RTM_NEWROUTE`, `RTM_DELROUTE`) and the kernel's answers to our own writes
//! keep it current. The notifications of our own writes would say the same once more, at the price of the writes themselves, so
//! they are not listened to. What is lost with them is the order of a write of ours and what others did to the same key at the
//! same time: there the caller does not trust the mirror. Nor where a notification does not say enough (a replacement among
//! several routes of one key, one sibling of an IPv6 multipath route gone): the answer is [`Applied::Unsure`], and the caller
//! dumps again.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, hash_map::Entry},
    net::IpAddr,
    ops::{Deref, DerefMut},
};

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    few::Few,
    model::{ForeignRoute, Metric, Protocol, RouteKey, RouteKind, Table},
    nexthop::mirror::Mirror,
    route::{KernelHop, KernelRoute, NexthopId},
};

/// A notification of what somebody else did to a route, in the kernel's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteEvent {
    pub key: RouteKey,
    pub route: KernelRoute,
    pub change: RouteChange,
}

/// What a notification says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteChange {
    Added,
    Replaced,
    Removed,
}

/// What a notification did to the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was known already.
    Nothing,
    /// The mirror has changed at this key.
    Changed,
    /// The mirror cannot be trusted until the next dump.
    Unsure,
}

type Routes = BTreeMap<RouteKey, Held>;

/// The routes of a key on one side.
#[derive(Debug, Default)]
struct Held {
    routes: Few<KernelRoute>,
    /// The period (see [`Fib::disbelieve`]) in which a write of ours made it so; 0: the kernel has shown it.
    written: u32,
}

impl From<KernelRoute> for Held {
    fn from(route: KernelRoute) -> Self {
        Held {
            routes: Few::One(route),
            written: 0,
        }
    }
}

impl Deref for Held {
    type Target = Few<KernelRoute>;

    fn deref(&self) -> &Self::Target {
        &self.routes
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.routes
    }
}

/// All routes of the kernel but those of the local table. A key may hold several (`ip route append`).
#[derive(Debug, Default)]
pub(crate) struct Fib {
    protocol: Protocol,
    ours: Routes,
    foreign: Routes,
    /// How many routes refer to each nexthop object, so that an object that no route uses costs no look at them all.
    users: FxHashMap<NexthopId, usize>,
    /// The present one of [`Held::written`].
    period: u32,
}

impl Fib {
    pub fn new(protocol: Protocol) -> Self {
        Fib {
            protocol,
            period: 1,
            ..Fib::default()
        }
    }

    /// Everything that a dump found, in its order.
    pub fn load(protocol: Protocol, mut routes: Vec<(RouteKey, KernelRoute)>) -> Self {
        let mut fib = Fib::new(protocol);
        // Stable, for the order within a key; and quick, for the kernel's order is nearly this one.
        routes.sort_by_key(|(key, _)| *key);
        let (mut ours, mut foreign): (Vec<(_, Held)>, Vec<(_, Held)>) = Default::default();
        for (key, route) in routes {
            fib.came(&route);
            let side = if route.protocol == protocol {
                &mut ours
            } else {
                &mut foreign
            };
            match side.last_mut() {
                Some((last, held)) if *last == key => held.push(route),
                _ => side.push((key, route.into())),
            }
        }
        fib.ours = ours.into_iter().collect();
        fib.foreign = foreign.into_iter().collect();
        fib
    }

    fn insert(&mut self, key: RouteKey, route: KernelRoute) {
        let protocol = route.protocol;
        self.came(&route);
        self.side_mut(protocol).entry(key).or_default().push(route);
    }

    /// Follows a write of ours that the kernel has carried out: an exclusive creation, or a replacement of the only route at the
    /// key. So it leaves exactly one route of ours.
    pub fn wrote(&mut self, key: RouteKey, route: KernelRoute) {
        self.came(&route);
        let held = Held {
            written: self.period,
            ..Held::from(route)
        };
        if let Some(before) = self.ours.insert(key, held) {
            before.iter().for_each(|route| self.went(route));
        }
    }

    /// What was written until now may be gone without a word: a dump that does not show it contradicts nothing.
    pub fn disbelieve(&mut self) {
        self.period = self.period.wrapping_add(1).max(1);
    }

    /// The keys that were written, that nobody else has touched since, and that the mirror of a later dump does not show so.
    pub fn not_shown_by(&self, dump: &Fib) -> FxHashSet<RouteKey> {
        let mut shown = dump.ours.iter().peekable();
        let written = self.ours.iter().filter(|(_, held)| held.written == self.period);
        let unshown = written.filter(|(key, held)| {
            while shown.next_if(|(other, _)| other < key).is_some() {}
            let shown = shown.next_if(|(other, _)| other == key);
            shown.is_none_or(|(_, shown)| match (&shown[..], &held[..]) {
                ([shown], [held]) => !shown.same(held),
                _ => true,
            })
        });
        unshown.map(|(key, _)| *key).collect()
    }

    /// Follows a removal of ours that the kernel has carried out. Whether nothing of ours is left at the key.
    pub fn removed(&mut self, key: &RouteKey) -> bool {
        match self.ours.get_mut(key) {
            Some(held) if held.len() > 1 => {
                let went = held.remove(0);
                self.went(&went);
                false
            }
            _ => {
                let before = self.ours.remove(key);
                before
                    .iter()
                    .flat_map(|held| held.iter())
                    .for_each(|route| self.went(route));
                true
            }
        }
    }

    fn came(&mut self, route: &KernelRoute) {
        if let Some(id) = route.nexthop {
            *self.users.entry(id).or_default() += 1;
        }
    }

    fn went(&mut self, route: &KernelRoute) {
        if let Some(id) = route.nexthop
            && let Entry::Occupied(mut users) = self.users.entry(id)
        {
            *users.get_mut() -= 1;
            if *users.get() == 0 {
                users.remove();
            }
        }
    }

    /// The routes at the key that carry our mark.
    pub fn ours(&self, key: &RouteKey) -> &[KernelRoute] {
        self.ours.get(key).map_or(&[], |held| &held[..])
    }

    /// The routes at the key that do not.
    pub fn foreign(&self, key: &RouteKey) -> &[KernelRoute] {
        self.foreign.get(key).map_or(&[], |held| &held[..])
    }

    /// Every key at which there is a route of ours.
    pub fn our_keys(&self) -> impl Iterator<Item = &RouteKey> {
        self.ours.keys()
    }

    /// The foreign routes of the main table in published form.
    /// Where the kernel shows no hops beside a nexthop object, the object's are taken.
    pub fn foreign_routes(&self, objects: &Mirror) -> Vec<ForeignRoute> {
        let main = self.foreign.iter().filter(|(key, _)| key.table == Table::MAIN);
        main.flat_map(|(key, routes)| routes.iter().map(move |route| (key, route)))
            .filter(|(_, route)| !matches!(route.kind, RouteKind::Other(_)))
            .map(|(key, route)| ForeignRoute {
                destination: key.destination,
                metric: key.metric,
                protocol: route.protocol,
                kind: route.kind,
                hops: match route.nexthop {
                    Some(id) if route.hops.is_empty() => {
                        objects.hops(id).iter().map(KernelHop::published).collect()
                    }
                    _ => route.next_hops(),
                },
            })
            .collect()
    }

    /// Follows a link that is up and has carrier: the kernel brings dead hops over it back to life without a word
    /// (`fib_sync_up`). The keys of ours.
    pub fn link_alive(&mut self, index: u32) -> Vec<RouteKey> {
        let revive = |routes: &mut Held| {
            let hops = routes.iter_mut().flat_map(|route| route.hops.iter_mut());
            let dead = hops.filter(|hop| hop.index == index && !hop.usable);
            dead.map(|hop| hop.usable = true).count() > 0
        };
        self.foreign.values_mut().for_each(|routes| _ = revive(routes));
        let ours = self.ours.iter_mut();
        ours.filter_map(|(key, routes)| revive(routes).then_some(*key))
            .collect()
    }

    /// Follows the end of nexthop objects: the routes on them are gone, whether the kernel said so or not. The keys of ours.
    pub fn nexthops_gone(&mut self, gone: &[NexthopId]) -> Vec<RouteKey> {
        let mut used = HashSet::new();
        for id in gone {
            if self.users.remove(id).is_some() {
                used.insert(*id);
            }
        }
        if used.is_empty() {
            return Vec::new();
        }
        let gone = used;
        let over = |route: &KernelRoute| route.nexthop.is_some_and(|id| gone.contains(&id));
        let mut went = Vec::new();
        extract(&mut self.foreign, over, &mut went);
        extract(&mut self.ours, over, &mut went)
    }

    /// Those of the objects that a route refers to, whoever's.
    pub fn refers(&self, objects: &BTreeSet<NexthopId>) -> BTreeSet<NexthopId> {
        let used = objects.iter().filter(|id| self.users.contains_key(id));
        used.copied().collect()
    }

    /// Our routes over one of the objects.
    pub fn over(&self, objects: &BTreeSet<NexthopId>) -> impl Iterator<Item = (&RouteKey, NexthopId)> {
        let routes =
            (self.ours.iter()).flat_map(|(key, routes)| routes.iter().map(move |route| (key, route)));
        routes.filter_map(|(key, route)| Some((key, route.nexthop.filter(|id| objects.contains(id))?)))
    }

    /// At how many keys there is a route of ours.
    pub fn our_count(&self) -> usize {
        self.ours.len()
    }

    /// The keys of our routes to the same destination in the same table, whatever their metric.
    pub fn our_twins(&self, key: &RouteKey) -> impl Iterator<Item = &RouteKey> {
        let at = |metric| RouteKey {
            metric: Metric(metric),
            ..*key
        };
        self.ours.range(at(0)..=at(u32::MAX)).map(|(key, _)| key)
    }

    /// Whether any route prefers that address of this host as its source.
    pub fn prefers(&self, source: IpAddr) -> bool {
        self.all().any(|route| route.preferred_source == Some(source))
    }

    fn all(&self) -> impl Iterator<Item = &KernelRoute> {
        self.ours
            .values()
            .chain(self.foreign.values())
            .flat_map(|held| held.iter())
    }

    /// Follows the end of a link: the routes that left by it alone are gone, whether the kernel said so or not. The keys of
    /// ours; `None` where a route has other hops as well, and only the kernel knows what has become of it.
    pub fn link_gone(&mut self, index: u32) -> Option<Vec<RouteKey>> {
        let over = |route: &KernelRoute| route.hops.iter().any(|hop| hop.index == index);
        let only = |route: &KernelRoute| route.hops.iter().all(|hop| hop.index == index);
        if self.all().any(|route| over(route) && !only(route)) {
            return None;
        }
        let mut went = Vec::new();
        extract(&mut self.foreign, over, &mut went);
        let gone = extract(&mut self.ours, over, &mut went);
        went.iter().for_each(|route| self.went(route));
        Some(gone)
    }

    /// Follows one notification.
    pub fn apply(&mut self, event: &RouteEvent) -> Applied {
        match event.change {
            RouteChange::Removed => self.remove(event),
            RouteChange::Replaced => self.replace(event),
            RouteChange::Added => self.add(event),
        }
    }

    fn side_mut(&mut self, protocol: Protocol) -> &mut Routes {
        if protocol == self.protocol {
            &mut self.ours
        } else {
            &mut self.foreign
        }
    }

    fn replace(&mut self, event: &RouteEvent) -> Applied {
        if self.ours(&event.key).len() + self.foreign(&event.key).len() > 1 {
            return Applied::Unsure;
        }
        let before = [self.ours.remove(&event.key), self.foreign.remove(&event.key)];
        let before = before.iter().flatten().flat_map(|held| held.iter());
        before.for_each(|route| self.went(route));
        self.insert(event.key, event.route.clone());
        Applied::Changed
    }

    fn add(&mut self, event: &RouteEvent) -> Applied {
        let held = self.ours(&event.key).len() + self.foreign(&event.key).len();
        let side = self.side_mut(event.route.protocol).entry(event.key).or_default();
        side.written = 0;
        if side.contains(&event.route) {
            return Applied::Nothing;
        }
        // IPv6 merges routes with gateways into multipath ones of the same key, whoever owns those. Routes without, as the
        // fe80::/64 of every new link, stay apart.
        let mergeable = event.route.hops.iter().any(|hop| hop.gateway.is_some());
        if held > 0 && mergeable && matches!(event.key.destination, IpNet::V6(_)) {
            return Applied::Unsure;
        }
        // The same route with another state of its hops.
        match side.iter_mut().find(|route| route.same(&event.route)) {
            Some(known) => *known = event.route.clone(),
            None => {
                side.push(event.route.clone());
                self.came(&event.route);
            }
        }
        Applied::Changed
    }

    fn remove(&mut self, event: &RouteEvent) -> Applied {
        let side = self.side_mut(event.route.protocol);
        let Some(held) = side.get_mut(&event.key) else {
            return Applied::Nothing;
        };
        held.written = 0;
        let found = held.iter().position(|route| route.same(&event.route));
        if found.is_none() && !held.is_empty() {
            return Applied::Unsure;
        }
        let went = found.map(|at| held.remove(at));
        if held.is_empty() {
            side.remove(&event.key);
        }
        went.iter().for_each(|route| self.went(route));
        Applied::Changed
    }
}

/// Takes out the routes that satisfy the condition; the keys at which there were some.
fn extract(
    routes: &mut Routes,
    condition: impl Fn(&KernelRoute) -> bool,
    went: &mut Vec<KernelRoute>,
) -> Vec<RouteKey> {
    let mut keys = Vec::new();
    routes.retain(|key, held| {
        let before = went.len();
        held.extract(went, &condition);
        if went.len() > before {
            keys.push(*key);
        }
        !held.is_empty()
    });
    keys
}

#[cfg(test)]
mod tests;
