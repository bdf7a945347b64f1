//! Three nodes, n1 and n2 in one rack and n3 behind a router that knows nothing of BGP, a pod on n1, n2 and n3,
//! in whatever families and modes a scenario wants.

use std::fmt::Write as _;

use crate::support::{Builder, Fabric, eventually, view};

/// The families that nodes and pools have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Families {
    Both,
    OnlyIpv6,
}

/// Rack and host part of the nodes n1, n2, n3.
const PLACES: [(u8, u8); 3] = [(1, 11), (1, 12), (2, 11)];

/// The BGP address of a node in one family.
pub fn node(number: usize, ipv4: bool) -> String {
    let (rack, host) = PLACES[number - 1];
    match (ipv4, rack) {
        (true, 1) => format!("192.0.2.{host}"),
        (true, _) => format!("198.51.100.{host}"),
        (false, rack) => format!("2001:db8:{rack}::{host}"),
    }
}

/// The router's address in the rack of a node.
fn router(number: usize, ipv4: bool) -> &'static str {
    match (ipv4, PLACES[number - 1].0) {
        (true, 1) => "192.0.2.1",
        (true, _) => "198.51.100.1",
        (false, 1) => "2001:db8:1::1",
        (false, _) => "2001:db8:2::1",
    }
}

/// The gateway of a node's default route. For n3 it is link-local in IPv6, as router advertisements have it.
pub fn gateway(number: usize, ipv4: bool) -> &'static str {
    match (ipv4, number) {
        (false, 3) => "fe80::1",
        _ => router(number, ipv4),
    }
}

/// The pod block of a node, as the kernel writes it.
pub fn block(number: usize, ipv4: bool) -> String {
    match ipv4 {
        true => format!("10.244.{number}.0/24"),
        false => format!("2001:db8:244:{number}::/64"),
    }
}

/// The node's own pod address: the first of its block.
pub fn own_pod_address(number: usize, ipv4: bool) -> String {
    let block = block(number, ipv4);
    block.split('/').next().unwrap_or_default().to_owned()
}

/// The address of a node's first pod.
pub fn pod(number: usize, ipv4: bool) -> String {
    match ipv4 {
        true => format!("10.244.{number}.1"),
        false => format!("2001:db8:244:{number}::1"),
    }
}

/// The resources; `n3` is what stands in the `bgp` of node n3 besides its addresses.
pub fn resources(families: Families, mode: &str, n3: &str) -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                    spec: { asNumber: 64512 }\n"
        .to_owned();
    let pools = [
        ("pods", "10.244.0.0/16", true),
        ("pods6", "2001:db8:244::/48", false),
    ];
    for (name, cidr, _) in pools.into_iter().filter(|(_, _, v4)| families.hold(*v4)) {
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\n\
             spec: {{ cidr: \"{cidr}\", vxlanMode: {mode} }}\n"
        );
    }
    for number in 1..=3 {
        let mut bgp = format!("ipv6Address: \"{}/64\"", node(number, false));
        let mut blocks = format!("\"{}\"", block(number, false));
        if families == Families::Both {
            let _ = write!(bgp, ", ipv4Address: {}/24", node(number, true));
            let _ = write!(blocks, ", {}", block(number, true));
        }
        if number == 3 && !n3.is_empty() {
            let _ = write!(bgp, ", {n3}");
        }
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{number} }}\n\
             spec: {{ bgp: {{ {bgp} }}, podCIDRs: [{blocks}] }}\n"
        );
    }
    text
}

impl Families {
    /// Whether there are addresses of this family.
    pub fn hold(self, ipv4: bool) -> bool {
        !ipv4 || self == Families::Both
    }

    /// The families, as "is it IPv4".
    pub fn each(self) -> impl Iterator<Item = bool> {
        [true, false].into_iter().filter(move |v4| self.hold(*v4))
    }
}

/// The fabric with its sessions up. The router has static routes to the pods' blocks, as an administrator
/// would write them for pools that are never tunnelled.
pub fn up(scenario: &str, families: Families, mode: &str, n3: &str) -> Fabric {
    let mut builder = Builder::new(scenario).resources(&resources(families, mode, n3));
    let mut router_exec = vec![
        "ip link add rack type bridge".to_owned(),
        "ip link set eth1 master rack".to_owned(),
        "ip link set eth2 master rack".to_owned(),
        "ip link set rack up".to_owned(),
        "ip addr add fe80::1/64 dev eth3 nodad".to_owned(),
        "sysctl -qw net.ipv4.ip_forward=1".to_owned(),
        "sysctl -qw net.ipv6.conf.all.forwarding=1".to_owned(),
    ];
    for ipv4 in families.each() {
        let (length, nodad) = if ipv4 { (24, "") } else { (64, " nodad") };
        router_exec.push(format!(
            "ip addr add {}/{length} dev rack{nodad}",
            router(1, ipv4)
        ));
        router_exec.push(format!(
            "ip addr add {}/{length} dev eth3{nodad}",
            router(3, ipv4)
        ));
        for number in 1..=3 {
            router_exec.push(format!(
                "ip route add {} via {}",
                block(number, ipv4),
                node(number, ipv4)
            ));
        }
    }
    for number in 1..=3 {
        let mut exec = Vec::new();
        for ipv4 in families.each() {
            let (length, nodad) = if ipv4 { (24, "") } else { (64, " nodad") };
            exec.push(format!(
                "ip addr add {}/{length} dev eth1{nodad}",
                node(number, ipv4)
            ));
            exec.push(format!(
                "ip route add default via {} dev eth1",
                gateway(number, ipv4)
            ));
        }
        let exec: Vec<&str> = exec.iter().map(String::as_str).collect();
        builder = builder
            .agent(&format!("n{number}"), &exec)
            .pod(&format!("p{number}"), &format!("n{number}"))
            .link(&format!("n{number}:eth1"), &format!("router:eth{number}"));
    }
    let router_exec: Vec<&str> = router_exec.iter().map(String::as_str).collect();
    let fabric = builder.host("router", &router_exec).up();
    for number in 1..=3 {
        eventually("the sessions of the nodes", || {
            view::converged(&fabric, &format!("n{number}"), 2)
        });
    }
    fabric
}
