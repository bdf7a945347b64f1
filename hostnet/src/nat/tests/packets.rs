//! Which packets keep their source, which get the node's, and that connections outlive changes of the table.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{echo, nets, seen_as, set, wanted};
use crate::ruleset::{Ensured, Wanted, counters};
use crate::testing::{NODE, Node, Ns, addresses, until, with_port};

const A: &str = "rb0123456789a";
const B: &str = "rbfedcba98765";
/// The uplink's addresses, by which all that leaves goes.
const UPLINK: [&str; 2] = ["203.0.113.1", "2001:db8:eeee::1"];
/// Addresses of the world: outside of all pools, another node, a pod there in either pool.
const OUTSIDE: [&str; 2] = ["198.51.100.9", "2001:db8:9::9"];
const OTHERS: [[&str; 3]; 2] = [
    ["192.0.2.8", "10.244.1.5", "10.245.1.5"],
    ["2001:db8:ffff::8", "2001:db8:244:1::5", "2001:db8:244:2::5"],
];

/// A node whose world has all these addresses, answers at each, and has routes to pods: what comes with its own source is
/// answered, too.
fn node() -> Node {
    let node = Node::new();
    node.world.sh(
        "for f in all default eth0; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done
         ip route add 10.244.0.0/24 via 203.0.113.1; ip route add 10.245.0.0/24 via 203.0.113.1; ip route add 192.0.2.7 via 203.0.113.1
         ip -6 route add 2001:db8:244::/64 via 2001:db8:eeee::1; ip -6 route add 2001:db8:ffff::7 via 2001:db8:eeee::1",
    );
    for family in 0..2 {
        let nodad = if family == 1 { "nodad" } else { "" };
        for address in OTHERS[family].iter().chain([&OUTSIDE[family]]) {
            node.world.sh(&format!("ip addr add {address} dev lo {nodad}"));
            echo(&node.world, address);
        }
    }
    node
}

#[test]
fn what_leaves_the_pools_has_the_nodes_address() {
    let node = node();
    let (a, b) = (node.pod(A, 5), node.pod(B, 6));
    for family in 0..2 {
        let own = &addresses(5)[family];
        echo(&b, &addresses(6)[family]);
        echo(&node.ns, NODE[family]);
        assert_eq!(
            seen_as(&a, own, OUTSIDE[family]).as_ref(),
            Some(own),
            "before there is a table"
        );
    }
    assert_eq!(set(&node.ns, &wanted()).expect("made"), Ensured::Made);
    for family in 0..2 {
        let own = &addresses(5)[family];
        assert_eq!(seen_as(&a, own, OUTSIDE[family]).as_deref(), Some(UPLINK[family]));
        let plain = [NODE[family], &addresses(6)[family]];
        for to in plain.iter().chain(&OTHERS[family]) {
            assert_eq!(seen_as(&a, own, to).as_ref(), Some(own), "{to}");
        }
        assert_eq!(
            seen_as(&node.ns, NODE[family], OUTSIDE[family]).as_deref(),
            Some(NODE[family]),
            "the node's own packets are nobody's business"
        );
    }
    let counters = node.ns.run(|| counters().expect("readable"));
    for rule in ["nat_v4", "nat_v6"] {
        let counter = counters
            .iter()
            .find(|counter| counter.rule == rule)
            .expect("the rule");
        assert!(counter.packets > 0 && !counter.drops, "{counter:?}");
    }
}

#[test]
fn pools_without_it_and_tunnels_are_left_alone() {
    let node = node();
    set(&node.ns, &wanted()).expect("made");
    // A pod of the pool without natOutgoing.
    let other = node.pod(B, 6);
    node.ns.sh(&format!("ip route add 10.245.0.6/32 dev {B}"));
    other.sh("ip addr add 10.245.0.6/32 dev eth0");
    assert_eq!(
        seen_as(&other, "10.245.0.6", OUTSIDE[0]).as_deref(),
        Some("10.245.0.6")
    );
    // Outside, but through what is named like a tunnel.
    let pod = node.pod(A, 5);
    node.ns.sh(&format!(
        "ip link add rb-vxlan type veth peer name tunnel netns {}
         ip addr add 172.30.0.1/24 dev rb-vxlan; ip addr add 2001:db8:30::1/64 dev rb-vxlan nodad; ip link set rb-vxlan up",
        node.world.thread_id
    ));
    node.world.sh(
        "ip addr add 172.30.0.2/24 dev tunnel; ip addr add 2001:db8:30::2/64 dev tunnel nodad; ip link set tunnel up",
    );
    node.ns
        .sh("ip route add 198.51.100.9 via 172.30.0.2; ip -6 route add 2001:db8:9::9 via 2001:db8:30::2");
    for (own, to) in addresses(5).iter().zip(OUTSIDE) {
        assert_eq!(seen_as(&pod, own, to).as_ref(), Some(own));
    }
}

