//! The mirror of the kernel's FIB, split by owner.
//!
//! A dump fills it, then route notifications (`RTM_NEWROUTE`, `RTM_DELROUTE`) keep it current, those that our own writes cause
//! included: the mirror is only ever what the kernel said, in the kernel's order, so a lost race shows up as a difference and
//! not as a false belief. Where a notification does not say enough (a replacement among several routes of one key, one sibling
//! of an IPv6 multipath route gone) the answer is [`Applied::Unsure`] and the caller dumps again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    model::{ForeignRoute, Metric, Protocol, RouteKey, RouteKind, Table},
    nexthop::mirror::Mirror,
    route::{KernelHop, KernelRoute, NexthopId},
};

/// A route notification in the kernel's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteEvent {
    pub key: RouteKey,
    pub route: KernelRoute,
    pub change: RouteChange,
    /// Caused by a write of ours (the netlink port of the requester is our socket's).
    pub own: bool,
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

type Routes = BTreeMap<RouteKey, Vec<KernelRoute>>;

/// All routes of the kernel but those of the local table. A key may hold several (`ip route append`).
#[derive(Debug, Default)]
pub(crate) struct Fib {
    protocol: Protocol,
    ours: Routes,
    foreign: Routes,
    /// How many routes refer to each nexthop object, so that an object that no route uses costs no look at them all.
    users: HashMap<NexthopId, usize>,
}

impl Fib {
    pub fn new(protocol: Protocol) -> Self {
        Fib {
            protocol,
            ..Fib::default()
        }
    }

    /// Adds a route found by a dump.
    pub fn insert(&mut self, key: RouteKey, route: KernelRoute) {
        let protocol = route.protocol;
        self.came(&route);
        self.side_mut(protocol).entry(key).or_default().push(route);
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
        self.ours.get(key).map_or(&[], Vec::as_slice)
    }

