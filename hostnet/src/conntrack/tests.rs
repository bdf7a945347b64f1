//! Real flows in real network namespaces; `conntrack` judges.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;

use super::entry::Entry;
use super::question::{Place, questions};
use super::{Stale, flush, flush_stale, flush_translated, read};
use crate::nat;
use crate::nfnetlink::Nfnetlink;
use crate::ruleset::{Wanted, ensure};
use crate::testing::{NODE, Node, Ns, addresses, listen, receive, send, until, with_port};

const A: &str = "rb0123456789a";
const B: &str = "rbfedcba98765";
const WORLD: [&str; 2] = ["203.0.113.2", "2001:db8:eeee::2"];
const UPLINK: [&str; 2] = ["203.0.113.1", "2001:db8:eeee::1"];

fn set_of(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect()
}

fn flushed(ns: &Ns, texts: &[&str]) -> usize {
    let addresses = set_of(texts);
    ns.run(move || flush(&addresses).expect("flushed"))
}

fn flushed_translated(ns: &Ns, texts: &[&str]) -> usize {
    let addresses = set_of(texts);
    ns.run(move || flush_translated(&addresses).expect("flushed"))
}

/// A node that masquerades what its pods send to the world: it tracks connections.
fn node() -> Node {
    let node = Node::new();
    translate(&node, [None, None]);
    node
}

/// Translates to these addresses, or masquerades.
fn translate(node: &Node, sources: [Option<&str>; 2]) {
    let nets = |texts: [&str; 2]| texts.map(|text| text.parse().expect("a network")).to_vec();
    let pools = nets(["10.244.0.0/16", "2001:db8:244::/48"]);
    let nat = nat::Wanted {
        exceptions: pools.clone(),
        pools,
        source_v4: sources[0].map(|source| source.parse().expect("an address")),
        source_v6: sources[1].map(|source| source.parse().expect("an address")),
    };
    node.ns.run(move || ensure(&Wanted { nat })).expect("translating");
}

/// The entries with this text, as `conntrack` lists them.
fn tracked(ns: &Ns, text: &str) -> usize {
    let all = ns.sh("conntrack -L -f ipv4 2>/dev/null; conntrack -L -f ipv6 2>/dev/null");
    // Without neighbours and other talk of the kernel's own.
    let ours = all.lines().filter(|line| line.contains("udp"));
    ours.filter(|line| line.split_whitespace().any(|word| word == text))
        .count()
}

#[test]
fn entries_of_an_address_go_and_others_stay() {
    let node = node();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    for (family, world) in WORLD.into_iter().enumerate() {
        let (of_a, of_b) = (&addresses(5)[family], &addresses(6)[family]);
        let (outside, inside) = (listen(&node.world, world), listen(&b, of_b));
        for _ in 0..3 {
            send(&a, of_a, world, b"out");
            receive(&outside);
        }
        send(&b, of_b, world, b"out");
        receive(&outside);
        send(&a, of_a, of_b, b"within");
        receive(&inside);
        let (source_a, source_b) = (format!("src={of_a}"), format!("src={of_b}"));
        // The answers' source is in each line, too.
        assert_eq!(
            (tracked(&node.ns, &source_a), tracked(&node.ns, &source_b)),
            (4, 2)
        );
        assert_eq!(flushed(&node.ns, &["192.0.2.99", "2001:db8::99"]), 0);
        assert_eq!(flushed(&node.ns, &[of_a]), 4);
        assert_eq!(
            (tracked(&node.ns, &source_a), tracked(&node.ns, &source_b)),
            (0, 1)
        );
        assert_eq!(flushed(&node.ns, &[of_a]), 0);
        assert_eq!(
            flushed_translated(&node.ns, &[of_b, world]),
            0,
            "nothing is translated to these"
        );
        assert_eq!(flushed_translated(&node.ns, &[UPLINK[family]]), 1);
        assert_eq!(tracked(&node.ns, &source_b), 0);
    }
    assert_eq!(flushed(&node.ns, &[]), 0);
}