#[test]
fn exceptions_come_and_go() {
    let node = node();
    let pod = node.pod(A, 5);
    let mut more = wanted();
    more.nat
        .exceptions
        .extend(nets(&["198.51.100.0/24", "2001:db8:9::/64"]));
    for (wants, plain) in [(wanted(), false), (more, true), (wanted(), false)] {
        set(&node.ns, &wants).expect("set");
        for family in 0..2 {
            let own = &addresses(5)[family];
            let seen = if plain { own } else { UPLINK[family] };
            assert_eq!(seen_as(&pod, own, OUTSIDE[family]).as_deref(), Some(seen));
        }
    }
}

/// A connection, and what the other end says of it.
struct Connection(TcpStream, BufReader<TcpStream>);

impl Connection {
    fn new(ns: &Ns, to: &str) -> Connection {
        let to = with_port(to, 7000).parse().expect("an address");
        let stream =
            ns.run(move || TcpStream::connect_timeout(&to, Duration::from_secs(20)).expect("connected"));
        let reader = BufReader::new(stream.try_clone().expect("a copy"));
        Connection(stream, reader)
    }

    /// The address and port that the other end sees; nothing where it does not answer in time.
    fn seen_as(&mut self, in_time: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(in_time)).ok()?;
        self.0.write_all(b"\n").ok()?;
        let mut line = String::new();
        self.1.read_line(&mut line).ok()?;
        (!line.is_empty()).then(|| line.trim().to_owned())
    }
}

const LONG: Duration = Duration::from_secs(20);

/// Sets and rules that change again and again: connections go on, and no packet slips out untranslated.
#[test]
fn connections_outlive_changes() {
    let node = node();
    let pod = node.pod(A, 5);
    set(&node.ns, &wanted()).expect("made");
    let mut connections = OUTSIDE.map(|to| Connection::new(&pod, to));
    let before = connections
        .each_mut()
        .map(|c| c.seen_as(LONG).expect("an answer"));
    assert!(
        before[0].starts_with(UPLINK[0]) && before[1].contains(UPLINK[1]),
        "{before:?}"
    );
    let done = Arc::new(AtomicBool::new(false));
    let until_then = Arc::clone(&done);
    let seen = std::thread::scope(|scope| {
        let (pod, node) = (&pod, &node);
        let asks = scope.spawn(move || {
            let mut seen = std::collections::BTreeSet::new();
            while !until_then.load(Ordering::Relaxed) {
                // A new connection each time, so that each goes through the rules.
                seen.extend((0..2).map(|f| seen_as(pod, &addresses(5)[f], OUTSIDE[f])));
            }
            seen
        });
        let mut more = wanted();
        more.nat.exceptions.extend(nets(&["172.16.0.0/12"]));
        // The same address by another rule.
        let mut otherwise = wanted();
        otherwise.nat.source_v4 = UPLINK[0].parse().ok();
        otherwise.nat.source_v6 = UPLINK[1].parse().ok();
        for _ in 0..20 {
            for (wants, outcome) in [
                (&more, Ensured::Updated),
                (&otherwise, Ensured::Made),
                (&wanted(), Ensured::Made),
            ] {
                assert_eq!(set(&node.ns, wants).expect("set"), outcome);
            }
        }
        done.store(true, Ordering::Relaxed);
        asks.join().expect("asked")
    });
    let wants = UPLINK.map(|address| Some(address.to_owned()));
    assert_eq!(seen, wants.into());
    // An exception is for new connections.
    let mut more = wanted();
    more.nat
        .exceptions
        .extend(nets(&["198.51.100.0/24", "2001:db8:9::/64"]));
    set(&node.ns, &more).expect("set");
    let after = connections
        .each_mut()
        .map(|c| c.seen_as(LONG).expect("an answer"));
    assert_eq!(after, before);
}

