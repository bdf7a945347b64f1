//! Pools in mode `Always` and `Never`, in both families at once; and a node with an AS of its own, which makes
//! its sessions in the mesh external.

use super::cluster::{self, Families, block, gateway, node, own_pod_address, pod};
use super::{addresses, explained, leads, stage, traffic, tunnelled};
use crate::support::{Fabric, check, eventually, kernel, view};

fn device(ipv4: bool) -> &'static str {
    if ipv4 { "rb-vxlan" } else { "rb-vxlan6" }
}

/// Every pod reaches every other one, and every node every pod, in both families.
fn all_reach_all(fabric: &Fabric) {
    for ipv4 in [true, false] {
        for (from, to) in [("p1", 2), ("p1", 3), ("p3", 1), ("n1", 2), ("n1", 3), ("n3", 1)] {
            traffic::ping(fabric, from, &pod(to, ipv4));
        }
        for to in [2, 3] {
            traffic::tcp(fabric, "p1", &format!("p{to}"), &pod(to, ipv4));
        }
    }
}

#[test]
fn always_tunnels_inside_the_rack_too() {
    let fabric = cluster::up("always", Families::Both, "Always", "");
    for ipv4 in [true, false] {
        for (at, to) in [(1, 2), (1, 3), (3, 1)] {
            eventually("a route into the tunnel", || {
                let source = own_pod_address(at, ipv4);
                tunnelled(
                    &fabric,
                    &format!("n{at}"),
                    &block(to, ipv4),
                    device(ipv4),
                    &source,
                )
            });
        }
        let (verdict, _) = explained(&fabric, "n1", &pod(2, ipv4));
        assert!(
            verdict.contains("VXLAN to node n2") && verdict.contains("Always"),
            "{verdict}"
        );
    }
    all_reach_all(&fabric);
    // The narrower of the two tunnels is the pod's: 1500 less IPv6, UDP, VXLAN and Ethernet headers.
    traffic::mtu(&fabric, "p1", &pod(2, false), 1430);
    traffic::mtu(&fabric, "p1", &pod(3, true), 1430);
}

#[test]
fn never_has_no_tunnel_and_follows_the_fabric() {
    let fabric = cluster::up("never", Families::Both, "Never", "");
    for ipv4 in [true, false] {
        eventually("the route in the rack", || {
            leads(&fabric, "n1", &block(2, ipv4), "eth1", &node(2, ipv4))
        });
        eventually("the route through the router", || {
            leads(&fabric, "n1", &block(3, ipv4), "eth1", gateway(1, ipv4))?;
            leads(&fabric, "n3", &block(1, ipv4), "eth1", gateway(3, ipv4))
        });
        let held = addresses(&fabric, "n1", "lo");
        assert!(
            held.contains(&own_pod_address(1, ipv4)),
            "the node's own pod address is not on loopback: {held:?}"
        );
        let (verdict, stages) = explained(&fabric, "n1", &pod(3, ipv4));
        assert!(verdict.contains("Never"), "{verdict}");
        assert_eq!(stage(&stages, "encapsulation"), "direct");
    }
    let links = kernel::links(&fabric, "n1");
    assert!(!links.iter().any(|l| l.starts_with("rb-")), "{links:?}");
    all_reach_all(&fabric);
    traffic::mtu(&fabric, "p1", &pod(3, false), 1500);
    traffic::mtu(&fabric, "p1", &pod(3, true), 1500);
}

#[test]
fn a_node_with_an_as_of_its_own_is_a_node_like_others() {
    let fabric = cluster::up("own-as", Families::Both, "CrossSubnet", "asNumber: 64999");
    let peer = view::peer(&fabric, "n1", &node(3, true)).expect("n1 has a session with n3");
    assert_eq!(
        (peer.remote_as, peer.kind.as_str()),
        (64999, "external"),
        "{peer:?}"
    );
    for ipv4 in [true, false] {
        for (at, to) in [(1, 3), (3, 1)] {
            eventually("a route into the tunnel", || {
                let source = own_pod_address(at, ipv4);
                tunnelled(
                    &fabric,
                    &format!("n{at}"),
                    &block(to, ipv4),
                    device(ipv4),
                    &source,
                )
            });
        }
        let route = view::route(&fabric, "n1", &block(3, ipv4)).expect("n1 knows the block of n3");
        assert_eq!(
            (route.origin.as_str(), route.node.as_deref()),
            ("external", Some("n3")),
            "{route:?}"
        );
        // What eBGP taught goes nowhere: n2 has n3's block from n3 alone.
        let received = view::route_of(&fabric, "n2", &block(3, ipv4), &["--received", &node(1, true)]);
        assert!(received.is_err(), "n1 passed n3's block on: {received:?}");
    }
    all_reach_all(&fabric);
}

/// The mode of both pools is edited on all nodes: devices, addresses and routes follow, pods keep theirs.
#[test]
fn a_changed_mode_takes_effect_at_once() {
    let fabric = cluster::up("change", Families::Both, "Always", "");
    let edit = |mode: &str| {
        for node in ["n1", "n2", "n3"] {
            fabric.edit(node, &cluster::resources(Families::Both, mode, ""));
        }
    };
    let own_address_on = |link: &str, ipv4: bool| {
        let held = addresses(&fabric, "n1", link);
        check(held.contains(&own_pod_address(1, ipv4)), || {
            format!("{link} has {held:?}")
        })
    };
    edit("Never");
    for ipv4 in [true, false] {
        eventually("the native route", || {
            leads(&fabric, "n1", &block(3, ipv4), "eth1", gateway(1, ipv4))?;
            own_address_on("lo", ipv4)
        });
    }
    eventually("the end of the tunnels", || {
        let links = kernel::links(&fabric, "n1");
        check(!links.iter().any(|l| l.starts_with("rb-")), || {
            format!("{links:?}")
        })
    });
    traffic::ping(&fabric, "p1", &pod(3, true));
    traffic::ping(&fabric, "p1", &pod(3, false));
    edit("CrossSubnet");
    for ipv4 in [true, false] {
        eventually("the route into the tunnel", || {
            let source = own_pod_address(1, ipv4);
            tunnelled(&fabric, "n1", &block(3, ipv4), device(ipv4), &source)?;
            own_address_on(device(ipv4), ipv4)
        });
        let loopback = own_address_on("lo", ipv4);
        assert!(loopback.is_err(), "the own pod address is on loopback still");
    }
    all_reach_all(&fabric);
    for node in ["n1", "n2", "n3"] {
        eventually("a node without problems", || {
            let status = view::status(&fabric, node)?;
            check(status.ready && status.problems.is_empty(), || {
                format!("{:?}", status.problems)
            })
        });
    }
}
