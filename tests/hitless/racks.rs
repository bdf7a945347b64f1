//! Two nodes, each with an uplink to each of some switches. Node addresses are on the loopback interface where there are several.

use crate::support::{Builder, Fabric, check, eventually, kernel, view};

/// The nodes' pod blocks.
pub const BLOCKS: [&str; 2] = ["10.244.1.0/24", "10.244.2.0/24"];

/// Brings it up, through wires `wSN` (S the switch, N the node) that can be cut: bridges with ports `eth1` to the node and `eth2`
/// to the switch.
pub fn up(scenario: &str, switches: u8) -> Fabric {
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
        let exec: Vec<String> = (1..=2)
            .map(|n| format!("ip addr add 198.18.{s}{n}.1/24 dev eth{n}"))
            .collect();
        builder = builder.frr(&format!("tor{s}"), &config(s), &words(&exec));
        for n in 1..=2 {
            let wire = format!("w{s}{n}");
            builder = builder
                .host(&wire, &bridge)
                .link(&format!("n{n}:eth{s}"), &format!("{wire}:eth1"))
                .link(&format!("tor{s}:eth{n}"), &format!("{wire}:eth2"));
        }
    }
    let fabric = builder.up();
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
                check(text.contains("dev eth"), || text.clone())
            });
        }
    }
}

/// Both ends of a wire lose their carrier, or get it back.
pub fn carrier(fabric: &Fabric, wire: &str, up: bool) {
    for port in ["eth1", "eth2"] {
        fabric.set_link(wire, port, up).expect("set a port of the wire");
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

/// All switches share an AS, so that paths over them are alike and used side by side.
fn config(s: u8) -> String {
    let mut text = format!(
        "frr defaults traditional\nlog stdout warnings\n!\n\
         ip route 192.0.2.11/32 198.18.{s}1.2\nip route 192.0.2.12/32 198.18.{s}2.2\n!\n\
         router bgp 65001\n bgp router-id 198.18.{s}1.1\n no bgp ebgp-requires-policy\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n timers bgp 1 3\n"
    );
    for n in 1..=2 {
        let peer = format!("198.18.{s}{n}.2");
        text += &format!(
            " neighbor {peer} remote-as 6460{n}\n neighbor {peer} disable-connected-check\n \
             neighbor {peer} timers connect 1\n neighbor {peer} advertisement-interval 0\n"
        );
    }
    text + "exit\n"
}
