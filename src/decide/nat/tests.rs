use config::load::{Source, load};
use routesync::{Address, ForeignRoute, Metric, NextHop, Protocol};

use super::*;
use crate::plan::{Ownership, Passwords, compile};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| net(text)).collect()
}

/// Two nodes and two pools of either family; `pool` is what the first of each says besides.
fn plan(pool: &str) -> Plan {
    let mut text = String::new();
    for (name, cidr, more) in [
        ("pods", "10.244.0.0/16", pool),
        ("pods6", "fd00:10:244::/48", pool),
        ("plain", "10.245.0.0/16", "natOutgoing: false"),
        ("plain6", "fd00:10:245::/48", "natOutgoing: false"),
    ] {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\n\
             spec: {{ cidr: '{cidr}', {more} }}\n"
        );
    }
    for (name, n) in [("a", 11), ("b", 12)] {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.{n}/24, ipv6Address: '2001:db8::{n}/64' }}, podCIDRs: [] }}\n"
        );
    }
    let name = "test".into();
    let loaded = load(&[Source { name, text }]);
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

/// lo, eth0 and dummy0; the node's addresses on one of them; routes to these destinations by eth0.
fn view(on: Option<u32>, length: [u8; 2], routes: &[(&str, u32)]) -> KernelView {
    let link = |(index, name): (u32, &str)| Link {
        index,
        name: name.into(),
        up: true,
        carrier: true,
        mtu: 1500,
        ..Link::default()
    };
    let own = ["192.0.2.11", "2001:db8::11"].into_iter().zip(length);
    let address = |(text, length): (&str, u8)| {
        let address: IpAddr = text.parse().unwrap();
        on.map(|index| Address {
            index,
            net: IpNet::new(address, length).unwrap(),
        })
    };
    let route = |(to, index): &(&str, u32)| ForeignRoute {
        destination: net(to),
        metric: Metric(0),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway: None,
            index: *index,
            usable: true,
        }],
    };
    KernelView {
        generation: 1,
        links: [(1, "lo"), (2, "eth0"), (3, "dummy0")]
            .map(link)
            .map(|l| (l.index, l))
            .into(),
        addresses: own.filter_map(address).collect(),
        foreign: routes.iter().map(route).collect(),
    }
}

fn wanted(plan: &Plan, view: &KernelView, to_peers: &[&str]) -> ruleset::Wanted {
    let uplinks = Uplinks {
        to_peers: to_peers.iter().map(|name| (*name).into()).collect(),
        ..Uplinks::default()
    };
    super::wanted(plan, view, &uplinks)
}

/// A wire with both subnets of it.
fn on_a_wire() -> KernelView {
    view(
        Some(2),
        [24, 64],
        &[("192.0.2.0/24", 2), ("2001:db8::/64", 2), ("fe80::/64", 2)],
    )
}

#[test]
fn pools_and_nodes_see_pods_and_the_rest_the_node() {
    let nat = wanted(&plan("natOutgoing: true"), &on_a_wire(), &[]).nat;
    assert_eq!(nat.pools, nets(&["10.244.0.0/16", "fd00:10:244::/48"]));
    let exceptions = [
        "10.244.0.0/16",
        "10.245.0.0/16",
        "192.0.2.11/32",
        "192.0.2.12/32",
        "2001:db8::11/128",
        "2001:db8::12/128",
        "fd00:10:244::/48",
        "fd00:10:245::/48",
    ];
    assert_eq!(nat.exceptions, nets(&exceptions));
    assert_eq!((nat.source_v4, nat.source_v6), (None, None));
}

#[test]
fn what_a_pool_says_besides_changes_nothing() {
    let all = wanted(&plan("natOutgoing: true"), &on_a_wire(), &[]);
    for besides in [
        "disabled: true",
        "disableBGPExport: true",
        "vxlanMode: Always",
        "nodeSelector: none == 'me'",
    ] {
        let plan = plan(&format!("natOutgoing: true, {besides}"));
        assert_eq!(wanted(&plan, &on_a_wire(), &[]), all, "{besides}");
    }
    for without in ["natOutgoing: false", "disabled: false"] {
        let plan = plan(without);
        assert_eq!(
            wanted(&plan, &on_a_wire(), &[]),
            ruleset::Wanted::default(),
            "{without}"
        );
    }
}

