//! The table of modes and families, on three nodes: `near` on the same link, `far` behind a router.

use config::load::{Source, load};
use config::vocabulary::NodeName;
use routesync::{Address, ForeignRoute, Link, Metric, NextHop, Protocol, RouteKind};
use tunnel::probe::{ProbeVerdict, Seen, Silence, Verdicts};

use super::*;
use crate::decide::{Extent, Inputs, Place, RibSnapshot, decide_again};
use crate::plan::{Ownership, Passwords, compile};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn plan(v4: &str, v6: &str) -> Plan {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\n\
         spec: {{ cidr: 10.244.0.0/16, {v4} }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods6 }}\n\
         spec: {{ cidr: \"2001:db8:244::/48\", {v6} }}\n"
    );
    for (name, v4, v6, at) in [
        ("a", "192.0.2.11/24", "2001:db8:1::11/64", 1),
        ("near", "192.0.2.12/24", "2001:db8:1::12/64", 2),
        ("far", "198.51.100.11/24", "2001:db8:2::11/64", 3),
    ] {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}\n\
             spec: {{ bgp: {{ ipv4Address: {v4}, ipv6Address: \"{v6}\" }}, \
             podCIDRs: [10.244.{at}.0/24, \"2001:db8:244:{at}::/64\", 10.244.10{at}.0/24] }}\n"
        );
    }
    let loaded = load(&[Source {
        name: "test".into(),
        text,
    }]);
    let intent = loaded.intent.unwrap_or_else(|| panic!("{:?}", loaded.problems));
    let name: NodeName = "a".parse().unwrap();
    compile(
        &intent,
        &name,
        &Ownership::of_resources(&intent, &name),
        &Passwords::new(),
    )
    .unwrap()
}

fn view() -> KernelView {
    let link = |index, name: &str, mtu| Link {
        index,
        name: name.into(),
        up: true,
        carrier: true,
        mtu,
        ..Link::default()
    };
    let route = |destination, gateway| ForeignRoute {
        destination: net(destination),
        metric: Metric(0),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway,
            index: 2,
            usable: true,
        }],
    };
    let links = [
        link(2, "eth0", 9000),
        link(3, "rb-vxlan", 8950),
        link(4, "rb-vxlan6", 8930),
    ];
    KernelView {
        generation: 1,
        links: links.into_iter().map(|l| (l.index, l)).collect(),
        addresses: vec![Address {
            index: 2,
            net: net("192.0.2.11/24"),
        }],
        foreign: vec![
            route("0.0.0.0/0", Some(ip("192.0.2.1"))),
            route("192.0.2.0/24", None),
            route("2001:db8:1::/64", None),
        ],
    }
}

fn own() -> [IpAddr; 2] {
    [ip("10.244.1.0"), ip("2001:db8:244:1::")]
}

#[test]
fn families_are_probed_by_their_pools_modes() {
    let (never, v4, v6) = ("vxlanMode: Never", Family::Ipv4, Family::Ipv6);
    for (modes, answering, probing) in [
        ([never, never], vec![], vec![]),
        (["vxlanMode: Auto", never], vec![v4], vec![v4]),
        (["ipipMode: Auto", never], vec![v4], vec![v4]),
        ([never, "vxlanMode: Auto"], vec![v6], vec![v6]),
        (["vxlanMode: Auto", "vxlanMode: Auto"], vec![v4, v6], vec![v4, v6]),
        (["vxlanMode: Always", "vxlanMode: Auto"], vec![v4, v6], vec![v6]),
        (["vxlanMode: CrossSubnet", never], vec![v4], vec![]),
        (["ipipMode: Always", never], vec![], vec![]),
    ] {
        let probes = wanted(&plan(modes[0], modes[1]), &view(), &own());
        let locals: Vec<Family> = probes.local.keys().copied().collect();
        assert_eq!(locals, answering, "{modes:?}");
        let peers: BTreeSet<Family> = probes.peers.keys().map(|key| key.family).collect();
        assert_eq!(peers.into_iter().collect::<Vec<_>>(), answering, "{modes:?}");
        let sent = probes.peers.iter().filter(|(_, peer)| peer.hop.is_some());
        let sent: BTreeSet<Family> = sent.map(|(key, _)| key.family).collect();
        assert_eq!(sent.into_iter().collect::<Vec<_>>(), probing, "{modes:?}");
    }
}

#[test]
fn the_way_is_the_kernels_own() {
    let probes = wanted(&plan("vxlanMode: Auto", "vxlanMode: Auto"), &view(), &own());
    assert_eq!(
        probes.local[&Family::Ipv4],
        LocalEnd {
            pod: ip("10.244.1.0"),
            node: ip("192.0.2.11")
        }
    );
    let peer = |node, family| &probes.peers[&ProbeKey::new(node, family)];
    let hop = |gateway| {
        Some(NativeHop {
            gateway: ip(gateway),
            interface: "eth0".into(),
        })
    };
    let near = peer("near", Family::Ipv4);
    assert_eq!((near.pod, near.size), (ip("10.244.2.0"), 9000));
    assert_eq!(near.others, [ip("10.244.102.0")], "of its other block");
    assert_eq!(near.hop, hop("192.0.2.12"), "a neighbour is its own gateway");
    assert_eq!(near.nodes, [ip("192.0.2.12")]);
    assert_eq!(peer("far", Family::Ipv4).hop, hop("192.0.2.1"));
    let near6 = peer("near", Family::Ipv6);
    assert_eq!(
        (near6.pod, &near6.hop),
        (ip("2001:db8:244:2::"), &hop("2001:db8:1::12"))
    );
    let lost = peer("far", Family::Ipv6);
    assert_eq!(
        (&lost.hop, lost.size),
        (&None, 1500),
        "no route: it answers all the same"
    );
}

