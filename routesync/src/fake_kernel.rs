//! A pure model of the kernel's FIB for tests: exclusive creation, replacement that asks nobody who owns the route, deletion by
//! protocol number, nexthop objects, notifications of what others do to routes, dumps, failures on demand, and flushes without a word.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    diff::{Op, OpKind},
    engine::{Event, Snapshot},
    fib::{RouteChange, RouteEvent},
    host::Host,
    model::{Link, Protocol, RouteKey},
    nexthop::object::{KernelNexthop, NexthopEvent, NexthopOp, NexthopOpKind, Object},
    route::{KernelHop, KernelRoute, NexthopId},
    trouble::Refusal,
};

#[derive(Default)]
pub(crate) struct FakeKernel {
    pub fib: BTreeMap<RouteKey, Vec<KernelRoute>>,
    pub objects: BTreeMap<NexthopId, KernelNexthop>,
    /// An older kernel.
    pub no_objects: bool,
    pub host: Host,
    pub events: VecDeque<Event>,
    /// The next writes fail with these, each once.
    pub failures: VecDeque<i32>,
    /// What others do at the keys of the next writes, just before them and just after.
    pub before_writes: VecDeque<Meddling>,
    pub after_writes: VecDeque<Meddling>,
}

/// What another program does at a key.
pub(crate) type Meddling = Box<dyn Fn(&mut FakeKernel, RouteKey)>;

impl FakeKernel {
    fn notify(&mut self, key: RouteKey, route: KernelRoute, change: RouteChange) {
        self.events
            .push_back(Event::Route(RouteEvent { key, route, change }));
    }

    /// Carries out a write as the real one does; others may act just before it and just after it.
    pub fn write(&mut self, op: &Op) -> Result<(), Refusal> {
        if let Some(other) = self.before_writes.pop_front() {
            other(self, op.key);
        }
        let result = self.carry_out(op);
        if let Some(other) = self.after_writes.pop_front() {
            other(self, op.key);
        }
        result
    }

    fn carry_out(&mut self, op: &Op) -> Result<(), Refusal> {
        let refuse = |errno| Err(Refusal { errno, message: None });
        if let Some(errno) = self.failures.pop_front() {
            return refuse(errno);
        }
        match &op.kind {
            OpKind::Create(route) | OpKind::Replace(route) if !self.is_up(route) => refuse(100),
            OpKind::Create(route) | OpKind::Replace(route) if !self.has_object(route) => refuse(22),
            OpKind::Create(_) if self.fib.contains_key(&op.key) => refuse(17),
            OpKind::Create(route) => {
                self.fib.insert(op.key, vec![route.clone()]);
                Ok(())
            }
            OpKind::Replace(route) => {
                let Some(first) = self.fib.get_mut(&op.key).and_then(|routes| routes.first_mut()) else {
                    return refuse(2);
                };
                *first = route.clone();
                Ok(())
            }
            OpKind::Delete(protocol) => match self.remove(op.key, *protocol) {
                None => refuse(3),
                Some(_) => Ok(()),
            },
        }
    }

    /// Whether the kernel would take a route over these links.
    fn is_up(&self, route: &KernelRoute) -> bool {
        route
            .hops
            .iter()
            .all(|hop| self.host.links.get(&hop.index).is_some_and(|link| link.up))
    }

    fn remove(&mut self, key: RouteKey, protocol: Protocol) -> Option<KernelRoute> {
        let routes = self.fib.get_mut(&key)?;
        let at = routes.iter().position(|route| route.protocol == protocol)?;
        let route = routes.remove(at);
        if routes.is_empty() {
            self.fib.remove(&key);
        }
        Some(route)
    }

    /// Another program adds a route (`ip route add`, or `append` where one is there).
    pub fn others_add(&mut self, key: RouteKey, route: KernelRoute) {
        if !self.is_up(&route) {
            return;
        }
        let routes = self.fib.entry(key).or_default();
        if !routes.contains(&route) {
            routes.push(route.clone());
            self.notify(key, route, RouteChange::Added);
        }
    }

