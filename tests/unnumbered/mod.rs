//! A node whose links have no addresses but those that the kernel makes by itself: two links to one router of FRR, which has the
//! same link-local address on both. IPv4 routes have IPv6 next hops (RFC 8950), packets take both links, and the loss of
//! one leaves the other.

use interop_table::Feature;
use serde_json::Value;

use crate::interop::{makes::Frr, record};
use crate::support::{Builder, Fabric, check, eventually, kernel, view};

const NODE: &str = "n1";
const ROUTER: &str = "r1";
const LINKS: [&str; 2] = ["eth1", "eth2"];

/// What is behind the router, and behind the node, by family.
const THEIRS: [&str; 2] = ["198.51.100.0/24", "2001:db8:51::/64"];
const OURS: [&str; 2] = ["10.244.1.0/24", "2001:db8:244:1::/64"];
/// A host there, and the node's first pod.
const FAR: [&str; 2] = ["198.51.100.9", "2001:db8:51::9"];
const POD: [&str; 2] = ["10.244.1.1", "2001:db8:244:1::1"];

const RESOURCES: &str = "
apiVersion: roadbed.dev/v1
kind: BGPConfiguration
metadata: { name: default }
spec: { asNumber: 64512, nodeToNodeMeshEnabled: false, holdTime: 9s, connectRetryTime: 1s }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, vxlanMode: Never }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods6 }
spec: { cidr: '2001:db8:244::/48', vxlanMode: Never }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: n1 }
spec: { bgp: { ipv4Address: 192.0.2.11/32 }, podCIDRs: [10.244.1.0/24, '2001:db8:244:1::/64'] }
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: first }
spec: { interface: eth1, asNumber: external }
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: second }
spec: { interface: eth2, asNumber: external }
";

const FRR: &str = "frr defaults datacenter
log stdout warnings
!
router bgp 65001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor eth1 interface remote-as external
 neighbor eth1 timers connect 1
 neighbor eth2 interface remote-as external
 neighbor eth2 timers connect 1
 address-family ipv4 unicast
  network 198.51.100.0/24
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:51::/64
  neighbor eth1 activate
  neighbor eth2 activate
 exit-address-family
exit
";

fn up(scenario: &str) -> Fabric {
    // The same address on both links of the router: only the link tells its two ends apart.
    let same = |link: &str| {
        [
            format!("sysctl -qw net.ipv6.conf.{link}.addr_gen_mode=1"),
            format!("ip -6 addr flush dev {link} scope link"),
            format!("ip -6 addr add fe80::1/64 dev {link} nodad"),
        ]
    };
    let mut router: Vec<String> = LINKS.iter().flat_map(|link| same(link)).collect();
    router.extend(
        [
            "ip addr add 198.51.100.1/24 dev eth3",
            "ip addr add 2001:db8:51::1/64 dev eth3 nodad",
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        ]
        .map(str::to_owned),
    );
    let router: Vec<&str> = router.iter().map(String::as_str).collect();
    let far = [
        "ip addr add 198.51.100.9/24 dev eth1",
        "ip addr add 2001:db8:51::9/64 dev eth1 nodad",
        "ip route add default via 198.51.100.1",
        "ip -6 route add default via 2001:db8:51::1",
    ];
    Builder::new(scenario)
        .agent(NODE, &["ip addr add 192.0.2.11/32 dev lo"])
        .pod("p1", NODE)
        .frr(ROUTER, FRR, &router)
        .host("far", &far)
        .link("n1:eth1", "r1:eth1")
        .link("n1:eth2", "r1:eth2")
        .link("far:eth1", "r1:eth3")
        .resources(RESOURCES)
        .up()
}

