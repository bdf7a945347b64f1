//! The fast path makes what deciding everything from nothing makes, whatever happens between the rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use bgpd_proto::rib::{BestRoute, PathKind, PathView};
use bgpd_proto::types::{PeerId, ScopedAddr};
use bgpd_proto::wire::PathAttributes;
use config::load::{Source, load};
use ipnet::IpNet;
use proptest::prelude::*;
use routesync::{Address, DesiredFib, ForeignRoute, KernelView, Link, Metric, NextHop, Protocol, RouteKind};
use tunnel::probe::{ProbeKey, ProbeVerdict, Seen, Silence, Verdicts};

use super::{Extent, Table};
use crate::decide::{Begun, Decided, Decisions, Inputs, Place, PodLink, RibSnapshot, decide, routes};
use crate::plan::{Ownership, Passwords, Plan, compile};

/// Inside the pool and outside, some holding next hops of others.
const PREFIXES: [&str; 8] = [
    "10.244.2.0/24",
    "10.244.3.0/24",
    "10.244.1.7/32",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "203.0.113.7/32",
    "0.0.0.0/0",
    "172.30.0.0/16",
];
/// Nodes, near and far, a switch, and addresses that only learned routes lead to.
const NEXT_HOPS: [&str; 5] = [
    "192.0.2.12",
    "198.51.100.11",
    "192.0.2.1",
    "203.0.113.7",
    "203.0.113.9",
];
const MODES: [&str; 4] = ["Never", "CrossSubnet", "Always", "Auto"];
/// Nodes that are probed.
const PROBED: [&str; 2] = ["near", "far"];

fn plan(mode: &str) -> Plan {
    let text = format!(
        "
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: {{ name: pods }}
spec: {{ cidr: 10.244.0.0/16, vxlanMode: {mode} }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: a }}
spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24 }}, podCIDRs: [10.244.1.0/24] }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: near }}
spec: {{ bgp: {{ ipv4Address: 192.0.2.12/24 }}, podCIDRs: [10.244.2.0/24] }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: far }}
spec: {{ bgp: {{ ipv4Address: 198.51.100.11/24 }}, podCIDRs: [10.244.3.0/24] }}
"
    );
    let source = Source {
        name: "test".into(),
        text,
    };
    let loaded = load(&[source]);
    let intent = loaded.intent.unwrap_or_else(|| panic!("{:?}", loaded.problems));
    let name = "a".parse().unwrap();
    compile(
        &intent,
        &name,
        &Ownership::of_resources(&intent, &name),
        &Passwords::new(),
    )
    .unwrap()
}

/// Two uplinks, either of which may be down, and a default route over one of them.
fn view(up: [bool; 2], default: usize, pods: &BTreeSet<u8>) -> KernelView {
    let link = |index: u32, name: &str, up| Link {
        index,
        name: name.into(),
        up,
        carrier: up,
        mtu: 1500,
        ..Link::default()
    };
    let mut links = vec![
        link(2, "eth0", up[0]),
        link(3, "eth1", up[1]),
        link(4, "rb-vxlan", true),
    ];
    links.extend(pods.iter().map(|n| link(10 + u32::from(*n), &pod_link(*n), true)));
    let route = |destination: &str, gateway: Option<&str>, index| ForeignRoute {
        destination: destination.parse().unwrap(),
        metric: Metric(0),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway: gateway.map(|g| g.parse().unwrap()),
            index,
            usable: true,
        }],
    };
    let gateway = ["192.0.2.1", "198.18.0.1"][default];
    let address = |index, net: &str| Address {
        index,
        net: net.parse().unwrap(),
    };
    KernelView {
        generation: 1,
        links: links.into_iter().map(|link| (link.index, link)).collect(),
        addresses: vec![
            address(2, "192.0.2.11/24"),
            address(3, "198.18.0.11/24"),
            address(4, "10.244.1.0/32"),
        ],
        foreign: vec![
            route("0.0.0.0/0", Some(gateway), 2 + default as u32),
            route("192.0.2.0/24", None, 2),
            route("198.18.0.0/24", None, 3),
        ],
    }
}

fn pod_link(n: u8) -> String {
    format!("rb0000000000{n}")
}

