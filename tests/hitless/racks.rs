//! Two nodes, each with an uplink to each of some switches. Node addresses are on the loopback interface where there are several.
//! What the switches run is in `switches`.

use super::switches;
use crate::interop::makes::{Frr, Router};
use crate::support::{Builder, Fabric, check, eventually, kernel, view};

/// The shortest hold time that BGP has, in seconds.
pub const HOLD: u8 = 3;

/// The nodes' pod blocks.
pub const BLOCKS: [&str; 2] = ["10.244.1.0/24", "10.244.2.0/24"];

/// Brings it up, through wires `wSN` (S the switch, N the node) that can be cut: bridges with ports `eth1` to the node and `eth2`
/// to the switch.
pub fn up(scenario: &str, switches: u8) -> Fabric {
    of(scenario, switches, &Frr, HOLD)
}

/// The same with switches of this make, and this hold time in seconds.
pub fn of(scenario: &str, switches: u8, make: &dyn Router, hold: u8) -> Fabric {
    let mut builder = Builder::new(scenario).resources(&resources(switches));
    for n in 1..=2 {
        let mut exec = vec![
            "ip link set lo up".to_owned(),
            format!("ip addr add 192.0.2.1{n}/32 dev lo"),
            // Streams between the same two pods spread over the uplinks.
            "sysctl -qw net.ipv4.fib_multipath_hash_policy=1".to_owned(),
        ];
        exec.extend((1..=switches).map(|s| format!("ip addr add 198.18.{s}{n}.2/24 dev eth{s}")));
        builder = builder
            .agent(&format!("n{n}"), &words(&exec))
            .pod(&format!("p{n}"), &format!("n{n}"));
    }
    let bridge = [
        "ip link add lan type bridge",
        "ip link set lan up",
        "ip link set eth1 master lan",
        "ip link set eth2 master lan",
    ];
    for s in 1..=switches {
        let mut exec: Vec<String> = (1..=2)
            .map(|n| format!("ip addr add 198.18.{s}{n}.1/24 dev eth{n}"))
            .collect();
        exec.extend(switches::exec(make, s));
        builder = make.add(builder, &switches::site(s, hold), &words(&exec));
        for n in 1..=2 {
            let wire = format!("w{s}{n}");
            builder = builder
                .host(&wire, &bridge)
                .link(&format!("n{n}:eth{s}"), &format!("{wire}:eth1"))
                .link(&format!("tor{s}:eth{n}"), &format!("{wire}:eth2"));
        }
    }
    let fabric = builder.up();
    for s in 1..=switches {
        make.settle(&fabric, &switches::site(s, hold));
    }
    whole(&fabric, switches);
    fabric
}

fn words(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// Waits until both nodes use all their uplinks, and every switch knows both.
pub fn whole(fabric: &Fabric, switches: u8) {
    for (node, block) in ["n1", "n2"].into_iter().zip(BLOCKS.iter().rev()) {
        eventually("the sessions with the switches", || {
            view::converged(fabric, node, usize::from(switches))
        });
        eventually("all uplinks are used", || {
            let text = kernel::route(fabric, node, block)?.to_string();
            let all = (1..=switches).all(|s| text.contains(&format!("eth{s}")));
            check(all && !text.contains("linkdown"), || text.clone())
        });
    }
    for s in 1..=switches {
        for block in BLOCKS {
            eventually("the switch knows the blocks", || {
                let text = fabric.run(&format!("tor{s}"), &format!("ip route show {block}"));
                // What is without a protocol is a fallback, not knowledge.
                let knows = |line: &str| line.contains("dev eth") && line.contains(" proto ");
                check(text.lines().any(knows), || text.clone())
            });
        }
    }
}

/// Gives the kernels of the switches their ways to the nodes' pods as a last resort, below all that their daemons know (zebra reads
/// an administrative distance of 255 out of this metric). A switch announces what it has just learned to the other node some
/// milliseconds before its own kernel has it, and what came meanwhile would be lost in the switch.
pub fn last_resort(fabric: &Fabric, switches: u8) {
    for s in 1..=switches {
        for (n, block) in (1..).zip(BLOCKS) {
            fabric.run(
                &format!("tor{s}"),
                &format!("ip route add {block} via 198.18.{s}{n}.2 metric 4278198272"),
            );
        }
    }
}

/// Both ends of a wire lose their carrier, or get it back. The node's end is the last one up: a real cable has carrier at an end only
/// when the other end is there to receive.
pub fn carrier(fabric: &Fabric, wire: &str, up: bool) {
    let ends = if up { ["eth2", "eth1"] } else { ["eth1", "eth2"] };
    for port in ends {
        fabric.set_link(wire, port, up).expect("set a port of the wire");
        if up {
            eventually("the port forwards", || {
                let text = fabric.run(wire, &format!("ip -d link show {port}"));
                check(text.contains("state forwarding"), || text.clone())
            });
        }
    }
}

fn resources(switches: u8) -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
         spec: { asNumber: 64512, nodeToNodeMeshEnabled: false }\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n"
        .to_owned();
    for n in 1..=2 {
        let address = if switches == 1 {
            format!("198.18.1{n}.2/24")
        } else {
            format!("192.0.2.1{n}/32")
        };
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
             spec: {{ bgp: {{ ipv4Address: {address}, asNumber: 6460{n} }}, podCIDRs: [10.244.{n}.0/24] }}\n"
        );
        for s in 1..=switches {
            text += &format!(
                "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: n{n}-tor{s} }}\n\
                 spec: {{ node: n{n}, peerIP: 198.18.{s}{n}.1, asNumber: 65001, sourceAddress: None }}\n"
            );
        }
    }
    text
}