/// The ways of one of our routes: gateway and link.
fn ways(fabric: &Fabric, prefix: &str) -> Result<Vec<(String, String)>, String> {
    let route = kernel::route(fabric, NODE, prefix)?;
    let hops = match route.get("nexthops").and_then(Value::as_array) {
        Some(hops) => hops.clone(),
        None => vec![route],
    };
    // `via` is a gateway of the other family.
    let way = |hop: &Value| {
        let gateway = hop.pointer("/via/host").or_else(|| hop.get("gateway"));
        let gateway = gateway.and_then(Value::as_str).unwrap_or_default().to_owned();
        (gateway, kernel::text(hop, "dev"))
    };
    let mut ways: Vec<_> = hops.iter().map(way).collect();
    ways.sort();
    Ok(ways)
}

/// All routes to what is behind the router go over exactly these links.
fn lead_over(fabric: &Fabric, links: &[&str]) -> Result<(), String> {
    let wanted: Vec<_> = links
        .iter()
        .map(|link| ("fe80::1".to_owned(), (*link).to_owned()))
        .collect();
    for prefix in THEIRS {
        let ways = ways(fabric, prefix)?;
        check(ways == wanted, || format!("{prefix}: {ways:?}"))?;
    }
    Ok(())
}

/// FRR's kernel has so many ways to what is behind the node.
fn come_back_over(fabric: &Fabric, links: usize) -> Result<(), String> {
    for (prefix, family) in OURS.iter().zip(["-4", "-6"]) {
        let words = ["ip", "-j", family, "route", "show", prefix];
        let routes = kernel::json(fabric, ROUTER, &words);
        let ways = |route: &Value| {
            let hops = route.get("nexthops").and_then(Value::as_array);
            hops.map_or(1, Vec::len)
        };
        let count: usize = routes.iter().map(ways).sum();
        check(count == links, || format!("{prefix} at FRR: {routes:?}"))?;
    }
    Ok(())
}

fn ping(fabric: &Fabric, from: &str, to: &str) -> Result<(), String> {
    let words = ["ping", "-c", "2", "-i", "0.2", "-W", "1", to];
    fabric.exec_ok(from, &words).map(drop).map_err(|e| e.to_string())
}

fn traffic(fabric: &Fabric) -> Result<(), String> {
    for family in 0..2 {
        ping(fabric, "p1", FAR[family])?;
        ping(fabric, "far", POD[family])?;
    }
    Ok(())
}

#[test]
fn two_links_without_addresses_carry_both_families_and_the_loss_of_one_leaves_the_other() {
    let fabric = up("unnumbered");
    for link in LINKS {
        let peer = eventually("the session on a link", || view::established(&fabric, NODE, link));
        assert_eq!(peer.kind, "external", "{peer:?}");
    }
    eventually("both links lead to what FRR has", || lead_over(&fabric, &LINKS));
    eventually("both links lead to what we have", || come_back_over(&fabric, 2));
    eventually("packets, both ways and in both families", || traffic(&fabric));
    let told = view::route_of(&fabric, NODE, THEIRS[0], &["--received", "eth2"]).expect("received");
    assert_eq!(told.interface.as_deref(), Some("eth2"), "{told:?}");

    fabric.run(ROUTER, "ip link set eth1 down");
    eventually("the other link alone", || lead_over(&fabric, &["eth2"]));
    eventually("FRR has left it too", || come_back_over(&fabric, 1));
    eventually("packets over the other link", || traffic(&fabric));
    let flaps = view::peer(&fabric, NODE, "eth2").expect("the peer").flaps;
    assert_eq!(flaps, 0, "the session on the other link stays");

    fabric.run(ROUTER, "ip link set eth1 up");
    fabric.run(ROUTER, "ip -6 addr replace fe80::1/64 dev eth1 nodad");
    eventually("the session is back", || view::established(&fabric, NODE, "eth1"));
    eventually("both links again", || lead_over(&fabric, &LINKS));
    eventually("packets as before", || traffic(&fabric));
    record::works(&Frr, &fabric, ROUTER, Feature::Unnumbered, "");
}
