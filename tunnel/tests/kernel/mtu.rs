//! One device, paths of different width: the kernel keeps to the MTU of each route for what pods send, both families.

use tunnel::{DesiredTunnels, Encapsulation, Family, Path, VxlanDevice, device_mtu, vtep_gateway, vtep_mac};

use crate::support::*;

/// Another node, its pods, and the MTU of the link that leads to it.
struct Far {
    node: &'static str,
    address: &'static str,
    pod: &'static str,
    link: u32,
}

impl Far {
    fn new(node: &'static str, address: &'static str, pod: &'static str, link: u32) -> Self {
        Self {
            node,
            address,
            pod,
            link,
        }
    }
}

/// A pod on a wire with jumbo frames; gives its namespace. The thread is in the node's.
fn pod(own: &str, gateway: &str, bits: u8) -> Namespace {
    let node = Namespace::current();
    let pod = Namespace::enter_new();
    run(&format!(
        "ip link add eth0 mtu 9000 type veth peer name pod mtu 9000 netns {}",
        node.path()
    ));
    run("ip link set eth0 up");
    let nodad = if bits == 64 { "nodad" } else { "" };
    run(&format!("ip address add {own}/{bits} dev eth0 {nodad}"));
    node.enter();
    run(&format!("ip address add {gateway}/{bits} dev pod {nodad}"));
    run("ip link set pod up");
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    pod.enter();
    run(&format!("ip route add default via {gateway}"));
    node.enter();
    pod
}

/// The node's devices with a route to each of `far`, as its path has it.
async fn tunnels(family: Family, local: &str, far: &[Far]) -> tunnel::Handle {
    let path = |far: &Far| Path {
        link: far.link,
        encapsulation: Encapsulation::Vxlan,
        family,
    };
    let device = VxlanDevice {
        local: local.parse().unwrap(),
        mtu: device_mtu(far.iter().map(path)).unwrap(),
        mac: vtep_mac("node-a", family),
        address: None,
        ..device()
    };
    let (vxlan, vxlan6) = match family {
        Family::Ipv4 => (Some(device), None),
        Family::Ipv6 => (None, Some(device)),
    };
    let handle = start();
    let desired = DesiredTunnels {
        vxlan,
        vxlan6,
        remotes: far.iter().map(|far| remote(far.node, far.address)).collect(),
        sweep: true,
        ..DesiredTunnels::default()
    };
    bring(&handle, &desired).await;
    let name = tunnel::Device::vxlan(family).name();
    for far in far {
        let sizes = path(far).route().unwrap();
        let gateway = vtep_gateway(far.address.parse().unwrap(), vtep_mac(far.node, family));
        run(&format!(
            "ip route add {} via {gateway} dev {name} onlink mtu {} advmss {}",
            far.pod, sizes.mtu, sizes.advmss
        ));
    }
    handle
}

/// What a packet of `size` bytes from the pod, not to be fragmented, is answered with.
fn send(pod: &Namespace, to: &str, size: u32) -> String {
    let node = Namespace::current();
    pod.enter();
    let headers = if to.contains(':') { 48 } else { 28 };
    let line = format!("ping -c 1 -W 1 -M do -s {} {to}", size - headers);
    let (_, text) = attempt(&line);
    node.enter();
    text
}

#[test]
fn ipv4_pods_are_told_the_mtu_of_their_path() {
    in_namespace(|| async {
        let pod = pod("10.244.1.2", "10.244.1.1", 24);
        let far = [
            Far::new("node-b", "192.0.2.12", "10.244.2.0/24", 9000),
            Far::new("node-c", "192.0.2.13", "10.244.3.0/24", 1500),
        ];
        let _tunnels = tunnels(Family::Ipv4, "192.0.2.11", &far).await;
        assert_eq!(link("rb-vxlan")["mtu"], 8950);
        // By the node's message, and once told by the pod's own kernel.
        until("the pod is told", || {
            send(&pod, "10.244.3.1", 1451).contains("mtu=1450")
        })
        .await;
        for (to, size) in [("10.244.2.1", 8950), ("10.244.3.2", 1450)] {
            let text = send(&pod, to, size);
            assert!(!text.contains("mtu"), "{to}: {text}");
        }
    });
}

#[test]
fn ipv6_pods_are_told_the_mtu_of_their_path() {
    in_namespace(|| async {
        let pod = pod("fd00:244:1::2", "fd00:244:1::1", 64);
        let far = [
            Far::new("node-b", "2001:db8::12", "fd00:244:2::/64", 9000),
            Far::new("node-c", "2001:db8::13", "fd00:244:3::/64", 1500),
        ];
        let _tunnels = tunnels(Family::Ipv6, "2001:db8::11", &far).await;
        assert_eq!(link("rb-vxlan6")["mtu"], 8930);
        // A link that has just come up may not carry IPv6 for a second.
        let told = || {
            let text = send(&pod, "fd00:244:3::1", 1431);
            text.contains("mtu=1430") || text.contains("mtu: 1430")
        };
        until("the pod is told", told).await;
        for (to, size) in [("fd00:244:2::1", 8930), ("fd00:244:3::2", 1430)] {
            let text = send(&pod, to, size);
            assert!(!text.contains("mtu"), "{to}: {text}");
        }
    });
}
