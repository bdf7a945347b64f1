//! What this node does, decided anew from everything that it knows (law 1: pure; law 2: complete state).
//!
//! ```text
//! Plan ─┬─ paths     how each other node is reached, for each pool        (tunnel::choose)
//! Rib  ─┤  next_hops reachability and metric of each BGP next hop         (routesync::resolve) ─► bgpd
//! View ─┤  routes    each Loc-RIB entry's way into the kernel, with why   ─► routesync
//!       │  sets      the hops that many routes share                      ─► routesync
//! Pods ─┘  tunnels   devices, forwarding and neighbour entries            ─► tunnel
//!          host      the interfaces whose sysctls matter                  ─► hostnet
//!          nat       what leaves with an address of the node              ─► hostnet
//!          probes    the native ways that `Auto` wants proven              ─► tunnel::probe ─► Verdicts, an input
//! ```
//!
//! Nothing here remembers anything: the same inputs give the same decisions, and `explain` runs the same
//! functions again.

pub mod difference;
pub mod findings;
pub mod host;
pub mod learned;
pub mod nat;
pub mod next_hops;
pub mod outline;
pub mod owners;
pub mod paths;
pub mod place;
pub mod probes;
pub mod routes;
pub mod sets;
pub mod table;
#[cfg(test)]
mod tests;
pub mod tunnels;
pub mod uplinks;
pub mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bgpd_proto::rib::{BestRoute, NextHopTable, Originated};
use bgpd_proto::types::ScopedAddr;
use ipnet::IpNet;
use routesync::{DesiredFib, DesiredNexthops, KernelView, RouteKey};
use tunnel::Device;
use tunnel::probe::Verdicts;

use crate::plan::Plan;

pub use outline::Outline;
pub use paths::NodePath;
pub use place::Place;
pub use routes::{Decided, RouteDecision};
pub use table::{Extent, Table};
pub use tunnels::Tunnels;
use ways::Ways;

/// What BGP knows, as one consistent picture.
#[derive(Debug, Clone, Default)]
pub struct RibSnapshot {
    /// The Loc-RIB.
    pub loc_rib: BTreeMap<IpNet, BestRoute>,
    /// Every NEXT_HOP in any Adj-RIB-In.
    pub tracked: BTreeSet<ScopedAddr>,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fully_fed: bool,
}

impl RibSnapshot {
    /// Follows what has changed.
    pub fn take(&mut self, news: bgpd::News) {
        if news.loc_rib.whole {
            self.loc_rib.clear();
        }
        for (prefix, route) in news.loc_rib.routes {
            match route {
                Some(route) => self.loc_rib.insert(prefix, route),
                None => self.loc_rib.remove(&prefix),
            };
        }
        self.tracked = news.tracked;
        self.fully_fed = news.fully_fed;
    }
}

/// A pod of this node: where its host route goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLink {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The node's end of its veth pair.
    pub interface: Arc<str>,
}

/// What this node announces for Services of Kubernetes, each with the reason.
pub type Services = BTreeMap<IpNet, String>;

/// Everything that decisions are made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the resources ask of this node.
    pub plan: &'a Plan,
    /// What BGP knows.
    pub rib: &'a RibSnapshot,
    /// What the kernel has that is not ours.
    pub view: &'a KernelView,
    /// The pods of this node.
    pub pods: &'a [PodLink],
    /// The node's own pod address of each family that has a block.
    pub own_pod_addresses: &'a [IpAddr],
    /// What is announced for Services; `None` on a node that belongs to no Kubernetes.
    pub services: Option<&'a Services>,
    /// Where our routes stand in the kernel.
    pub place: Place,
    /// What the probes of `Auto` have found.
    pub verdicts: &'a Verdicts,
}

