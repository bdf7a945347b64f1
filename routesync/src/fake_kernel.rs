//! A pure model of the kernel's FIB for tests: exclusive creation, replacement that asks nobody who owns the route, deletion by
//! protocol number, notifications, dumps, failures on demand, and flushes without a word.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    diff::{Op, OpKind},
    engine::{Event, Snapshot},
    fib::{RouteChange, RouteEvent},
    host::Host,
    model::{Link, Protocol, RouteKey},
    route::KernelRoute,
    trouble::Refusal,
};

#[derive(Default)]
pub(crate) struct FakeKernel {
    pub fib: BTreeMap<RouteKey, Vec<KernelRoute>>,
    pub host: Host,
    pub events: VecDeque<Event>,
    /// The next writes fail with these, each once.
    pub failures: VecDeque<i32>,
}

impl FakeKernel {
    fn notify(&mut self, key: RouteKey, route: KernelRoute, change: RouteChange, own: bool) {
        self.events.push_back(Event::Route(RouteEvent {
            key,
            route,
            change,
            own,
        }));
    }

    /// Carries out a write as the real one does.
    pub fn write(&mut self, op: &Op) -> Result<(), Refusal> {
        let refuse = |errno| Err(Refusal { errno, message: None });
        if let Some(errno) = self.failures.pop_front() {
            return refuse(errno);
        }
        match &op.kind {
            OpKind::Create(route) | OpKind::Replace(route) if !self.is_up(route) => refuse(100),
            OpKind::Create(_) if self.fib.contains_key(&op.key) => refuse(17),
            OpKind::Create(route) => {
                self.fib.insert(op.key, vec![route.clone()]);
                self.notify(op.key, route.clone(), RouteChange::Added, true);
                Ok(())
            }
            OpKind::Replace(route) => {
                let Some(first) = self.fib.get_mut(&op.key).and_then(|routes| routes.first_mut()) else {
                    return refuse(2);
                };
                *first = route.clone();
                self.notify(op.key, route.clone(), RouteChange::Replaced, true);
                Ok(())
            }
            OpKind::Delete(protocol) => match self.remove(op.key, *protocol) {
                None => refuse(3),
                Some(route) => {
                    self.notify(op.key, route, RouteChange::Removed, true);
                    Ok(())
                }
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
            self.notify(key, route, RouteChange::Added, false);
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
                self.notify(key, route, RouteChange::Replaced, false);
            }
            None => self.others_add(key, route),
        }
    }

    /// Another program removes a route of that protocol.
    pub fn others_delete(&mut self, key: RouteKey, protocol: Protocol) {
        if let Some(route) = self.remove(key, protocol) {
            self.notify(key, route, RouteChange::Removed, false);
        }
    }

    /// A link falls: all routes over it go, and no route is named.
    pub fn link_down(&mut self, index: u32) {
        let Some(link) = self.host.links.get_mut(&index) else {
            return;
        };
        (link.up, link.carrier) = (false, false);
        let link = link.clone();
        self.fib.retain(|_, routes| {
            routes.retain(|route| route.hops.iter().all(|hop| hop.index != index));
            !routes.is_empty()
        });
        self.events.push_back(Event::Link(link));
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
        (link.up, link.carrier) = (true, true);
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
            routes: routes.collect(),
        }
    }
}