    /// The routes at the key that do not.
    pub fn foreign(&self, key: &RouteKey) -> &[KernelRoute] {
        self.foreign.get(key).map_or(&[], Vec::as_slice)
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
        let revive = |routes: &mut Vec<KernelRoute>| {
            let hops = routes.iter_mut().flat_map(|route| &mut route.hops);
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
        let mut ours = Vec::new();
        let mut used = HashSet::new();
        for id in gone {
            if self.users.remove(id).is_some() {
                used.insert(*id);
            }
        }
        if used.is_empty() {
            return ours;
        }
        let gone = used;
        let stays = |route: &KernelRoute| route.nexthop.is_none_or(|id| !gone.contains(&id));
        self.foreign.retain(|_, routes| {
            routes.retain(stays);
            !routes.is_empty()
        });
        self.ours.retain(|key, routes| {
            let before = routes.len();
            routes.retain(stays);
            if routes.len() < before {
                ours.push(*key);
            }
            !routes.is_empty()
        });
        ours
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
        self.ours.values().chain(self.foreign.values()).flatten()
    }

    /// Follows the end of a link: the routes that left by it alone are gone, whether the kernel said so or not. The keys of
    /// ours; `None` where a route has other hops as well, and only the kernel knows what has become of it.
    pub fn link_gone(&mut self, index: u32) -> Option<Vec<RouteKey>> {
        let over = |route: &KernelRoute| route.hops.iter().any(|hop| hop.index == index);
        let only = |route: &KernelRoute| route.hops.iter().all(|hop| hop.index == index);
        if self.all().any(|route| over(route) && !only(route)) {
            return None;
        }
        let (mut gone, mut went) = (Vec::new(), Vec::new());
        self.foreign.retain(|_, routes| {
            went.extend(routes.extract_if(.., |route| over(route)));
            !routes.is_empty()
        });
        self.ours.retain(|key, routes| {
            let before = routes.len();
            went.extend(routes.extract_if(.., |route| over(route)));
            if routes.len() < before {
                gone.push(*key);
            }
            !routes.is_empty()
        });
        went.iter().for_each(|route| self.went(route));
        Some(gone)
    }

    /// Follows one notification.
    pub fn apply(&mut self, event: &RouteEvent) -> Applied {
        match event.change {
            RouteChange::Removed => self.remove(event),
            RouteChange::Added | RouteChange::Replaced if event.own => self.set_ours(event),
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

    /// Our own writes leave exactly one route of ours at the key: they are exclusive creations or replacements of ours.
    fn set_ours(&mut self, event: &RouteEvent) -> Applied {
        let held = self.ours.entry(event.key).or_default();
        if let [only] = &held[..]
            && only == &event.route
        {
            return Applied::Nothing;
        }
        let before = std::mem::replace(held, vec![event.route.clone()]);
        before.iter().for_each(|route| self.went(route));
        self.came(&event.route);
        Applied::Changed
    }

    fn replace(&mut self, event: &RouteEvent) -> Applied {
        if self.ours(&event.key).len() + self.foreign(&event.key).len() > 1 {
            return Applied::Unsure;
        }
        let before = [self.ours.remove(&event.key), self.foreign.remove(&event.key)];
        before
            .iter()
            .flatten()
            .flatten()
            .for_each(|route| self.went(route));
        self.insert(event.key, event.route.clone());
        Applied::Changed
    }

    fn add(&mut self, event: &RouteEvent) -> Applied {
        let held = self.ours(&event.key).len() + self.foreign(&event.key).len();
        let side = self.side_mut(event.route.protocol).entry(event.key).or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn route(protocol: u8, index: u32) -> KernelRoute {
        KernelRoute::on_link(Protocol(protocol), index)
    }

    fn event(change: RouteChange, own: bool, route: KernelRoute, destination: &str) -> RouteEvent {
        let key = RouteKey::main(destination.parse().unwrap(), Metric(7));
        RouteEvent {
            key,
            route,
            change,
            own,
        }
    }

    #[test]
    fn follows_adding_replacing_and_removing() {
        let mut fib = Fib::new(Protocol(82));
        let add = event(RouteChange::Added, false, route(4, 1), "10.0.0.0/8");
        assert_eq!(fib.apply(&add), Applied::Changed);
        assert_eq!(fib.apply(&add), Applied::Nothing);
        assert_eq!(fib.foreign(&add.key).len(), 1);
        // Someone replaces the static route by one with our mark: ownership follows the mark.
        let replace = event(RouteChange::Replaced, false, route(82, 2), "10.0.0.0/8");
        assert_eq!(fib.apply(&replace), Applied::Changed);
        assert!(fib.foreign(&add.key).is_empty());
        assert_eq!(fib.ours(&add.key), &[route(82, 2)]);
        let remove = event(RouteChange::Removed, false, route(82, 2), "10.0.0.0/8");
        assert_eq!(fib.apply(&remove), Applied::Changed);
        assert_eq!(fib.apply(&remove), Applied::Nothing);
        assert_eq!(fib.our_keys().count(), 0);
    }

    #[test]
    fn admits_what_a_notification_leaves_open() {
        let mut fib = Fib::new(Protocol(82));
        fib.apply(&event(RouteChange::Added, false, route(4, 1), "10.0.0.0/8"));
        fib.apply(&event(RouteChange::Added, false, route(4, 2), "10.0.0.0/8"));
        let replace = event(RouteChange::Replaced, false, route(4, 3), "10.0.0.0/8");
        assert_eq!(fib.apply(&replace), Applied::Unsure);
        let stranger = event(RouteChange::Removed, false, route(4, 9), "10.0.0.0/8");
        assert_eq!(fib.apply(&stranger), Applied::Unsure);
        fib.apply(&event(RouteChange::Added, false, route(4, 1), "fd00::/8"));
        assert_eq!(
            fib.apply(&event(RouteChange::Added, false, route(4, 2), "fd00::/8")),
            Applied::Changed
        );
        let mut gatewayed = route(82, 2);
        gatewayed.hops[0].gateway = Some("fd00::1".parse().unwrap());
        let sibling = event(RouteChange::Added, false, gatewayed, "fd00::/8");
        assert_eq!(fib.apply(&sibling), Applied::Unsure);
    }

    #[test]
    fn a_link_that_goes_takes_its_routes_along() {
        let mut fib = Fib::new(Protocol(82));
        fib.apply(&event(RouteChange::Added, false, route(4, 1), "10.0.0.0/8"));
        fib.apply(&event(RouteChange::Added, false, route(4, 2), "10.0.0.0/8"));
        fib.apply(&event(RouteChange::Added, true, route(82, 1), "10.1.0.0/16"));
        let staying = event(RouteChange::Added, true, route(82, 2), "10.2.0.0/16");
        fib.apply(&staying);
        let went = fib.link_gone(1).unwrap();
        assert_eq!(went, [RouteKey::main("10.1.0.0/16".parse().unwrap(), Metric(7))]);
        assert_eq!(fib.foreign_routes(&Mirror::default()).len(), 1);
        assert_eq!(fib.our_keys().collect::<Vec<_>>(), [&staying.key]);
        // The kernel may say it as well.
        let said = event(RouteChange::Removed, false, route(82, 1), "10.1.0.0/16");
        assert_eq!(fib.apply(&said), Applied::Nothing);
        // What becomes of a route with another hop is for the kernel to say.
        let mut spread = route(4, 1);
        spread.hops.push(route(4, 2).hops[0]);
        fib.apply(&event(RouteChange::Added, false, spread, "10.3.0.0/16"));
        assert_eq!(fib.link_gone(2), None);
        assert_eq!(fib.ours(&staying.key).len(), 1);
    }

    #[test]
    fn revives_dead_hops_and_knows_preferred_sources() {
        let mut fib = Fib::new(Protocol(82));
        let mut dead = route(82, 3);
        dead.hops[0].usable = false;
        dead.preferred_source = "10.0.0.1".parse().ok();
        fib.apply(&event(RouteChange::Added, true, dead, "10.1.0.0/16"));
        fib.apply(&event(RouteChange::Added, true, route(82, 4), "10.2.0.0/16"));
        let key = RouteKey::main("10.1.0.0/16".parse().unwrap(), Metric(7));
        assert_eq!(fib.link_alive(4), []);
        assert_eq!(fib.link_alive(3), [key]);
        assert!(fib.ours(&key)[0].hops[0].usable);
        assert_eq!(fib.link_alive(3), []);
        assert!(fib.prefers("10.0.0.1".parse().unwrap()) && !fib.prefers("10.0.0.2".parse().unwrap()));
    }

    #[test]
    fn knows_which_objects_are_used() {
        let mut fib = Fib::new(Protocol(82));
        let over = |id: Option<u32>| KernelRoute {
            nexthop: id.map(NexthopId),
            ..route(82, 1)
        };
        let used = |fib: &Fib| {
            fib.refers(&[1, 2].map(NexthopId).into())
                .iter()
                .map(|id| id.0)
                .collect::<Vec<_>>()
        };
        let at = |change, id, destination| event(change, true, over(id), destination);
        fib.apply(&at(RouteChange::Added, Some(1), "10.0.0.0/8"));
        fib.apply(&at(RouteChange::Added, Some(1), "10.1.0.0/16"));
        fib.apply(&at(RouteChange::Replaced, Some(1), "10.1.0.0/16"));
        assert_eq!(used(&fib), [1]);
        fib.apply(&at(RouteChange::Replaced, Some(2), "10.1.0.0/16"));
        assert_eq!(used(&fib), [1, 2]);
        fib.apply(&at(RouteChange::Removed, Some(1), "10.0.0.0/8"));
        assert_eq!(used(&fib), [2]);
        assert_eq!(fib.nexthops_gone(&[NexthopId(1)]), []);
        fib.apply(&at(RouteChange::Replaced, None, "10.1.0.0/16"));
        assert_eq!(used(&fib), []);
        fib.apply(&at(RouteChange::Added, Some(2), "10.2.0.0/16"));
        assert_eq!(fib.nexthops_gone(&[NexthopId(2)]).len(), 1);
        assert_eq!((used(&fib), fib.our_count()), (vec![], 1));
    }

    #[test]
    fn only_the_main_table_is_published() {
        let mut fib = Fib::new(Protocol(82));
        fib.apply(&event(RouteChange::Added, false, route(4, 1), "10.0.0.0/8"));
        let mut other = event(RouteChange::Added, false, route(4, 1), "10.1.0.0/16");
        other.key.table = Table(100);
        fib.apply(&other);
        fib.apply(&event(RouteChange::Added, true, route(82, 1), "10.2.0.0/16"));
        let published: Vec<_> = fib
            .foreign_routes(&Mirror::default())
            .iter()
            .map(|r| r.destination.to_string())
            .collect();
        assert_eq!(published, ["10.0.0.0/8"]);
    }
}