/// Prefixes, however many, in one walk. What has left is looked for at both ends, what belongs to somebody else now only where
/// flows go.
#[test]
fn prefixes_that_left_and_prefixes_that_moved() {
    let node = node();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    for (family, nets) in [
        (0, ["10.244.0.4/31", "10.244.0.6/32"]),
        (1, ["2001:db8:244::4/127", "2001:db8:244::6/128"]),
    ] {
        let (of_a, of_b, world) = (&addresses(5)[family], &addresses(6)[family], WORLD[family]);
        let (outside, inside) = (listen(&node.world, world), listen(&b, of_b));
        let [net_a, net_b] = nets.map(|net| net.parse::<IpNet>().expect("a prefix"));
        let flush = |gone: &[IpNet], moved: &[IpNet]| {
            let far = if family == 0 {
                "10.245.0.0/16"
            } else {
                "2001:db8:245::/48"
            };
            let far: IpNet = far.parse().expect("a prefix");
            let far = far
                .subnets(far.prefix_len() + 12)
                .expect("longer")
                .collect::<Vec<_>>();
            let stale = Stale {
                gone: [gone, &far].concat(),
                moved: [moved, &far].concat(),
                ..Stale::default()
            };
            node.ns.run(move || flush_stale(&stale).expect("flushed"))
        };
        let three = || {
            for (from, ns, to, socket) in [
                (of_a, &a, world, &outside),
                (of_b, &b, world, &outside),
                (of_a, &a, of_b, &inside),
            ] {
                send(ns, from, to, b"out");
                receive(socket);
            }
        };
        three();
        assert_eq!(flush(&[], &[]), 0);
        assert_eq!(flush(&[], &[net_a]), 0, "only what goes there");
        assert_eq!(flush(&[], &[net_b]), 1, "from a to b");
        assert_eq!(flush(&[net_b], &[]), 1, "from b to the world");
        assert_eq!(flush(&[net_a], &[]), 1, "from a to the world");
        three();
        assert_eq!(flush(&[net_a, net_b], &[net_b]), 3);
    }
}

/// A flow that began before its pool was translated, and that nobody can answer, begins anew; those that are answered stay.
#[test]
fn flows_that_ought_to_be_translated_begin_anew() {
    let node = Node::new();
    // Somebody else tracks connections: a service's proxy.
    node.ns
        .sh("nft 'table ip service { chain c { type filter hook forward priority 0; ct state new accept; }; }; table ip6 service { chain c { type filter hook forward priority 0; ct state new accept; }; }'");
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    let pools = ["10.244.0.0/16", "2001:db8:244::/48"].map(|net| net.parse().expect("a prefix"));
    let stale = Stale {
        untranslated: Some(nat::Wanted {
            pools: pools.to_vec(),
            exceptions: pools.to_vec(),
            ..nat::Wanted::default()
        }),
        ..Stale::default()
    };
    for family in 0..2 {
        let (of_a, of_b, world) = (&addresses(5)[family], &addresses(6)[family], WORLD[family]);
        let (outside, inside) = (listen(&node.world, world), listen(&b, of_b));
        for (to, socket) in [(world, &outside), (of_b.as_str(), &inside)] {
            send(&a, of_a, to, b"out");
            receive(socket);
        }
        // An answer gets through: the world has a way to b.
        let via = [
            "ip route add 10.244.0.6 via 203.0.113.1",
            "ip -6 route add 2001:db8:244::6 via 2001:db8:eeee::1",
        ];
        node.world.sh(via[family]);
        let friend = ["203.0.113.3", "2001:db8:eeee::3"][family];
        node.world.sh(&format!(
            "ip addr add {friend} dev eth0 {}",
            ["", "nodad"][family]
        ));
        answers(&node.world, friend, "here");
        let from = with_port(of_b, 5000);
        let socket = b.run(move || UdpSocket::bind(from).expect("bound"));
        assert!(asks_until(&b, socket, friend, "here"));
        let flush = || {
            let stale = stale.clone();
            node.ns.run(move || flush_stale(&stale).expect("flushed"))
        };
        assert_eq!(flush(), 1);
        let source = format!("src={of_a}");
        assert_eq!(tracked(&node.ns, &source), 1, "the one within the pools");
        assert_eq!(flush(), 0);
    }
}