#[test]
fn without_addresses_nothing_is_probed() {
    let plan = plan("vxlanMode: Auto", "vxlanMode: Auto");
    assert_eq!(wanted(&plan, &view(), &[]), DesiredProbes::default());
    let v4 = wanted(&plan, &view(), &own()[..1]);
    assert!(v4.peers.keys().all(|key| key.family == Family::Ipv4) && v4.peers.len() == 2);
    let mut without = plan.clone();
    without.remotes[0].blocks.retain(|block| block.addr().is_ipv6());
    assert_eq!(
        wanted(&without, &view(), &own()[..1]).peers.len(),
        1,
        "a node without a block"
    );
}

#[test]
fn what_the_run_before_had_as_direct_is_taken_over() {
    let plan = plan("vxlanMode: Auto", "vxlanMode: Auto");
    let direct = ["10.244.2.0/24", "2001:db8:244:3::/64", "203.0.113.0/24"].map(net);
    let carried = carried(&plan, &direct.into());
    let expected = [
        ProbeKey::new("near", Family::Ipv4),
        ProbeKey::new("far", Family::Ipv6),
    ];
    assert_eq!(carried, expected.into());
}

#[test]
fn a_device_is_tested_with_those_that_it_leads_to() {
    let plan = plan("vxlanMode: Auto", "vxlanMode: CrossSubnet");
    let key = ProbeKey::new("near", Family::Ipv4);
    let verdicts = Verdicts {
        peers: [(key, ProbeVerdict::Carries(Seen::default()))].into(),
        ..Verdicts::default()
    };
    let paths = paths::node_paths(&plan, &view(), &BTreeMap::new(), &verdicts);
    let tests = offload_tests(&plan, &view(), &own(), &paths);
    let to = |device| -> Vec<IpAddr> { tests[&device].checks.iter().map(|check| check.to).collect() };
    assert_eq!(
        to(Device::Vxlan),
        [ip("10.244.3.0"), ip("10.244.103.0")],
        "near is reached directly"
    );
    assert_eq!(to(Device::Vxlan6), [ip("2001:db8:244:3::")]);
    assert_eq!(tests[&Device::Vxlan].index, 3);
    assert_eq!(tests[&Device::Vxlan].checks[0].nodes, [ip("198.51.100.11")]);
    let mut gone = view();
    gone.links.remove(&3);
    let devices: Vec<Device> = offload_tests(&plan, &gone, &own(), &paths).into_keys().collect();
    assert_eq!(devices, [Device::Vxlan6], "no device, no test");
}

/// What the probes have found about the nodes in IPv4.
fn verdicts(near: ProbeVerdict, far: ProbeVerdict) -> Verdicts {
    let key = |node| ProbeKey::new(node, Family::Ipv4);
    Verdicts {
        peers: [(key("near"), near), (key("far"), far)].into(),
        ..Verdicts::default()
    }
}

#[test]
fn a_verdict_makes_another_choice_and_its_counts_alone_make_none() {
    let (plan, view, table) = (
        plan("vxlanMode: Auto", "vxlanMode: Never"),
        view(),
        Default::default(),
    );
    let decide = |verdicts: &Verdicts| {
        let inputs = Inputs {
            plan: &plan,
            rib: &RibSnapshot::default(),
            view: &view,
            pods: &[],
            own_pod_addresses: &own(),
            services: None,
            place: Place::default(),
            verdicts,
        };
        let (decisions, changed) = decide_again(inputs, &table, Extent::default());
        let way = |node: &str| {
            let path = paths::find(&decisions.outline.paths, "pods", &node.parse().unwrap());
            path.unwrap().choice.encapsulation
        };
        let ways = ["near", "far"].map(way);
        (ways, changed == Extent::All)
    };
    let carries = |sent| {
        ProbeVerdict::Carries(Seen {
            sent,
            ..Seen::default()
        })
    };
    let silent = |why| ProbeVerdict::Silent(why, Seen::default());
    use Encapsulation::{Direct, Vxlan};
    for (at, (verdicts, ways, anew)) in [
        (Verdicts::default(), [Vxlan, Vxlan], true),
        (verdicts(carries(4), silent(Silence::Lost)), [Direct, Vxlan], true),
        (
            verdicts(carries(5), silent(Silence::Lost)),
            [Direct, Vxlan],
            false,
        ),
        (
            verdicts(carries(5), silent(Silence::TooLarge)),
            [Direct, Vxlan],
            true,
        ),
        (verdicts(silent(Silence::Lost), carries(1)), [Vxlan, Direct], true),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(decide(&verdicts), (ways, anew), "step {at}");
    }
}