/// Two uplinks. A masqueraded connection ends when it would leave by the other one; one with the node's own address goes on.
#[test]
fn a_fixed_address_outlives_an_uplink() {
    for (fixed, down) in [(false, true), (false, false), (true, true), (true, false)] {
        let node = node();
        let pod = node.pod(A, 5);
        let mut connections = two_uplinks(&node, &pod, fixed);
        let before = connections
            .each_mut()
            .map(|c| c.seen_as(LONG).expect("an answer"));
        let address = if fixed { NODE } else { UPLINK };
        assert!(
            before[0].contains(address[0]) && before[1].contains(address[1]),
            "{before:?}"
        );
        if down {
            node.ns.sh("ip link set up0 down");
        }
        node.ns
            .sh("ip route replace default via 203.0.114.2; ip -6 route replace default via 2001:db8:eee1::2");
        node.world.sh(
            "ip route replace 192.0.2.7 via 203.0.114.1; ip -6 route replace 2001:db8:ffff::7 via 2001:db8:eee1::1",
        );
        until("new connections take the other uplink", || {
            let wants = if fixed { NODE[0] } else { "203.0.114.1" };
            seen_as(&pod, &addresses(5)[0], OUTSIDE[0]).as_deref() == Some(wants)
        });
        for (connection, before) in connections.iter_mut().zip(before) {
            if fixed {
                assert_eq!(connection.seen_as(LONG), Some(before), "down: {down}");
            } else {
                let seen = connection.seen_as(Duration::from_millis(700));
                assert_eq!(seen, None, "down: {down}");
            }
        }
    }
}

/// A second uplink for the node, and connections of a pod to the outside by the first one.
fn two_uplinks(node: &Node, pod: &Ns, fixed: bool) -> [Connection; 2] {
    node.ns.sh(&format!(
        "ip link add up1 type veth peer name eth1 netns {}
         ip addr add 203.0.114.1/24 dev up1; ip addr add 2001:db8:eee1::1/64 dev up1 nodad; ip link set up1 up",
        node.world.thread_id
    ));
    node.world.sh(
        "ip addr add 203.0.114.2/24 dev eth1; ip addr add 2001:db8:eee1::2/64 dev eth1 nodad; ip link set eth1 up
         echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter",
    );
    let mut wants = wanted();
    if fixed {
        wants.nat.source_v4 = Some(NODE[0].parse().expect("an address"));
        wants.nat.source_v6 = Some(NODE[1].parse().expect("an address"));
    }
    set(&node.ns, &wants).expect("made");
    OUTSIDE.map(|to| Connection::new(pod, to))
}

/// What another program does to the table is undone, and what comes then is masqueraded again.
#[test]
fn it_comes_back() {
    let node = node();
    let pod = node.pod(A, 5);
    let own = &addresses(5)[0];
    set(&node.ns, &wanted()).expect("made");
    node.ns.sh("nft flush ruleset");
    assert_eq!(seen_as(&pod, own, OUTSIDE[0]).as_ref(), Some(own));
    set(&node.ns, &wanted()).expect("repaired");
    assert_eq!(seen_as(&pod, own, OUTSIDE[0]).as_deref(), Some(UPLINK[0]));
    node.ns.sh("nft flush set inet roadbed nat4");
    assert_eq!(seen_as(&pod, own, OUTSIDE[0]).as_ref(), Some(own));
    assert_eq!(set(&node.ns, &wanted()).expect("repaired"), Ensured::Updated);
    assert_eq!(seen_as(&pod, own, OUTSIDE[0]).as_deref(), Some(UPLINK[0]));
    assert_eq!(set(&node.ns, &Wanted::default()).expect("no more"), Ensured::Made);
    assert_eq!(seen_as(&pod, own, OUTSIDE[0]).as_ref(), Some(own));
}
