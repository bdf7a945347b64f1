//! A tunnel with a route to the probed address stands beside: requests never take it.

use tunnel::Family::Ipv4;
use tunnel::probe::Silence;

use crate::fabric::*;

/// Real VXLAN devices of our name on both nodes, with routes to the pods' addresses.
pub fn tunnels(fabric: &Fabric) {
    for (node, other) in [(&fabric.a, &fabric.b), (&fabric.b, &fabric.a)] {
        node.namespace.run(&format!(
            "ip link add rb-vxlan type vxlan id 4096 dstport 4789 noudpcsum local {} remote {}",
            node.nodes[0], other.nodes[0]
        ));
        node.namespace.run("ip link set rb-vxlan mtu 1450 up");
        node.namespace.run(&format!(
            "ip route add {} dev rb-vxlan src {}",
            other.pods[0], node.pods[0]
        ));
    }
}

fn sent_through_the_tunnel(node: &Node) -> u64 {
    let text = node.namespace.run("cat /proc/thread-self/net/dev");
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("rb-vxlan:"))
        .unwrap();
    line.split_whitespace().nth(10).unwrap().parse().unwrap()
}

fn ping(fabric: &Fabric) {
    fabric.a.namespace.run("ping -c 1 -W 5 -I 10.244.1.0 10.244.2.0");
}

#[test]
fn marked_packets_never_take_the_tunnel() {
    alone(|| {
        let fabric = Fabric::new();
        tunnels(&fabric);
        ping(&fabric);
        fabric.drop_packets("ip saddr 10.244.0.0/16");
        ping(&fabric);
        let before = [&fabric.a, &fabric.b].map(sent_through_the_tunnel);
        let [a, b] = fabric.start();
        // The tunnel would have carried the requests; the fabric does not.
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        b.silent(&fabric.a, Ipv4, Silence::Lost);
        fabric.heal();
        a.carries(&fabric.b, Ipv4);
        b.carries(&fabric.a, Ipv4);
        // ARP on the tunnel's own account aside, nothing passed.
        let after = [&fabric.a, &fabric.b].map(sent_through_the_tunnel);
        assert!(
            after[0] - before[0] <= 4 && after[1] - before[1] <= 4,
            "{before:?} {after:?}"
        );
        assert!(a.verdict(&fabric.b, Ipv4).seen().sent > 10);
    });
}

#[test]
fn a_request_that_takes_the_tunnel_all_the_same_is_found_out() {
    alone(|| {
        let fabric = Fabric::new();
        tunnels(&fabric);
        let [a, _b] = fabric.start();
        a.carries(&fabric.b, Ipv4);
        // Somebody removes the rule: requests go by the main table, into the tunnel, and arrive.
        fabric.a.namespace.run("ip rule del priority 82");
        a.silent(&fabric.b, Ipv4, Silence::Tunnelled);
        // Repaired at the next wish at the latest.
        a.bring(fabric.a.probes(&fabric.b));
        assert!(fabric.a.has_rule());
        a.carries(&fabric.b, Ipv4);
    });
}
