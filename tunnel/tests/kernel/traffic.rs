//! Packets really travel: two nodes on a veth pair, pods' traffic in VXLAN between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::Duration;

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

/// MTU, outer header and other nodes change under the traffic between two; each of the packets arrives.
#[test]
fn changes_in_place_lose_nothing() {
    in_namespace(|| async {
        let [a, b] = wire(["192.0.2.11", "192.0.2.12"], ["10.244.1.0", "10.244.2.0"], 24);
        let handle_b = join(&b, &a, Family::Ipv4).await;
        let inbox = UdpSocket::bind((b.pod, 9000)).unwrap();
        inbox.set_nonblocking(true).unwrap();
        let handle = join(&a, &b, Family::Ipv4).await;
        let outbox = UdpSocket::bind((a.pod, 0)).unwrap();
        outbox.connect((b.pod, 9000)).unwrap();
        // The first packet finds its way; from then on none may be missing.
        let total: u32 = 600;
        let mut seen = BTreeSet::new();
        for number in 0..total {
            outbox.send(&number.to_be_bytes()).unwrap();
            match number % 100 {
                20 => {
                    let mtu = 1400 + number / 100;
                    bring(&handle, &wish(&a, &b, mtu, 0)).await;
                }
                40 => {
                    run("ip link set rb-vxlan type vxlan ttl 5 tos 0 df unset learning");
                }
                60 => bring(&handle, &wish(&a, &b, 1430, 40)).await,
                80 => bring(&handle, &wish(&a, &b, 1430, 0)).await,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
            receive(&inbox, &mut seen);
        }
        let end = tokio::time::Instant::now() + DEADLINE;
        while seen.len() < total as usize && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
            receive(&inbox, &mut seen);
        }
        let missing: Vec<_> = (0..total).filter(|number| !seen.contains(number)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(handle.status().borrow().repaired > 0, "nothing was changed");
        drop(handle_b);
    });
}

/// What node `a` wants: the device with this MTU, the other node, and as many more nodes.
fn wish(a: &Node, b: &Node, mtu: u32, more: u32) -> DesiredTunnels {
    let mut remotes = BTreeMap::from([remote(b.name, b.address)]);
    for host in 0..more {
        remotes.extend([remote(&format!("node-{host}"), &format!("198.51.100.{host}"))]);
    }
    DesiredTunnels {
        vxlan: Some(VxlanDevice {
            local: a.address.parse().unwrap(),
            mtu,
            mac: vtep_mac(a.name, Family::Ipv4),
            address: Some(format!("{}/32", a.pod).parse().unwrap()),
            ..device()
        }),
        remotes,
        sweep: true,
        ..DesiredTunnels::default()
    }
}

fn receive(inbox: &UdpSocket, seen: &mut BTreeSet<u32>) {
    let mut bytes = [0; 4];
    while inbox.recv(&mut bytes).is_ok() {
        seen.insert(u32::from_be_bytes(bytes));
    }
}
