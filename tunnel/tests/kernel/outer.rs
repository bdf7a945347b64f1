//! The outer header: as documented on the device and on the wire, corrected in place on a device of an earlier version,
//! never fragmented, and with enough source ports for routers to spread flows by.

use std::net::UdpSocket;

use tunnel::{DesiredTunnels, Device, Family, VxlanDevice, vtep_mac};

use crate::support::*;
use crate::traffic::{join, wire};

/// What `ip -d link show` says of a device, on one line.
fn details(device: &str) -> String {
    let text = run(&format!("ip -d link show dev {device}"));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn devices_have_the_documented_outer_header() {
    in_namespace(|| async {
        let handle = start();
        let vxlan6 = Some(VxlanDevice {
            local: "2001:db8::11".parse().unwrap(),
            mac: vtep_mac("node-a", Family::Ipv6),
            address: None,
            ..device()
        });
        bring(&handle, &DesiredTunnels { vxlan6, ..desired() }).await;
        let v4 = details("rb-vxlan");
        for part in [
            "srcport 49152 65535 dstport 4789 nolearning tos inherit ttl auto df set",
            "noudpcsum udp6zerocsumtx udp6zerocsumrx",
        ] {
            assert!(v4.contains(part), "{part}: {v4}");
        }
        let v6 = details("rb-vxlan6");
        for part in [
            "srcport 49152 65535 dstport 4789 nolearning tos inherit ttl auto",
            "udp6zerocsumtx udp6zerocsumrx",
        ] {
            assert!(v6.contains(part), "{part}: {v6}");
        }
        assert!(!v6.contains("df set"), "{v6}");
    });
}

/// What an earlier version made has the kernel's defaults in its outer header, and the machine's source ports.
#[test]
fn a_device_of_an_earlier_version_is_adopted_and_corrected_in_place() {
    in_namespace(|| async {
        run(
            "ip link add rb-vxlan address 66:07:02:c1:cc:60 mtu 1450 type vxlan id 4096 dstport 4789 \
             local 192.0.2.11 nolearning noudpcsum udp6zerocsumtx udp6zerocsumrx ttl 7",
        );
        run("ip link set rb-vxlan addrgenmode none");
        run("ip link set rb-vxlan gso_max_size 32768 up");
        run("ip address add 10.244.1.0/32 dev rb-vxlan");
        // A route is gone with the first moment of its link down.
        run("ip route add 10.244.2.0/24 dev rb-vxlan");
        let before = index(Device::Vxlan);
        let handle = start();
        bring(&handle, &desired()).await;
        let text = details("rb-vxlan");
        assert_eq!(index(Device::Vxlan), before, "{text}");
        assert!(text.contains("srcport 0 0"), "{text}");
        assert!(text.contains("tos inherit ttl auto df set"), "{text}");
        assert!(text.contains("gso_max_size 32768"), "not ours to change: {text}");
        assert!(run("ip route show dev rb-vxlan").contains("10.244.2.0/24"));
        assert_eq!(fdb("rb-vxlan"), entry_b());
    });
}

#[test]
fn what_the_kernel_does_not_change_makes_the_device_again() {
    for options in [
        "srcport 4789 4790 noudpcsum udp6zerocsumtx udp6zerocsumrx",
        "ttl inherit noudpcsum udp6zerocsumtx udp6zerocsumrx",
        "udpcsum udp6zerocsumtx udp6zerocsumrx",
    ] {
        in_namespace(move || async move {
            run(&format!(
                "ip link add rb-vxlan type vxlan id 4096 dstport 4789 local 192.0.2.11 nolearning {options}"
            ));
            let before = index(Device::Vxlan);
            let handle = start();
            bring(&handle, &desired()).await;
            assert_ne!(index(Device::Vxlan), before, "{options}");
            let text = details("rb-vxlan");
            assert!(text.contains("srcport 49152 65535"), "{text}");
            assert!(text.contains("ttl auto"), "{text}");
            assert!(text.contains("noudpcsum"), "{text}");
        });
    }
}

/// Counts in the thread's namespace: tunnel packets, those of them with the right outer header, and fragments.
fn count(header: &str, fragments: &str) {
    run("nft add table netdev seen");
    run("nft add chain netdev seen in { type filter hook ingress device eth0 priority 0 ; }");
    run("nft add rule netdev seen in udp dport 4789 counter comment every");
    run(&format!(
        "nft add rule netdev seen in udp dport 4789 udp sport 49152-65535 {header} counter comment right"
    ));
    run(&format!(
        "nft add rule netdev seen in {fragments} counter comment fragments"
    ));
}

fn counted(what: &str) -> u64 {
    let listing = json("nft -j list chain netdev seen in");
    let rules = listing["nftables"].as_array().unwrap();
    let mut rules = rules.iter().map(|row| &row["rule"]);
    let rule = rules.find(|rule| rule["comment"] == what).unwrap();
    let mut expressions = rule["expr"].as_array().unwrap().iter();
    expressions
        .find_map(|expression| expression["counter"]["packets"].as_u64())
        .unwrap()
}

#[test]
fn packets_have_the_documented_outer_header() {
    in_namespace(|| async {
        let [a, b] = wire(["192.0.2.11", "192.0.2.12"], ["10.244.1.0", "10.244.2.0"], 24);
        let _b = join(&b, &a, Family::Ipv4).await;
        count(
            "ip dscp ef ip ttl 64 ip frag-off & 0x4000 == 0x4000 udp checksum 0",
            "ip frag-off & 0x3fff != 0",
        );
        let _a = join(&a, &b, Family::Ipv4).await;
        // Hop limit and the bit against fragments are not those of the inner packet; DSCP is.
        run("ping -c 2 -i 0.05 -W 5 -Q 184 -t 9 -M dont -I 10.244.1.0 10.244.2.0");
        b.namespace.enter();
        assert_eq!((counted("every"), counted("right")), (2, 2));

        // A link that becomes narrower than the devices know: nothing is fragmented, and senders are told.
        a.namespace.enter();
        run("ip link set eth0 mtu 1300");
        let too_large = "ping -c 1 -W 1 -s 1402 -I 10.244.1.0 10.244.2.0 -M";
        attempt(&format!("{too_large} dont"));
        let (_, text) = attempt(&format!("{too_large} do"));
        assert!(text.contains("mtu=1250"), "{text}");
        b.namespace.enter();
        assert_eq!(counted("fragments"), 0);
    });
}

#[test]
fn ipv6_packets_have_the_documented_outer_header() {
    in_namespace(|| async {
        let [a, b] = wire(
            ["2001:db8::11", "2001:db8::12"],
            ["fd00:10:244:1::", "fd00:10:244:2::"],
            64,
        );
        let _b = join(&b, &a, Family::Ipv6).await;
        count("ip6 dscp ef ip6 hoplimit 64 udp checksum 0", "exthdr frag exists");
        let _a = join(&a, &b, Family::Ipv6).await;
        run("ping -6 -c 2 -i 0.05 -W 5 -Q 184 -t 9 -I fd00:10:244:1:: fd00:10:244:2::");
        b.namespace.enter();
        assert_eq!((counted("every"), counted("right")), (2, 2));
        assert_eq!(counted("fragments"), 0);
    });
}

/// A router with two equal paths to the other node spreads flows over both, though all of them are between two nodes.
#[test]
fn routers_spread_flows_by_the_source_port() {
    in_namespace(|| async {
        let node = Namespace::current();
        let other = Namespace::enter_new();
        let router = Namespace::enter_new();
        run(&format!(
            "ip link add eth0 type veth peer name eth0 netns {}",
            node.path()
        ));
        for path in ["p0", "p1"] {
            run(&format!(
                "ip link add {path} type veth peer name {path} netns {}",
                other.path()
            ));
        }
        run("ip address add 192.0.2.1/24 dev eth0");
        run("ip address add 10.0.0.1/24 dev p0");
        run("ip address add 10.0.1.1/24 dev p1");
        run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1");
        for link in ["eth0", "p0", "p1"] {
            run(&format!("ip link set {link} up"));
        }
        other.enter();
        for path in ["p0", "p1"] {
            run(&format!("ip link set {path} up"));
        }
        run("ip address add 10.0.0.2/24 dev p0");
        run("ip address add 10.0.1.2/24 dev p1");
        run("ip address add 198.51.100.12/32 dev lo");
        run("ip route add default via 10.0.0.1");
        router.enter();
        run("ip route add 198.51.100.12 nexthop via 10.0.0.2 dev p0 nexthop via 10.0.1.2 dev p1");
        node.enter();
        run("ip address add 192.0.2.11/24 dev eth0");
        run("ip link set eth0 up");
        run("ip route add default via 192.0.2.1");
        let handle = start();
        let remotes = [remote("node-b", "198.51.100.12")].into();
        bring(&handle, &DesiredTunnels { remotes, ..desired() }).await;
        run("ip route add 10.244.2.0 via 198.51.100.12 dev rb-vxlan onlink src 10.244.1.0");

        let flows: u16 = 128;
        for port in 20_000..20_000 + flows {
            let socket = UdpSocket::bind(("10.244.1.0", port)).unwrap();
            socket.send_to(b"x", "10.244.2.0:9").unwrap();
        }
        other.enter();
        until("all flows arrived", || {
            arrived("p0") + arrived("p1") >= u64::from(flows)
        })
        .await;
        let paths = (arrived("p0"), arrived("p1"));
        // Fair coins: fewer than 20 of 128 heads do not happen.
        assert!(paths.0 > 20 && paths.1 > 20, "{paths:?}");
    });
}

/// Packets that came in on a link, those of its own making (ARP, IPv6) among them.
fn arrived(device: &str) -> u64 {
    json(&format!("ip -j -s link show dev {device}"))[0]["stats64"]["rx"]["packets"]
        .as_u64()
        .unwrap()
}