    /// Another program replaces whatever is first at the key (`ip route replace`).
    pub fn others_replace(&mut self, key: RouteKey, route: KernelRoute) {
        if !self.is_up(&route) {
            return;
        }
        match self.fib.get_mut(&key).and_then(|routes| routes.first_mut()) {
            Some(first) => {
                *first = route.clone();
                self.notify(key, route, RouteChange::Replaced);
            }
            None => self.others_add(key, route),
        }
    }

    /// Another program removes a route of that protocol.
    pub fn others_delete(&mut self, key: RouteKey, protocol: Protocol) {
        if let Some(route) = self.remove(key, protocol) {
            self.notify(key, route, RouteChange::Removed);
        }
    }

    fn has_object(&self, route: &KernelRoute) -> bool {
        route.nexthop.is_none_or(|id| self.objects.contains_key(&id))
    }

    /// Carries out the write of an object as the real one does.
    pub fn write_nexthop(&mut self, op: &NexthopOp) -> Result<(), Refusal> {
        let refuse = |errno| Err(Refusal { errno, message: None });
        if let Some(errno) = self.failures.pop_front() {
            return refuse(errno);
        }
        let held = self.objects.get(&op.id).map(|held| held.object.clone());
        match (&op.kind, held) {
            (NexthopOpKind::Delete, None) => refuse(2),
            (NexthopOpKind::Delete, Some(_)) => {
                self.remove_objects(&[op.id], Some(true));
                Ok(())
            }
            (NexthopOpKind::Create(_), Some(_)) => refuse(17),
            (NexthopOpKind::Replace(_), None) => refuse(2),
            (NexthopOpKind::Create(object), None) => self.put(op, object, true),
            (NexthopOpKind::Replace(object), Some(held)) => {
                // Neither a group in place of a single object nor one with other buckets.
                let buckets = |object: &Object| match object {
                    Object::Group(group) => Some(group.resilient.map(|buckets| buckets.number)),
                    _ => None,
                };
                if buckets(object) != buckets(&held) {
                    return refuse(22);
                }
                self.put(op, object, true)
            }
        }
    }

    fn put(&mut self, op: &NexthopOp, object: &Object, own: bool) -> Result<(), Refusal> {
        let refuse = |errno| Err(Refusal { errno, message: None });
        match object {
            Object::Single(single) => {
                let link = self.host.links.get(&single.index);
                if !link.is_some_and(|link| link.up && link.carrier) {
                    return refuse(100);
                }
            }
            Object::Group(group) => {
                let single = |id| self.objects.get(id).map(|held| &held.object);
                let whole = |id| matches!(single(id), Some(Object::Single(_)));
                if group.members.is_empty() || !group.members.iter().all(|member| whole(&member.id)) {
                    return refuse(22);
                }
            }
            Object::Other => {}
        }
        let object = KernelNexthop {
            id: op.id,
            protocol: op.protocol,
            object: object.clone(),
        };
        self.objects.insert(op.id, object.clone());
        self.notify_nexthop(op.id, Some(object), own);
        Ok(())
    }

    fn notify_nexthop(&mut self, id: NexthopId, now: Option<KernelNexthop>, own: bool) {
        self.events
            .push_back(Event::Nexthop(NexthopEvent { id, now, own }));
    }

    /// Removes objects, and groups that are empty without them, and the routes on all of these. `tell`: whose doing it is, if
    /// anything is said at all; of the routes nothing is.
    fn remove_objects(&mut self, ids: &[NexthopId], tell: Option<bool>) {
        let mut gone = ids.to_vec();
        let mut said = Vec::new();
        self.objects.retain(|id, held| {
            if let Object::Group(group) = &mut held.object {
                let before = group.members.len();
                group.members.retain(|member| !ids.contains(&member.id));
                if group.members.is_empty() {
                    gone.push(*id);
                } else if group.members.len() < before {
                    said.push((*id, Some(held.clone())));
                }
            }
            !gone.contains(id)
        });
        said.extend(gone.iter().map(|id| (*id, None)));
        if let Some(own) = tell {
            for (id, now) in said {
                self.notify_nexthop(id, now, own);
            }
        }
        self.fib.retain(|_, routes| {
            routes.retain(|route| route.nexthop.is_none_or(|id| !gone.contains(&id)));
            !routes.is_empty()
        });
    }

