//! A cluster without any IPv4: sessions, routes, tunnels and pods.

use super::cluster::{self, Families, block, node, own_pod_address, pod};
use super::{addresses, explained, leads, stage, traffic, tunnelled};
use crate::support::{Fabric, check, eventually, kernel, view};

/// Direct in the rack, through the tunnel to the other one.
fn routed(fabric: &Fabric) {
    eventually("the route in the rack", || {
        leads(fabric, "n1", &block(2, false), "eth1", &node(2, false))
    });
    for (at, to) in [(1, 3), (3, 1), (3, 2)] {
        eventually("the route into the tunnel", || {
            let source = own_pod_address(at, false);
            tunnelled(fabric, &format!("n{at}"), &block(to, false), "rb-vxlan6", &source)
        });
    }
}

#[test]
fn everything_works_without_ipv4() {
    let fabric = cluster::up("only6", Families::OnlyIpv6, "CrossSubnet", "");
    for other in [2, 3] {
        eventually("the session over IPv6", || {
            view::established(&fabric, "n1", &node(other, false))
        });
    }
    let ids: Vec<String> = ["n1", "n2", "n3"]
        .map(|n| view::status(&fabric, n).expect("the agent answers").router_id)
        .into();
    assert!(
        ids.iter().all(|id| id != "0.0.0.0" && !id.is_empty()) && ids[0] != ids[1] && ids[1] != ids[2],
        "router ids are made from the nodes' names: {ids:?}"
    );
    routed(&fabric);
    assert_eq!(addresses(&fabric, "n1", "rb-vxlan6"), [own_pod_address(1, false)]);
    let links = kernel::links(&fabric, "n1");
    assert!(!links.contains(&"rb-vxlan".to_owned()), "{links:?}");

    for (from, to) in [("p1", 2), ("p1", 3), ("p3", 2), ("n1", 3), ("n3", 1)] {
        traffic::ping(&fabric, from, &pod(to, false));
    }
    traffic::tcp(&fabric, "p1", "p3", &pod(3, false));
    traffic::mtu(&fabric, "p1", &pod(3, false), 1430);

    let (verdict, stages) = explained(&fabric, "n1", &pod(3, false));
    assert!(verdict.contains("VXLAN to node n3"), "{verdict}");
    assert!(stage(&stages, "mtu").starts_with("1430"), "{stages:?}");
    assert!(
        stage(&stages, "neighbour").contains(&node(3, false)),
        "{stages:?}"
    );
}

/// The agent ends and comes back: routes, devices and addresses stay, and nothing is made anew.
#[test]
fn a_restart_leaves_ipv6_as_it_is() {
    let fabric = cluster::up("again6", Families::OnlyIpv6, "CrossSubnet", "");
    routed(&fabric);
    let index = |link: &str| fabric.run("n1", &format!("cat /sys/class/net/{link}/ifindex"));
    let (before, device) = (kernel::ours(&fabric, "n1"), index("rb-vxlan6"));
    fabric.stop_agent("n1").expect("the agent stops");
    assert_eq!(
        kernel::ours(&fabric, "n1"),
        before,
        "routes while the agent is away"
    );
    fabric.start_agent("n1").expect("the agent starts");
    eventually("the sessions again", || view::converged(&fabric, "n1", 2));
    eventually("the same routes", || {
        let now = kernel::ours(&fabric, "n1");
        check(now == before, || format!("{now:?} for {before:?}"))
    });
    assert_eq!(index("rb-vxlan6"), device, "the device is another one");
    traffic::ping(&fabric, "p1", &pod(3, false));
}
