//! Which packets pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guard;
use crate::nftables::{self, Ensured};
use crate::ruleset::{Wanted, ruleset};
use crate::testing::{NODE, Node, Ns, addresses, is_silent, listen, receive, send, until};

const A: &str = "rb0123456789a";
const B: &str = "rbfedcba98765";

/// Gives a pod an address that is not its own. The gateway's link address is known, so that no solicitation has it as source.
fn take(node: &Node, pod: &Ns, link: &str, address: &str) {
    let length = if address.contains(':') { "128" } else { "32" };
    let nodad = if address.contains(':') { "nodad" } else { "" };
    let shown = node.ns.sh(&format!("ip -br link show {link}"));
    let mac = shown
        .split_whitespace()
        .find(|word| word.matches(':').count() == 5)
        .expect("a link address");
    pod.sh(&format!(
        "ip addr add {address}/{length} dev eth0 {nodad}; ip -6 neigh replace fe80::1 lladdr {mac} dev eth0 nud permanent"
    ));
}

#[test]
fn what_is_spoofed_is_dropped_and_counted() {
    let node = Node::new();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    // Addresses of another pod of this node, of the node itself, and of the world.
    node.ns.sh(&format!(
        "ip route add 10.244.0.77/32 dev {B}; ip -6 route add 2001:db8:244::77/128 dev {B}"
    ));
    let spoofed = [
        ["10.244.0.77", NODE[0], "198.51.100.9"],
        ["2001:db8:244::77", NODE[1], "2001:db8:9::9"],
    ];
    let sockets = addresses(6).map(|own| listen(&b, &own));
    for (family, socket) in sockets.iter().enumerate() {
        let (own, other) = (&addresses(5)[family], &addresses(6)[family]);
        for address in spoofed[family] {
            take(&node, &a, A, address);
            // Without the guard it arrives, but for the node's own address, which the kernel itself takes for a slip.
            if address != NODE[family] {
                send(&a, address, other, b"spoofed");
                assert_eq!(receive(socket), b"spoofed", "{address}");
            }
        }
        assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Made);
        for (times, address) in spoofed[family].iter().enumerate() {
            for _ in 0..5 {
                send(&a, address, other, b"spoofed");
            }
            let wanted = (times as u64 + 1) * 5;
            until("the drops are counted", || node.count("spoofed") == wanted);
        }
        send(&a, own, other, b"real");
        assert_eq!(receive(socket), b"real");
        assert!(is_silent(socket));
        assert_eq!(node.count("spoofed"), 15);
        assert!(node.ns.run(nftables::remove).expect("removed"));
    }
}

#[test]
fn what_is_real_passes() {
    let node = Node::new();
    assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Made);
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    for family in 0..2 {
        let own = &addresses(5)[family];
        for (ns, to) in [(&node.ns, NODE[family]), (&b, &addresses(6)[family])] {
            let socket = listen(ns, to);
            // The largest is sent in fragments.
            for size in [1, 512, 1400, 4096, 9000] {
                let text = vec![b'x'; size];
                send(&a, own, to, &text);
                assert_eq!(receive(&socket), text, "{own} to {to}");
            }
        }
        // And back: what comes from the world goes to the pod as ever.
        let socket = listen(&a, own);
        node.world.sh("ip route replace 10.244.0.0/16 via 203.0.113.1; ip -6 route replace 2001:db8:244::/64 via 2001:db8:eeee::1");
        let world = ["203.0.113.2", "2001:db8:eeee::2"][family];
        send(&node.world, world, own, b"from the world");
        assert_eq!(receive(&socket), b"from the world");
    }
    assert_eq!(node.count("spoofed"), 0);
    assert!(node.count("from_pods") > 0 && node.count("link_local") > 0);
}

#[test]
fn duplicates_of_addresses_are_found() {
    let node = Node::new();
    assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Made);
    let pod = node.pod(A, 5);
    // The node has one of the two; a pod learns that from the answer to its solicitation, whose source is `::`.
    node.ns
        .sh(&format!("ip addr add 2001:db8:244::d0/128 dev {A} nodad"));
    let before = node.count("unspecified");
    pod.sh("echo 1 > /proc/sys/net/ipv6/conf/eth0/dad_transmits
            ip addr add 2001:db8:244::d0/128 dev eth0; ip addr add 2001:db8:244::d1/128 dev eth0");
    until("the duplicate is found", || {
        pod.sh("ip -6 addr show dev eth0 dadfailed").contains("::d0/128")
    });
    until("the other one is good", || {
        let shown = pod.sh("ip -6 addr show dev eth0 to 2001:db8:244::d1");
        shown.contains("::d1/128") && !shown.contains("tentative")
    });
    assert!(node.count("unspecified") >= before + 2);
    // `::` is for nothing else: no pod speaks UDP from there, and addresses that begin like link-local ones are not.
    take(&node, &pod, A, "fec0::5");
    let socket = listen(&node.ns, NODE[1]);
    send(&pod, "fec0::5", NODE[1], b"site-local");
    until("it is dropped", || node.count("spoofed") == 1);
    assert!(is_silent(&socket));
}

#[test]
fn interfaces_that_are_not_pods_are_left_alone() {
    let node = Node::new();
    assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Made);
    // Names of tunnel devices, and of anything else.
    for (number, link) in [
        (21, "rb-vxlan"),
        (22, "rb-vxlan6"),
        (23, "rb-ipip"),
        (24, "veth0123"),
    ] {
        let other = node.pod(link, number);
        for (family, address) in ["198.51.100.9", "2001:db8:9::9"].into_iter().enumerate() {
            take(&node, &other, link, address);
            let socket = listen(&node.ns, NODE[family]);
            send(&other, address, NODE[family], link.as_bytes());
            assert_eq!(receive(&socket), link.as_bytes());
        }
    }
    assert_eq!((node.count("from_pods"), node.count("spoofed")), (0, 0));
}

/// While all rules are made anew again and again, nothing slips through.
#[test]
fn there_is_no_moment_without_the_guard() {
    let node = Node::new();
    let pod = node.pod(A, 5);
    for address in ["198.51.100.9", "2001:db8:9::9"] {
        take(&node, &pod, A, address);
    }
    assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Made);
    let sockets = NODE.map(|address| listen(&node.ns, address));
    let done = Arc::new(AtomicBool::new(false));
    let until_then = Arc::clone(&done);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pod.run(move || {
                let bind = |from| std::net::UdpSocket::bind((from, 0)).expect("bound");
                let sources = [bind("198.51.100.9"), bind("2001:db8:9::9")];
                let mut sent = 0_u64;
                while !until_then.load(Ordering::Relaxed) {
                    for (socket, to) in sources.iter().zip(NODE) {
                        socket.send_to(b"spoofed", (to, 7000)).expect("sent");
                        sent += 1;
                    }
                }
                sent
            })
        });
        let replaced = node
            .ns
            .run(|| (0..200).all(|_| nftables::refill(&ruleset(&Wanted::default())).is_ok()));
        done.store(true, Ordering::Relaxed);
        assert!(replaced && sender.join().expect("sent") > 0);
    });
    assert_eq!(guard(&node.ns).expect("guarded"), Ensured::Kept);
    // The last one that was sent is through when one that is real is.
    let own = addresses(5);
    for (family, socket) in sockets.iter().enumerate() {
        send(&pod, &own[family], NODE[family], b"real");
        assert_eq!(receive(socket), b"real");
        assert!(is_silent(socket));
    }
}
