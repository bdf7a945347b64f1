//! Two nodes in two subnets with a router between them that knows the pods' blocks, or two on one switch; and what
//! a fabric does that does not like pod addresses.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

use serde_json::Value;

use crate::support::{Builder, Fabric, SOON, check, eventually, kernel, pair, view, within};

/// Where the nodes stand: prefix of the subnet in IPv4 and IPv6.
const RACKS: [(&str, &str); 2] = [("192.0.2", "2001:db8:1"), ("198.51.100", "2001:db8:2")];

/// Both nodes, each with the other's blocks.
pub const NODES: [(&str, [&str; 2]); 2] = [
    ("n1", ["10.244.2.0/24", "2001:db8:244:2::/64"]),
    ("n2", ["10.244.1.0/24", "2001:db8:244:1::/64"]),
];

/// What a fabric with source checks does with packets of pods.
pub const PODS: [&str; 2] = ["ip saddr 10.244.0.0/16", "ip6 saddr 2001:db8:244::/48"];

/// Nodes in two subnets, a pod on each.
pub fn routed(scenario: &str) -> Fabric {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                    spec: { asNumber: 64512 }\n---\n\
                    apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\n\
                    spec: { cidr: 10.244.0.0/16, vxlanMode: Auto }\n---\n\
                    apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods6 }\n\
                    spec: { cidr: \"2001:db8:244::/48\", vxlanMode: Auto }\n"
        .to_owned();
    let mut builder = Builder::new(scenario);
    let mut router = vec![
        "sysctl -qw net.ipv4.ip_forward=1".to_owned(),
        "sysctl -qw net.ipv6.conf.all.forwarding=1".to_owned(),
    ];
    for (at, (v4, v6)) in (1..).zip(RACKS) {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{at} }}\n\
             spec: {{ bgp: {{ ipv4Address: {v4}.11/24, ipv6Address: \"{v6}::11/64\" }}, \
             podCIDRs: [10.244.{at}.0/24, \"2001:db8:244:{at}::/64\"] }}\n"
        );
        router.extend([
            format!("ip addr add {v4}.1/24 dev eth{at}"),
            format!("ip addr add {v6}::1/64 dev eth{at} nodad"),
            format!("ip route add 10.244.{at}.0/24 via {v4}.11"),
            format!("ip route add 2001:db8:244:{at}::/64 via {v6}::11"),
        ]);
        let node = [
            format!("ip addr add {v4}.11/24 dev eth1"),
            format!("ip addr add {v6}::11/64 dev eth1 nodad"),
            format!("ip route add default via {v4}.1"),
            format!("ip route add default via {v6}::1"),
        ];
        let node: Vec<&str> = node.iter().map(String::as_str).collect();
        builder = builder
            .agent(&format!("n{at}"), &node)
            .pod(&format!("p{at}"), &format!("n{at}"))
            .link(&format!("n{at}:eth1"), &format!("router:eth{at}"));
    }
    let router: Vec<&str> = router.iter().map(String::as_str).collect();
    let fabric = builder.host("router", &router).resources(&text).up();
    ready(&fabric);
    fabric
}

/// Nodes on one switch, a pod on each; the switch forwards nothing that these expressions match.
pub fn switched(scenario: &str, refused: &[&str]) -> Fabric {
    let fabric = pair::wire_with(scenario, 2, "Auto")
        .pod("p1", "n1")
        .pod("p2", "n2")
        .up_without_agents();
    refuse(&fabric, "switch", "bridge", refused);
    for node in ["n1", "n2"] {
        fabric.start_agent(node).expect("the agent starts");
    }
    for node in ["n1", "n2"] {
        fabric.wait_agent(node, SOON).expect("the agent answers");
    }
    for pod in ["p1", "p2"] {
        fabric.add_pod(pod, SOON).expect("the pod is plugged in");
    }
    ready(&fabric);
    fabric
}

fn ready(fabric: &Fabric) {
    for (node, _) in NODES {
        eventually("the session of the nodes", || view::converged(fabric, node, 1));
    }
}

/// From now on `at` forwards nothing that one of these nftables expressions matches.
pub fn refuse(fabric: &Fabric, at: &str, family: &str, expressions: &[&str]) {
    fabric.run(at, &format!("nft add table {family} fabric"));
    fabric.run(
        at,
        &format!("nft add chain {family} fabric forward {{ type filter hook forward priority 0 ; }}"),
    );
    fabric.run(at, &format!("nft flush chain {family} fabric forward"));
    for expression in expressions {
        fabric.run(
            at,
            &format!("nft add rule {family} fabric forward {expression} drop"),
        );
    }
}

/// Waits until `node` sends to this block of the other by this link. Verdicts take their time: a way that carried rests for ten
/// seconds before it is used again.
#[track_caller]
pub fn leads(fabric: &Fabric, node: &str, block: &str, device: &str) {
    within(SOON * 2, &format!("{node} sends to {block} by {device}"), || {
        let route = kernel::route(fabric, node, block)?.to_string();
        check(route.contains(&format!("\"dev\":\"{device}\"")), || {
            let status = view::status(fabric, node).map(|s| s.nodes);
            format!("{route}; {status:?}")
        })
    });
}

/// How `node` reaches the other's pods in IPv4, as `status` tells.
pub fn path(fabric: &Fabric, node: &str) -> config::api::status::NodePath {
    let status = view::status(fabric, node).unwrap_or_else(|e| panic!("{e}"));
    let pods = status.nodes.into_iter().find(|path| path.pool == "pods");
    pods.expect("a path to the other node")
}

/// The address of a pod.
pub fn address(fabric: &Fabric, pod: &str) -> IpAddr {
    fabric.pod_address(pod).expect("the pod has an address")
}

/// Counts on `node` the packets that come by this hook of the kernel, for each of these nftables expressions.
pub fn count(fabric: &Fabric, node: &str, hook: &str, expressions: &[String]) {
    fabric.run(node, "nft add table inet count");
    fabric.run(
        node,
        &format!("nft add chain inet count {hook} {{ type filter hook {hook} priority 0 ; }}"),
    );
    for expression in expressions {
        fabric.run(
            node,
            &format!("nft add rule inet count {hook} {expression} counter"),
        );
    }
}

/// The packets counted so far, in the order of the expressions.
pub fn counted(fabric: &Fabric, node: &str, hook: &str) -> Vec<u64> {
    let text = fabric.run(node, &format!("nft -j list chain inet count {hook}"));
    let value: Value = serde_json::from_str(&text).expect("nft writes JSON");
    let items = value["nftables"].as_array().into_iter().flatten();
    let parts = items.flat_map(|item| item["rule"]["expr"].as_array().into_iter().flatten());
    parts
        .filter_map(|part| part["counter"]["packets"].as_u64())
        .collect()
}

/// A number that `/metrics` of a node shows.
pub fn metric(fabric: &Fabric, node: &str, name: &str) -> Result<u64, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect("127.0.0.1:9178")?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = fabric.in_namespace(node, ask).map_err(|e| e.to_string())?;
    let text = text.map_err(|e| e.to_string())?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).ok_or(text)
}
