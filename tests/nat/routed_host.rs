//! A fabric that routes to the host: the node's address is on loopback, and what its uplink is called is known to nobody.

use std::fmt::Write as _;

use super::{WORLD, blocks, chain, configuration, pod, seen_by, socket, world_sees};
use crate::support::{Builder, check, eventually, view};

const OLD: [&str; 2] = ["192.0.2.11", "2001:db8:ffff::11"];
const NEW: [&str; 2] = ["192.0.2.99", "2001:db8:ffff::99"];

fn resources([v4, v6]: [&str; 2]) -> String {
    let mut text = configuration(true);
    let blocks = blocks(1);
    let _ = write!(
        text,
        "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n1 }}\n\
         spec: {{ bgp: {{ ipv4Address: {v4}/32, ipv6Address: '{v6}/128' }}, podCIDRs: [{blocks}] }}\n"
    );
    text
}

#[test]
fn pods_leave_with_the_address_on_loopback_and_with_its_successor() {
    let node = [
        "ip link set lo up",
        "ip addr add 192.0.2.11/32 dev lo",
        "ip addr add 192.0.2.99/32 dev lo",
        "ip addr add 2001:db8:ffff::11/128 dev lo nodad",
        "ip addr add 2001:db8:ffff::99/128 dev lo nodad",
        "ip addr add 198.18.1.2/24 dev eth1",
        "ip addr add 2001:db8:1::2/64 dev eth1 nodad",
        "ip route add default via 198.18.1.1",
        "ip -6 route add default via 2001:db8:1::1",
    ];
    let world = [
        "ip link set lo up",
        "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0",
        "ip addr add 198.18.1.1/24 dev eth1",
        "ip addr add 2001:db8:1::1/64 dev eth1 nodad",
        "ip addr add 203.0.113.9/32 dev lo",
        "ip addr add 2001:db8:9::9/128 dev lo nodad",
    ];
    let fabric = Builder::new("loopback")
        .resources(&resources(OLD))
        .agent("n1", &node)
        .pod("p1", "n1")
        .host("world", &world)
        .link("n1:eth1", "world:eth1")
        .up();
    eventually("the node is ready", || view::converged(&fabric, "n1", 0));
    world_sees(&fabric, &pod(1), &OLD.map(str::to_owned));
    let flows = [0, 1].map(|family| {
        let client = socket(&fabric, "p1", &pod(1)[family]);
        (client, socket(&fabric, "world", WORLD[family]))
    });
    for ((client, server), old) in flows.iter().zip(OLD) {
        eventually("the flow begins", || {
            let sender = seen_by(client, server)?;
            check(sender == old, || format!("as {sender}"))
        });
    }
    // The node gets another address: flows do not keep the one that it has no more.
    fabric.edit("n1", &resources(NEW));
    for ((client, server), new) in flows.iter().zip(NEW) {
        eventually("the flow goes on with the new address", || {
            let sender = seen_by(client, server)?;
            check(sender == new, || format!("as {sender}"))
        });
    }
    let chain = chain(&fabric).expect("the chain");
    assert!(
        chain.contains("snat ip to 192.0.2.99") && !chain.contains("masquerade"),
        "{chain}"
    );
}
