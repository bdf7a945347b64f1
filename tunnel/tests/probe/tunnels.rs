//! A tunnel with a route to the probed address stands beside: requests never take it.

use tunnel::Family::Ipv4;
use tunnel::probe::{NativeHop, Silence};

use crate::fabric::*;

/// Real VXLAN devices of our name on both nodes, with routes to the pods' addresses.
pub fn tunnels(fabric: &Fabric) {
    const MACS: [&str; 2] = ["02:00:00:00:00:0a", "02:00:00:00:00:0b"];
    let nodes = [&fabric.a, &fabric.b];
    for (own, far) in [(0, 1), (1, 0)] {
        let (node, other) = (nodes[own], nodes[far]);
        node.namespace.run(&format!(
            "ip link add rb-vxlan address {} type vxlan id 4096 dstport 4789 noudpcsum local {} remote {}",
            MACS[own], node.nodes[0], other.nodes[0]
        ));
        // As ours are, and so silent by themselves: without a link-local address, and the neighbour known.
        // Two steps: one message brings the link up first, and the address with it.
        node.namespace.run("ip link set rb-vxlan addrgenmode none");
        node.namespace.run("ip link set rb-vxlan mtu 1450 up");
        node.namespace.run(&format!(
            "ip route add {} dev rb-vxlan src {}",
            other.pods[0], node.pods[0]
        ));
        node.namespace.run(&format!(
            "ip neigh replace {} lladdr {} dev rb-vxlan nud permanent",
            other.pods[0], MACS[far]
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
        let after = [&fabric.a, &fabric.b].map(sent_through_the_tunnel);
        assert_eq!(before, after, "nothing passed");
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
        // Somebody's rule stands before ours: requests go by the main table, into the tunnel, and arrive.
        fabric
            .a
            .namespace
            .run("ip rule add fwmark 0x52420000 lookup main priority 81");
        a.silent(&fabric.b, Ipv4, Silence::Tunnelled);
        fabric.a.namespace.run("ip rule del priority 81");
        a.carries(&fabric.b, Ipv4);
        // Somebody removes ours: the first answer that tells of the tunnel has it put back.
        fabric.a.namespace.run("ip rule del priority 82");
        until("the rule is back", || fabric.a.has_rule());
        a.carries(&fabric.b, Ipv4);
    });
}

#[test]
fn nodes_on_one_link_are_probed_without_a_router() {
    alone(|| {
        let fabric = Fabric::new();
        // A second wire between the two, and the way of choice.
        fabric
            .a
            .namespace
            .run("ip link add eth1 type veth peer name peer1");
        fabric.a.namespace.run(&format!(
            "ip link set peer1 netns {} name eth1",
            fabric.b.namespace.path()
        ));
        for (node, last) in [(&fabric.a, 1), (&fabric.b, 2)] {
            node.namespace
                .run(&format!("ip address add 198.51.100.{last}/24 dev eth1"));
            node.namespace.run("ip link set eth1 up");
        }
        tunnels(&fabric);
        let probers = [fabric.a.start(), fabric.b.start()];
        let ends = [(&fabric.a, &fabric.b, 2), (&fabric.b, &fabric.a, 1)];
        for (prober, (node, other, last)) in probers.iter().zip(ends) {
            let mut desired = node.probes(other);
            desired.peers.retain(|key, _| key.family == Ipv4);
            for peer in desired.peers.values_mut() {
                peer.hop = Some(NativeHop {
                    gateway: format!("198.51.100.{last}").parse().unwrap(),
                    interface: "eth1".into(),
                });
            }
            prober.bring(desired);
        }
        probers[0].carries(&fabric.b, Ipv4);
        probers[1].carries(&fabric.a, Ipv4);
        let table = fabric.a.namespace.run("ip route show table 21058");
        assert!(table.contains("10.244.2.0 via 198.51.100.2 dev eth1"), "{table}");
        // Strict security of the link: only the nodes' own addresses pass.
        fabric.b.namespace.run("nft add table netdev fault");
        fabric
            .b
            .namespace
            .run("nft add chain netdev fault in { type filter hook ingress device eth1 priority 0 ; }");
        fabric
            .b
            .namespace
            .run("nft add rule netdev fault in ip saddr 10.244.0.0/16 drop");
        probers[0].silent(&fabric.b, Ipv4, Silence::Lost);
        fabric.b.namespace.run("nft delete table netdev fault");
        probers[0].carries(&fabric.b, Ipv4);
    });
}