/// The kernel itself picks out what has an IPv4 address in a place.
#[test]
fn the_kernel_answers_narrow_questions() {
    let node = node();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    let ([of_a, of_a6], [of_b, _]) = (addresses(5), addresses(6));
    let (outside, inside) = (listen(&node.world, WORLD[0]), listen(&b, &of_b));
    let outside6 = listen(&node.world, WORLD[1]);
    for (from, to, socket) in [
        (&of_a, WORLD[0], &outside),
        (&of_a, &of_b, &inside),
        (&of_a6, WORLD[1], &outside6),
    ] {
        send(&a, from, to, b"out");
        receive(socket);
    }
    let asked = |address: &str, place| {
        let address = set_of(&[address]);
        node.ns.run(move || {
            let mut socket = Nfnetlink::open().expect("open");
            let questions = questions(&address, &[place]);
            read(&mut socket, questions, |_| true).expect("answered").len()
        })
    };
    assert_eq!(asked(&of_a, Place::Source), 2);
    assert_eq!(asked(&of_b, Place::Source), 0);
    assert_eq!(asked(&of_b, Place::Destination), 1);
    assert_eq!(asked(WORLD[0], Place::Destination), 1);
    assert_eq!(asked(&of_b, Place::ReplySource), 1);
    assert_eq!(asked(UPLINK[0], Place::ReplyDestination), 1);
    assert_eq!(asked(&of_a, Place::ReplyDestination), 1);
    // Many addresses at once take another way, and find the same.
    let mut many = vec![of_a, of_a6];
    many.extend((100..120).flat_map(addresses));
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(flushed(&node.ns, &many), 3);
}

/// Asks from one socket until the answer is another one; none of an earlier question.
fn asks_until(ns: &Ns, socket: UdpSocket, to: &str, wants: &'static str) -> bool {
    static QUESTIONS: AtomicU32 = AtomicU32::new(0);
    let to = with_port(to, 7000);
    ns.run(move || {
        let mut buffer = [0; 64];
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a timeout");
        let question = QUESTIONS.fetch_add(1, Ordering::Relaxed);
        let wants = format!("{question}: {wants}");
        (0..10).any(|_| {
            socket
                .send_to(format!("{question}").as_bytes(), &to)
                .expect("sent");
            // What answers an earlier question is passed over.
            std::iter::from_fn(|| {
                socket
                    .recv(&mut buffer)
                    .ok()
                    .map(|length| buffer[..length].to_vec())
            })
            .take(20)
            .any(|answer| answer == wants.as_bytes())
        })
    })
}

/// Answers all that comes to an address.
fn answers(ns: &Ns, at: &str, text: &'static str) {
    let socket = listen(ns, at);
    socket.set_read_timeout(None).expect("no timeout");
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let _ = socket.send_to(format!("{question}: {text}").as_bytes(), from);
        }
    });
}

const OUTSIDE: [&str; 2] = ["198.51.100.9", "2001:db8:9::9"];

/// A pod's sockets that go on asking the world outside, which is reached by two uplinks.
fn clients(node: &Node, pod: &Ns) -> Vec<UdpSocket> {
    node.ns.sh(&format!(
        "ip link add up1 type veth peer name eth1 netns {}
         ip addr add 203.0.114.1/24 dev up1; ip addr add 2001:db8:eee1::1/64 dev up1 nodad; ip link set up1 up",
        node.world.thread_id
    ));
    node.world.sh(
        "ip addr add 203.0.114.2/24 dev eth1; ip addr add 2001:db8:eee1::2/64 dev eth1 nodad; ip link set eth1 up
         ip addr add 198.51.100.9 dev lo; ip addr add 2001:db8:9::9 dev lo nodad
         ip route add 192.0.2.7 via 203.0.113.1; ip -6 route add 2001:db8:ffff::7 via 2001:db8:eeee::1
         for f in all default eth0 eth1; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done",
    );
    let client = |(family, to): (usize, &str)| {
        answers(&node.world, to, "here");
        let from = with_port(&addresses(5)[family], 5000);
        let socket = pod.run(move || UdpSocket::bind(from).expect("bound"));
        let copy = socket.try_clone().expect("a copy");
        assert!(asks_until(pod, copy, to, "here"));
        socket
    };
    OUTSIDE.into_iter().enumerate().map(client).collect()
}