/// Everything that is decided, complete.
#[derive(Debug, Clone)]
pub struct Decisions {
    /// All but the way of each learned route.
    pub outline: Arc<Outline>,
    /// What is decided about learned routes. The next round writes into it, and all who hold these decisions see that.
    pub table: Arc<RwLock<Table>>,
    /// The sets of hops that routes refer to.
    pub nexthops: Arc<DesiredNexthops>,
}

impl Decisions {
    /// What is decided about learned routes. Nobody else gets on while this is held.
    pub fn table(&self) -> RwLockReadGuard<'_, Table> {
        // One round does all its writing in one go: after a panic in it the table is at worst as of another round.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The decision for every prefix, ours before what is learned, in the order of prefixes.
    pub fn routes(&self) -> Decided {
        let mut all = self.table().routes.clone();
        all.extend(
            self.outline
                .own
                .iter()
                .map(|(prefix, decision)| (*prefix, decision.clone())),
        );
        all
    }

    /// The decision for the longest prefix that holds `target`.
    pub fn covering(&self, target: &IpNet) -> Option<(IpNet, RouteDecision)> {
        let longest = |decided: &Decided| {
            let lengths = (0..=target.prefix_len()).rev();
            let prefixes = lengths.filter_map(|length| IpNet::new(target.addr(), length).ok());
            let mut found = prefixes.filter_map(|prefix| decided.get_key_value(&prefix.trunc()));
            found.next().map(|(prefix, decision)| (*prefix, decision.clone()))
        };
        let (own, learned) = (longest(&self.outline.own), longest(&self.table().routes));
        [learned, own]
            .into_iter()
            .flatten()
            .max_by_key(|(prefix, _)| prefix.prefix_len())
    }

    /// The key of the kernel's route to a prefix.
    pub fn key(&self, prefix: IpNet) -> RouteKey {
        let Outline { own, place, .. } = &*self.outline;
        match own.contains_key(&prefix) {
            true => place.own(prefix),
            false => {
                let table = self.table();
                let decision = table.routes.get(&prefix);
                place.learned_at(prefix, decision.and_then(RouteDecision::priority))
            }
        }
    }

    /// The whole desired FIB.
    pub fn fib(&self, fully_fed: bool) -> DesiredFib {
        let Outline { own, place, .. } = &*self.outline;
        routes::fib(place, own, &self.table().routes, fully_fed)
    }
}

/// The state of every next hop that the Loc-RIB asks for, or is likely to ask for.
pub fn next_hops_of(plan: &Plan, rib: &RibSnapshot, view: &KernelView, serves: bool) -> NextHopTable {
    let outside = table::all_outside(plan, serves, &rib.loc_rib);
    next_hops::table(plan, view, &outside, &rib.tracked)
}

/// What this node originates: its blocks; as /32 or /128 the address of each pod that lies outside them, which
/// happens when its block was taken away while it runs; and addresses of Services.
pub fn originated(plan: &Plan, pods: &[PodLink], services: Option<&Services>) -> BTreeMap<IpNet, Originated> {
    let inside = |address: &IpAddr| plan.blocks.iter().any(|block| block.cidr.contains(address));
    let strays = pods
        .iter()
        .flat_map(|pod| &pod.addresses)
        .filter(|address| !inside(address))
        .map(|address| IpNet::from(*address))
        .filter(|address| plan.exports(address));
    let mut originated = plan.originated.clone();
    originated.extend(strays.map(|address| (address, plan.originated(&address))));
    let services = services.into_iter().flat_map(BTreeMap::keys);
    originated.extend(services.map(|prefix| (*prefix, plan.originated(prefix))));
    originated
}

/// Decides everything from nothing.
pub fn decide(inputs: Inputs<'_>) -> Decisions {
    decide_again(inputs, &Arc::default(), Extent::All).0
}

/// Decides everything, with the `table` of the round before, where only the `changed` prefixes of the Loc-RIB are others. Says which
/// decisions about learned routes may be others now.
pub fn decide_again(inputs: Inputs<'_>, table: &Arc<RwLock<Table>>, changed: Extent) -> (Decisions, Extent) {
    Begun::new(inputs, table, changed, |_, _| {}).finish()
}

