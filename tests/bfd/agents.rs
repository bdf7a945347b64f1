//! Two agents: watched by default, and not disturbed by work with routes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{AT_ONCE, negotiated, path};
use crate::support::{Builder, Fabric, check, eventually, kernel, pair, require, within};

/// Routes that the feeder announces and withdraws, again and again.
const ROUTES: u32 = 5000;

/// For as long as that.
const CHURN: Duration = Duration::from_secs(10);

#[test]
fn nodes_watch_each_other_by_default() {
    let fabric = pair::wire("bfd", 2).up();
    for (node, other) in [("n1", 2), ("n2", 1)] {
        let seen = eventually("BGP and BFD at 300 ms three times", || {
            negotiated(&fabric, node, &pair::address(other), 900)
        });
        assert_eq!(seen.1.hops, "multi", "{seen:?}");
    }
    let route = "10.244.2.0/24";
    eventually("the other node's route", || kernel::route(&fabric, "n1", route));
    let agent = fabric.process("n2", "agent");
    agent.signal(Signal::SIGSTOP);
    // The hold time is 90 s.
    within(AT_ONCE, "the route of a node that hangs goes", || {
        kernel::no_route(&fabric, "n1", route)
    });
    agent.signal(Signal::SIGCONT);
    eventually("the route again", || kernel::route(&fabric, "n1", route));
    eventually("and BFD", || negotiated(&fabric, "n1", &pair::address(2), 900));
}

/// Node n1 has a feeder on its other wire and watches n2 with three times the packets of the default, for as long as that: a machine
/// that others keep from running for a third of a second is not what is looked for.
fn fed() -> Fabric {
    require("bird", "bird2");
    let resources = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                     spec: { asNumber: 64512, bfd: { transmitInterval: 100ms, receiveInterval: 100ms, detectMultiplier: 9 } }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: n1 }\n\
                     spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/24] }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: n2 }\n\
                     spec: { bgp: { ipv4Address: 192.0.2.12/24 }, podCIDRs: [10.244.2.0/24] }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: { name: feeder }\n\
                     spec: { node: n1, peerIP: 198.18.0.1, asNumber: 65001, sourceAddress: None, transit: true }\n";
    let routes: String = (0..ROUTES)
        .map(|n| format!(" route 11.{}.{}.0/24 blackhole;\n", n >> 8, n & 0xff))
        .collect();
    let config = format!(
        "router id 198.18.0.1;\nprotocol device {{ }}\nprotocol static rts {{ ipv4;\n{routes}}}\n\
         protocol bgp n1 {{ local 198.18.0.1 as 65001; neighbor 198.18.0.11 as 64512; passive yes;\n \
         ipv4 {{ import none; export all; }}; }}\n"
    );
    let command = "bird -f -c /etc/feeder.conf -s /run/bird.ctl -P /run/bird.pid";
    Builder::new("bfd-churn")
        .resources(resources)
        .agent(
            "n1",
            &[
                "ip addr add 192.0.2.11/24 dev eth1",
                "ip addr add 198.18.0.11/24 dev eth2",
            ],
        )
        .agent("n2", &["ip addr add 192.0.2.12/24 dev eth1"])
        .program(
            "feeder",
            &config,
            command,
            &["ip addr add 198.18.0.1/24 dev eth1"],
        )
        .link("n1:eth1", "n2:eth1")
        .link("n1:eth2", "feeder:eth1")
        .up()
}

#[test]
fn work_with_routes_delays_no_packet() {
    let fabric = fed();
    let n2 = pair::address(2);
    eventually("BGP and BFD at 100 ms nine times", || {
        negotiated(&fabric, "n1", &n2, 900)
    });
    eventually("the feeder's routes", || {
        kernel::route(&fabric, "n1", "11.0.9.0/24")
    });
    let before = path(&fabric, "n1", &n2).expect("the BFD session");
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < CHURN {
        for (word, there) in [("disable", false), ("enable", true)] {
            fabric.run("feeder", &format!("birdc -s /run/bird.ctl {word} rts"));
            within(Duration::from_secs(60), "the churn in the kernel", || {
                check(
                    kernel::route(&fabric, "n1", "11.0.9.0/24").is_ok() == there,
                    || word.to_owned(),
                )
            });
        }
        turns += 1;
    }
    let after = path(&fabric, "n1", &n2).expect("the BFD session");
    eprintln!("bfd: {turns} times {ROUTES} routes in and out; before {before:?}; after {after:?}");
    assert_eq!(
        (after.state.as_str(), after.losses),
        ("up", before.losses),
        "{after:?}"
    );
    let sent = after.packets_out - before.packets_out;
    let least = began.elapsed().as_millis() as u64 / 200;
    assert!(sent > least, "{sent} packets in {:?}", began.elapsed());
}