    /// Another program removes an object.
    pub fn others_delete_nexthop(&mut self, id: NexthopId) {
        if self.objects.contains_key(&id) {
            self.remove_objects(&[id], Some(false));
        }
    }

    /// Another program makes or changes an object, whoever it belongs to.
    pub fn others_put_nexthop(&mut self, op: &NexthopOp, object: &Object) {
        _ = self.put(op, object, false);
    }

    /// The route with the hops of its object written out.
    pub fn written_out(&self, route: &KernelRoute) -> KernelRoute {
        let Some(Object::Group(group)) = route
            .nexthop
            .and_then(|id| self.objects.get(&id))
            .map(|held| &held.object)
        else {
            return route.clone();
        };
        let hop = |id: NexthopId, weight| match &self.objects[&id].object {
            Object::Single(single) => KernelHop {
                gateway: single.gateway,
                index: single.index,
                onlink: single.onlink,
                weight,
                usable: true,
            },
            other => panic!("{other:?} in a group"),
        };
        let hops = group.members.iter().map(|member| hop(member.id, member.weight));
        KernelRoute {
            nexthop: None,
            hops: hops.collect(),
            ..route.clone()
        }
        .normalized()
    }

    fn flush_objects(&mut self, index: u32) {
        let over = |held: &&KernelNexthop| matches!(&held.object, Object::Single(s) if s.index == index);
        let ids: Vec<_> = self.objects.values().filter(over).map(|held| held.id).collect();
        self.remove_objects(&ids, None);
    }

    /// A link loses its carrier: the objects over it go, plain routes stay, and only the link is named.
    pub fn carrier_lost(&mut self, index: u32) {
        let Some(link) = self.host.links.get_mut(&index) else {
            return;
        };
        (link.carrier, link.running) = (false, false);
        self.events.push_back(Event::Link(link.clone()));
        self.flush_objects(index);
    }

    /// A link has carrier again, and its queues are still closed.
    pub fn carrier_comes(&mut self, index: u32) {
        if let Some(link) = self.host.links.get_mut(&index) {
            link.carrier = true;
            self.events.push_back(Event::Link(link.clone()));
        }
    }

    /// A link falls: all routes and objects over it go, and only the link is named.
    pub fn link_down(&mut self, index: u32) {
        let Some(link) = self.host.links.get_mut(&index) else {
            return;
        };
        (link.up, link.carrier, link.running) = (false, false, false);
        let link = link.clone();
        self.fib.retain(|_, routes| {
            routes.retain(|route| route.hops.iter().all(|hop| hop.index != index));
            !routes.is_empty()
        });
        self.events.push_back(Event::Link(link));
        self.flush_objects(index);
    }

    /// A link ends: it falls first, and all routes over it go, none of them named.
    pub fn link_gone(&mut self, index: u32) {
        self.link_down(index);
        if self.host.links.remove(&index).is_some() {
            self.events.push_back(Event::LinkGone(index));
        }
    }

    /// The link is up again; one that was gone is made anew with its old number.
    pub fn link_up(&mut self, index: u32, name: &str) {
        let link = self.host.links.entry(index).or_insert_with(|| Link {
            index,
            name: name.into(),
            ..Link::default()
        });
        (link.up, link.carrier, link.running) = (true, true, true);
        self.events.push_back(Event::Link(link.clone()));
    }

    /// The receive buffer overflows: what was queued is lost.
    pub fn lose_events(&mut self) {
        self.events.clear();
        self.events.push_back(Event::Lost);
    }

    /// A complete dump.
    pub fn dump(&self) -> Snapshot {
        let routes = self
            .fib
            .iter()
            .flat_map(|(key, routes)| routes.iter().map(|route| (*key, route.clone())));
        Snapshot {
            host: self.host.clone(),
            nexthops: (!self.no_objects).then(|| self.objects.values().cloned().collect()),
            routes: routes.collect(),
        }
    }
}
