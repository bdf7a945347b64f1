//! Packets really travel: two nodes behind one router that knows nothing of pods.

use tunnel::Handle;

use crate::support::*;

/// A node: its namespace, underlay address, gateway, own pod address.
struct Node {
    namespace: Namespace,
    address: &'static str,
    gateway: &'static str,
    pod: &'static str,
}

/// node-a --- router --- node-b, each in a network of its own. `mtu` is that of the second wire.
fn underlay(mtu: u32) -> [Node; 2] {
    let router = Namespace::current();
    run("sysctl -qw net.ipv4.ip_forward=1");
    [
        ("a", "192.0.2.11", "192.0.2.1", "10.244.1.0", 1500),
        ("b", "198.51.100.12", "198.51.100.1", "10.244.2.0", mtu),
    ]
    .map(|(port, address, gateway, pod, mtu)| {
        let namespace = Namespace::enter_new();
        run("ip link add eth0 type veth peer name port0");
        run(&format!("ip link set eth0 mtu {mtu} up"));
        run(&format!("ip address add {address}/24 dev eth0"));
        run(&format!(
            "ip link set port0 netns {} name port-{port}",
            router.path()
        ));
        router.enter();
        run(&format!("ip link set dev port-{port} mtu {mtu} up"));
        run(&format!("ip address add {gateway}/24 dev port-{port}"));
        namespace.enter();
        run(&format!("ip route add default via {gateway}"));
        router.enter();
        Node {
            namespace,
            address,
            gateway,
            pod,
        }
    })
}

/// Starts the owner of `node`, with a route into the tunnel to the pods of `other`.
async fn join(node: &Node, other: &Node, mtu: u32) -> Handle {
    node.namespace.enter();
    let handle = start();
    bring(&handle, &ipip(node.address, node.pod, mtu)).await;
    run(&format!(
        "ip route add {}/26 via {} dev rb-ipip onlink src {}",
        other.pod, other.address, node.pod
    ));
    handle
}

#[test]
#[ignore = "runs inside"]
fn pods_reach_each_other_through_a_fabric_that_does_not_know_them() {
    in_namespace(|| async {
        let [a, b] = underlay(1500);
        a.namespace.enter();
        let (reached, text) = attempt(&format!("ping -c 1 -W 1 {}", b.pod));
        assert!(!reached, "the fabric carries pod addresses by itself: {text}");
        let _b = join(&b, &a, 1480).await;
        let _a = join(&a, &b, 1480).await;
        run(&format!("ping -c 5 -i 0.05 -W 10 -I {} {}", a.pod, b.pod));
        assert!(received("rb-ipip") >= 5, "the answers came through the tunnel");
        // Both ways: the other side begins.
        b.namespace.enter();
        run(&format!("ping -c 5 -i 0.05 -W 10 -I {} {}", b.pod, a.pod));
        assert!(received("rb-ipip") >= 10);
    });
}

#[test]
#[ignore = "runs inside"]
fn the_largest_packet_that_fits_passes_unfragmented_and_no_larger_one() {
    in_namespace(|| async {
        let [a, b] = underlay(1500);
        let _b = join(&b, &a, 1480).await;
        let _a = join(&a, &b, 1480).await;
        // 20 bytes of IPv4 and 8 of ICMP around the payload make 1480.
        run(&format!(
            "ping -c 3 -i 0.05 -W 10 -M do -s 1452 -I {} {}",
            a.pod, b.pod
        ));
        let (passed, text) = attempt(&format!("ping -c 1 -W 1 -M do -s 1453 -I {} {}", a.pod, b.pod));
        assert!(!passed && text.contains("mtu=1480"), "{text}");
        // What may be fragmented gets through whatever its size.
        run(&format!("ping -c 1 -W 10 -M dont -s 3000 -I {} {}", a.pod, b.pod));
    });
}

#[test]
#[ignore = "runs inside"]
fn a_narrower_link_on_the_way_is_found_out() {
    in_namespace(|| async {
        let [a, b] = underlay(1400);
        let _b = join(&b, &a, 1380).await;
        // node-a does not know of the narrow wire behind the router: its device is as wide as its own link allows.
        let _a = join(&a, &b, 1480).await;
        a.namespace.enter();
        run(&format!("ping -c 1 -W 10 {}", a.gateway));
        // The first large packet meets the router's "fragmentation needed" (RFC 792, RFC 2003 section 5.1), and the path's
        // MTU is known from then on: 1400 less the outer header.
        until("the path's MTU is known to the tunnel", || {
            let large = format!("ping -c 1 -W 1 -M do -s 1452 -I {} {}", a.pod, b.pod);
            attempt(&large).1.contains("mtu=1380") || attempt(&large).1.contains("mtu = 1380")
        })
        .await;
        run(&format!(
            "ping -c 3 -i 0.05 -W 10 -M do -s 1352 -I {} {}",
            a.pod, b.pod
        ));
    });
}