fn route(prefix: &str, next_hops: &[usize], backup: Option<usize>) -> BestRoute {
    let path = |at: &usize| {
        let next_hop: ScopedAddr = NEXT_HOPS[*at].parse().unwrap();
        PathView {
            peer: Some(PeerId::Address(next_hop.ip)),
            kind: PathKind::External,
            next_hop: Some(next_hop),
            attributes: Arc::new(PathAttributes::default()),
            learned: None,
            priority: None,
        }
    };
    BestRoute {
        prefix: prefix.parse().unwrap(),
        paths: next_hops.iter().map(path).collect(),
        backup: backup.map(|at| NEXT_HOPS[at].parse().unwrap()),
    }
}

#[derive(Debug, Clone)]
enum Act {
    Learn(usize, Vec<usize>, Option<usize>),
    Forget(usize),
    Link(usize, bool),
    Default(usize),
    Mode(usize),
    /// A probe of a node is answered, or lost.
    Probe(usize, bool),
    Pod(u8, bool),
    PodLink(u8, bool),
    Whole,
    Round,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let next_hops = proptest::collection::vec(0..NEXT_HOPS.len(), 1..3);
    let act = prop_oneof![
        6 => (0..PREFIXES.len(), next_hops, proptest::option::of(0..NEXT_HOPS.len()))
            .prop_map(|(prefix, hops, backup)| Act::Learn(prefix, hops, backup)),
        3 => (0..PREFIXES.len()).prop_map(Act::Forget),
        1 => (0..2usize, any::<bool>()).prop_map(|(link, up)| Act::Link(link, up)),
        1 => (0..2usize).prop_map(Act::Default),
        1 => (0..MODES.len()).prop_map(Act::Mode),
        2 => (0..PROBED.len(), any::<bool>()).prop_map(|(node, answered)| Act::Probe(node, answered)),
        2 => (5..8u8, any::<bool>()).prop_map(|(pod, there)| Act::Pod(pod, there)),
        2 => (5..8u8, any::<bool>()).prop_map(|(pod, there)| Act::PodLink(pod, there)),
        1 => Just(Act::Whole),
        4 => Just(Act::Round),
    ];
    proptest::collection::vec(act, 1..40)
}

/// What goes in, and what the fast path keeps.
#[derive(Default)]
struct World {
    rib: RibSnapshot,
    mode: usize,
    verdicts: Verdicts,
    up: [bool; 2],
    default: usize,
    pods: BTreeSet<u8>,
    links: BTreeSet<u8>,
    changed: Extent,
    table: Arc<RwLock<Table>>,
    /// The last round, and the FIB as it was handed on.
    last: Option<(Decisions, DesiredFib)>,
    /// What it was made from, the learned routes apart.
    premises: Option<Premises>,
}

type Premises = (
    usize,
    [bool; 2],
    usize,
    [BTreeSet<u8>; 2],
    Verdicts,
    BTreeSet<ScopedAddr>,
);

impl World {
    fn act(&mut self, act: Act, plans: &[Plan]) {
        match act {
            Act::Learn(at, hops, backup) => {
                let route = route(PREFIXES[at], &hops, backup);
                self.note(route.prefix);
                self.rib.loc_rib.insert(route.prefix, route);
            }
            Act::Forget(at) => {
                let prefix = PREFIXES[at].parse().unwrap();
                self.note(prefix);
                self.rib.loc_rib.remove(&prefix);
            }
            Act::Link(at, up) => self.up[at] = up,
            Act::Default(at) => self.default = at,
            Act::Mode(at) => self.mode = at,
            Act::Probe(node, answered) => {
                let key = ProbeKey::new(PROBED[node], tunnel::Family::Ipv4);
                let seen = Seen {
                    sent: self.verdicts.of(&key).seen().sent + 1,
                    ..Seen::default()
                };
                let verdict = match answered {
                    true => ProbeVerdict::Carries(seen),
                    false => ProbeVerdict::Silent(Silence::Lost, seen),
                };
                self.verdicts.peers.insert(key, verdict);
            }
            Act::Pod(pod, there) => toggle(&mut self.pods, pod, there),
            Act::PodLink(pod, there) => toggle(&mut self.links, pod, there),
            Act::Whole => self.changed = Extent::All,
            Act::Round => self.round(plans),
        }
    }