/// A round of which the small part is done: how nodes are reached, the tunnels, and the hops of all sets that routes refer
/// to. These can be handed on before the routes are looked at, which may be many.
pub struct Begun<'a> {
    inputs: Inputs<'a>,
    table: &'a Arc<RwLock<Table>>,
    changed: Extent,
    /// `None`: all is as it was.
    ways: Option<Ways>,
    /// What is decided about the node as a whole.
    pub outline: Arc<Outline>,
    /// The sets of hops, where any has moved.
    pub moved: Option<Arc<DesiredNexthops>>,
}

impl<'a> Begun<'a> {
    /// Begins. `hold` may keep choices as they were for a moment; it gets the devices that are wanted.
    pub fn new(
        inputs: Inputs<'a>,
        table: &'a Arc<RwLock<Table>>,
        changed: Extent,
        hold: impl FnOnce(&BTreeSet<Device>, &mut [NodePath]),
    ) -> Self {
        let (plan, view) = (inputs.plan, inputs.view);
        let mut learned = table.write().unwrap_or_else(PoisonError::into_inner);
        learned.take(inputs, &changed);
        let mut paths = paths::node_paths(plan, view, &learned.outside, inputs.verdicts);
        hold(&tunnels::devices(plan), &mut paths);
        let next_hops = next_hops::table(plan, view, &learned.outside, &inputs.rib.tracked);
        let interfaces = next_hops::interfaces(plan, view, &learned.outside, &inputs.rib.tracked);
        let ways = Ways::of(inputs, &learned.outside, &paths, learned.ways());
        let moved = learned.renew(&ways, view);
        let moved = moved.then(|| learned.sets.desired(inputs.place.resilient()));
        let uplinks = uplinks::find(inputs, &learned.outside, &paths);
        drop(learned);
        let outline = Outline {
            originated: originated(plan, inputs.pods, inputs.services),
            host: host::wanted(inputs, &uplinks),
            ruleset: nat::wanted(plan, view, &uplinks),
            tunnels: tunnels::desired(inputs, &paths, uplinks.mtu(view)),
            next_hops,
            interfaces,
            priorities: plan.priorities.clone(),
            paths,
            own: routes::own(inputs),
            place: inputs.place,
        };
        Begun {
            inputs,
            table,
            changed,
            ways: Some(ways),
            outline: Arc::new(outline),
            moved,
        }
    }

    /// Begins a round whose inputs are those of the `last` one but for the `changed` prefixes of the Loc-RIB. Where these change
    /// more than themselves they are given back, with nothing done.
    pub fn again(
        inputs: Inputs<'a>,
        table: &'a Arc<RwLock<Table>>,
        changed: Extent,
        last: &Decisions,
    ) -> Result<Self, Extent> {
        let elsewhere = |prefix: &IpNet| !last.outline.depends_on(prefix);
        match &changed {
            Extent::Only(prefixes) if prefixes.iter().all(elsewhere) => {}
            _ => return Err(changed),
        }
        let mut learned = table.write().unwrap_or_else(PoisonError::into_inner);
        learned.take(inputs, &changed);
        drop(learned);
        Ok(Begun {
            inputs,
            table,
            changed,
            ways: None,
            outline: last.outline.clone(),
            moved: None,
        })
    }

    /// Decides the rest.
    pub fn finish(self) -> (Decisions, Extent) {
        let inputs = self.inputs;
        let mut learned = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let changed = learned.decide(inputs, self.ways, self.changed);
        let nexthops = learned.sets.desired(inputs.place.resilient());
        drop(learned);
        let decisions = Decisions {
            outline: self.outline,
            nexthops,
            table: self.table.clone(),
        };
        (decisions, changed)
    }
}