#[test]
fn an_address_on_no_uplink_is_the_one_that_is_used() {
    let plan = plan("natOutgoing: true");
    let own = (
        Some([192, 0, 2, 11].into()),
        Some("2001:db8::11".parse().unwrap()),
    );
    let uplink = [("198.18.1.0/24", 2), ("0.0.0.0/0", 2)];
    let by_itself = [("2001:db8::11/128", 3), ("fe80::/64", 3), uplink[0]];
    let mut down = view(Some(3), [32, 128], &uplink);
    down.links.get_mut(&3).unwrap().up = false;
    let mut both = view(Some(1), [32, 128], &[("192.0.2.0/24", 2), ("2001:db8::/64", 2)]);
    both.addresses.extend(on_a_wire().addresses);
    let cases = [
        (
            "on loopback",
            view(Some(1), [32, 128], &uplink),
            vec!["eth0"],
            own,
        ),
        (
            "on a device that leads nowhere",
            view(Some(3), [32, 128], &by_itself),
            vec!["eth0"],
            own,
        ),
        ("on a wire", on_a_wire(), vec![], (None, None)),
        (
            "alone on the link to a peer",
            view(Some(2), [32, 128], &[]),
            vec!["eth0"],
            (None, None),
        ),
        (
            "alone on the link with the default routes",
            view(Some(2), [32, 128], &[("0.0.0.0/0", 2), ("::/0", 2)]),
            vec![],
            (None, None),
        ),
        (
            "nowhere",
            view(None, [32, 128], &uplink),
            vec!["eth0"],
            (None, None),
        ),
        ("on a link that is down", down, vec!["eth0"], (None, None)),
        ("on loopback and on a wire", both, vec![], (None, None)),
    ];
    for (what, view, peers, source) in cases {
        let nat = wanted(&plan, &view, &peers).nat;
        assert_eq!((nat.source_v4, nat.source_v6), source, "{what}");
    }
}

#[test]
fn only_a_source_that_is_the_nodes_no_more_is_stale() {
    let with = |source: Option<&str>, nodes: &[&str]| ruleset::Wanted {
        nat: nat::Wanted {
            pools: nets(&["10.244.0.0/16"]),
            exceptions: nets(nodes),
            source_v4: source.map(|source| source.parse().unwrap()),
            source_v6: None,
        },
    };
    let (old, new) = ("192.0.2.11", "192.0.2.99");
    let nodes = ["192.0.2.11/32"];
    let cases = [
        (with(None, &nodes), with(None, &nodes), vec![]),
        (with(None, &nodes), with(Some(old), &nodes), vec![]),
        (with(Some(old), &nodes), with(Some(old), &[]), vec![]),
        (
            with(Some(old), &nodes),
            with(Some(new), &["192.0.2.99/32"]),
            vec![old],
        ),
        // It moved to an uplink.
        (with(Some(old), &nodes), with(None, &nodes), vec![]),
        // The node has another one, which is on an uplink.
        (with(Some(old), &nodes), with(None, &["192.0.2.99/32"]), vec![old]),
    ];
    for (old, new, stale) in cases {
        let found: Vec<String> = stale_sources(&old, &new).map(|a| a.to_string()).collect();
        assert_eq!(found, stale, "{old:?} {new:?}");
    }
}

#[test]
fn it_says_why() {
    let plan = plan("natOutgoing: true");
    let loopback = view(Some(1), [32, 128], &[("0.0.0.0/0", 2)]);
    let without = super::tests::plan("natOutgoing: false");
    let masqueraded = wanted(&plan, &on_a_wire(), &[]);
    let fixed = wanted(&plan, &loopback, &[]);
    let cases = [
        (
            &plan,
            &masqueraded,
            "203.0.113.1/32",
            "appear as the address of the interface",
            "in no pool, and no node",
        ),
        (
            &plan,
            &fixed,
            "203.0.113.1/32",
            "appear as 192.0.2.11",
            "192.0.2.11 is on no uplink",
        ),
        (
            &plan,
            &fixed,
            "2001:db8:9::/64",
            "appear as 2001:db8::11",
            "in no pool",
        ),
        (
            &plan,
            &fixed,
            "10.245.3.4/32",
            "keep their own",
            "is in pool plain",
        ),
        (
            &plan,
            &fixed,
            "192.0.2.12/32",
            "keep their own",
            "address of a node",
        ),
        (
            &without,
            &ruleset::Wanted::default(),
            "203.0.113.1/32",
            "keep their own",
            "no pool",
        ),
    ];
    for (plan, wanted, target, result, check) in cases {
        let (text, checks) = explain(plan, wanted, &net(target));
        assert!(text.contains(result), "{target}: {text}");
        assert!(
            checks.iter().any(|said| said.contains(check)),
            "{target}: {checks:?}"
        );
    }
}