    fn note(&mut self, prefix: IpNet) {
        if let Extent::Only(prefixes) = &mut self.changed {
            prefixes.insert(prefix);
        }
    }

    fn round(&mut self, plans: &[Plan]) {
        let routes = self.rib.loc_rib.values();
        let asked = |r: &BestRoute| -> Vec<ScopedAddr> {
            let paths = r.paths.iter().filter_map(|p| p.next_hop);
            paths.chain(r.backup).collect()
        };
        self.rib.tracked = routes.flat_map(asked).collect();
        let view = view(self.up, self.default, &self.links);
        let pod = |n: &u8| PodLink {
            addresses: vec![IpAddr::from([10, 244, 1, *n])],
            interface: pod_link(*n).into(),
        };
        let pods: Vec<PodLink> = self.pods.iter().map(pod).collect();
        let own = ["10.244.1.0".parse().unwrap()];
        let inputs = Inputs {
            plan: &plans[self.mode],
            rib: &self.rib,
            view: &view,
            pods: &pods,
            own_pod_addresses: &own,
            services: None,
            place: Place::default(),
            verdicts: &self.verdicts,
        };
        let changed = std::mem::take(&mut self.changed);
        let premises: Premises = (
            self.mode,
            self.up,
            self.default,
            [self.pods.clone(), self.links.clone()],
            self.verdicts.clone(),
            self.rib.tracked.clone(),
        );
        let last = self.last.as_ref().map(|(last, _)| last);
        let known = last.filter(|_| self.premises.as_ref() == Some(&premises));
        let again = match known {
            Some(last) => Begun::again(inputs, &self.table, changed, last),
            None => Err(changed),
        };
        let begun = again.unwrap_or_else(|changed| Begun::new(inputs, &self.table, changed, |_, _| {}));
        let (fast, changed) = begun.finish();
        self.premises = Some(premises);
        let whole = decide(inputs);
        assert_eq!(texts(&fast.routes()), texts(&whole.routes()));
        assert_eq!(fast.table().outside, whole.table().outside);
        assert_eq!(fast.outline.next_hops, whole.outline.next_hops);
        assert_eq!(fast.outline.tunnels, whole.outline.tunnels);
        assert_eq!(fast.outline.host, whole.outline.host);
        assert_eq!(fast.outline.paths, whole.outline.paths);
        assert_eq!(fast.outline.originated, whole.outline.originated);
        assert_eq!(fast.outline.ruleset, whole.outline.ruleset);
        let fib = match (self.last.take(), changed) {
            (Some((was, mut fib)), Extent::Only(prefixes)) => {
                let learned = &fast.table().routes;
                let own = (&was.outline.own, &fast.outline.own);
                for (key, route) in
                    routes::fib_changes((&Place::default(), &BTreeSet::new()), own, learned, &prefixes)
                {
                    match route {
                        Some(route) => fib.routes.insert(key, route),
                        None => fib.routes.remove(&key),
                    };
                }
                fib
            }
            _ => fast.fib(true),
        };
        assert_eq!(fib, whole.fib(true));
        for (key, set) in &whole.nexthops.sets {
            assert_eq!(fast.nexthops.sets.get(key), Some(set), "{key}");
        }
        self.last = Some((fast, fib));
    }
}

fn toggle(set: &mut BTreeSet<u8>, member: u8, there: bool) {
    match there {
        true => set.insert(member),
        false => set.remove(&member),
    };
}

fn texts(decided: &Decided) -> BTreeMap<IpNet, String> {
    let text = |(prefix, decision): (&IpNet, &_)| (*prefix, format!("{decision:?}"));
    decided.iter().map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_path_is_deciding_from_nothing(acts in acts()) {
        let plans: Vec<Plan> = MODES.iter().map(|mode| plan(mode)).collect();
        let mut world = World { up: [true, true], changed: Extent::All, ..World::default() };
        for act in acts {
            world.act(act, &plans);
        }
        world.round(&plans);
    }
}