/// The way out moves to another uplink: the kernel ends masqueraded flows by itself, and the next packet begins a new one.
#[test]
fn a_masqueraded_flow_takes_another_uplink_by_itself() {
    let node = node();
    let pod = node.pod(A, 5);
    let sockets = clients(&node, &pod);
    // The world loses the first uplink's addresses; nothing goes down on the node.
    node.ns
        .sh("ip route replace default via 203.0.114.2; ip -6 route replace default via 2001:db8:eee1::2");
    node.world
        .sh("ip route add unreachable 203.0.113.1/32; ip -6 route add unreachable 2001:db8:eeee::1/128");
    for (socket, to) in sockets.into_iter().zip(OUTSIDE) {
        assert!(asks_until(&pod, socket, to, "here"));
    }
    assert_eq!(flushed_translated(&node.ns, &UPLINK), 0);
}

/// The node gets another address. A client that goes on asking never gets an answer, as its flow has the old one; with its entry
/// gone it does.
#[test]
fn a_flow_gets_the_nodes_new_address() {
    let node = node();
    translate(&node, [Some("192.0.2.7"), Some("2001:db8:ffff::7")]);
    let pod = node.pod(A, 5);
    let sockets = clients(&node, &pod);
    node.ns
        .sh("ip addr add 192.0.2.8/32 dev lo; ip addr add 2001:db8:ffff::8/128 dev lo nodad");
    translate(&node, [Some("192.0.2.8"), Some("2001:db8:ffff::8")]);
    node.world.sh(
        "ip route replace unreachable 192.0.2.7; ip -6 route del 2001:db8:ffff::7; ip -6 route add unreachable 2001:db8:ffff::7
         ip route add 192.0.2.8 via 203.0.113.1; ip -6 route add 2001:db8:ffff::8 via 2001:db8:eeee::1",
    );
    for (family, (socket, to)) in sockets.into_iter().zip(OUTSIDE).enumerate() {
        let copy = socket.try_clone().expect("a copy");
        assert!(!asks_until(&pod, copy, to, "here"), "the path should be dead");
        assert_eq!(flushed_translated(&node.ns, &[NODE[family]]), 1);
        assert!(asks_until(&pod, socket, to, "here"));
    }
}

/// A service's flow stays with the pod that it was given to, until that one's entries go.
#[test]
fn a_flow_to_a_service_finds_the_new_pod() {
    let node = node();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    let client = node.pod("rb11111111111", 7);
    let to = |number: u8| {
        node.ns.sh(&format!(
            "nft -f - <<'END'
table ip service
delete table ip service
table ip service {{
    chain to {{ type nat hook prerouting priority dstnat; ip daddr 10.96.0.1 dnat to 10.244.0.{number}; }}
}}
END"
        ));
    };
    answers(&a, "10.244.0.5", "old");
    answers(&b, "10.244.0.6", "new");
    let socket = client.run(|| UdpSocket::bind("10.244.0.7:5000").expect("bound"));
    let copy = || socket.try_clone().expect("a copy");
    to(5);
    assert!(asks_until(&client, copy(), "10.96.0.1", "old"));
    to(6);
    assert!(asks_until(&client, copy(), "10.96.0.1", "old"));
    assert!(!asks_until(&client, copy(), "10.96.0.1", "new"));
    assert_eq!(flushed(&node.ns, &["10.244.0.5"]), 1);
    assert!(asks_until(&client, copy(), "10.96.0.1", "new"));
}

#[test]
fn zones_are_left_alone() {
    let node = node();
    let a = node.pod(A, 5);
    node.ns.sh("nft 'table ip zones { chain z { type filter hook prerouting priority -350; ip saddr 10.244.0.5 ct zone set 7; }; }'");
    let outside = listen(&node.world, WORLD[0]);
    send(&a, "10.244.0.5", WORLD[0], b"out");
    until("it arrives", || receive(&outside) == b"out");
    assert_eq!(tracked(&node.ns, "zone=7"), 1);
    assert_eq!(flushed(&node.ns, &["10.244.0.5"]), 0);
    assert_eq!(tracked(&node.ns, "zone=7"), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u8..120) {
        Entry::read(&bytes);
        let mut nested = vec![length, 0, 1, 0, length.saturating_sub(4), 0, 1, 0];
        nested.extend(bytes);
        Entry::read(&nested);
    }
}
