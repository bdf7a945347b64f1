//! Packets really travel: two nodes on a veth pair, pods' traffic in VXLAN between them.

use tunnel::{DesiredTunnels, Family, Handle, VxlanDevice, vtep_mac};

use crate::support::*;

/// One node on the wire.
pub struct Node {
    name: &'static str,
    /// Where it lives.
    pub namespace: Namespace,
    address: &'static str,
    pod: &'static str,
}

/// Two namespaces on one wire.
pub fn wire(underlay: [&'static str; 2], pods: [&'static str; 2], prefix: u8) -> [Node; 2] {
    let first = Namespace::current();
    let second = Namespace::enter_new();
    first.enter();
    run("ip link add eth0 type veth peer name eth1");
    run(&format!("ip link set eth1 netns {} name eth0", second.path()));
    let nodes = [
        Node {
            name: "node-a",
            namespace: first,
            address: underlay[0],
            pod: pods[0],
        },
        Node {
            name: "node-b",
            namespace: second,
            address: underlay[1],
            pod: pods[1],
        },
    ];
    for node in &nodes {
        node.namespace.enter();
        let nodad = if node.address.contains(':') { "nodad" } else { "" };
        run(&format!(
            "ip address add {}/{prefix} dev eth0 {nodad}",
            node.address
        ));
        run("ip link set eth0 up");
    }
    nodes
}

/// Starts the owner of `node`, with a remote and a route to `other`.
pub async fn join(node: &Node, other: &Node, family: Family) -> Handle {
    node.namespace.enter();
    let bits = if family == Family::Ipv4 { 32 } else { 128 };
    let device = VxlanDevice {
        local: node.address.parse().unwrap(),
        mtu: 1430,
        mac: vtep_mac(node.name, family),
        address: Some(format!("{}/{bits}", node.pod).parse().unwrap()),
        ..device()
    };
    let (vxlan, vxlan6) = if family == Family::Ipv4 {
        (Some(device), None)
    } else {
        (None, Some(device))
    };
    let handle = start();
    let (key, remote) = remote(other.name, other.address);
    let remotes = [(key, remote)].into();
    bring(
        &handle,
        &DesiredTunnels {
            vxlan,
            vxlan6,
            remotes,
            sweep: true,
            ..DesiredTunnels::default()
        },
    )
    .await;
    let name = if family == Family::Ipv4 {
        "rb-vxlan"
    } else {
        "rb-vxlan6"
    };
    run(&format!(
        "ip route add {} via {} dev {name} onlink src {}",
        other.pod, remote.gateway, node.pod
    ));
    handle
}

fn received(device: &str) -> u64 {
    json(&format!("ip -j -s link show dev {device}"))[0]["stats64"]["rx"]["packets"]
        .as_u64()
        .unwrap()
}

#[test]
fn pods_reach_each_other_over_vxlan() {
    in_namespace(|| async {
        let [a, b] = wire(["192.0.2.11", "192.0.2.12"], ["10.244.1.0", "10.244.2.0"], 24);
        let _b = join(&b, &a, Family::Ipv4).await;
        let _a = join(&a, &b, Family::Ipv4).await;
        assert_eq!(received("rb-vxlan"), 0);
        run("ping -c 3 -i 0.05 -W 5 -I 10.244.1.0 10.244.2.0");
        assert!(received("rb-vxlan") >= 3, "the answers came through the tunnel");
        // The largest packet that fits, not to be fragmented: the device's MTU leaves room for the encapsulation.
        run("ping -c 1 -W 5 -M do -s 1402 -I 10.244.1.0 10.244.2.0");

        // Without the forwarding entry there is no other way: nothing is flooded, nothing learned.
        drop(_a);
        tokio::task::yield_now().await;
        run("bridge fdb del 66:89:3a:22:7a:ac dev rb-vxlan dst 192.0.2.12 self");
        let (reached, text) = attempt("ping -c 1 -W 1 -I 10.244.1.0 10.244.2.0");
        assert!(!reached, "{text}");
    });
}

#[test]
fn ipv6_pods_reach_each_other_over_vxlan() {
    in_namespace(|| async {
        let [a, b] = wire(
            ["2001:db8::11", "2001:db8::12"],
            ["fd00:10:244:1::", "fd00:10:244:2::"],
            64,
        );
        let _b = join(&b, &a, Family::Ipv6).await;
        let _a = join(&a, &b, Family::Ipv6).await;
        run("ping -6 -c 3 -i 0.05 -W 5 -I fd00:10:244:1:: fd00:10:244:2::");
        assert!(received("rb-vxlan6") >= 3, "the answers came through the tunnel");
    });
}
