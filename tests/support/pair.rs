//! Nodes of one cluster on one wire: the smallest fabric in which agents peer with each other.

use super::Builder;

/// The resources of a mesh of `n` nodes n1, n2, ..., with what else is to be in them.
pub fn resources(nodes: u8, more: &str) -> String {
    let mut text = String::from(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
         spec: { asNumber: 64512, nodeToNodeMeshEnabled: true, feedDeferralTime: 20s }\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\n\
         spec: { cidr: 10.244.0.0/16, vxlanMode: CrossSubnet }\n",
    );
    for i in 1..=nodes {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.1{i}/24 }}, podCIDRs: [10.244.{i}.0/24] }}\n"
        );
    }
    text + more
}

/// `n` agents on one switch.
pub fn wire(scenario: &str, nodes: u8) -> Builder {
    let mut switch = vec!["ip link add lan type bridge".to_owned(), "ip link set lan up".to_owned()];
    let mut builder = Builder::new(scenario).resources(&resources(nodes, ""));
    for i in 1..=nodes {
        switch.push(format!("ip link set eth{i} master lan"));
        builder = builder
            .agent(&format!("n{i}"), &[&format!("ip addr add 192.0.2.1{i}/24 dev eth1")])
            .link(&format!("n{i}:eth1"), &format!("switch:eth{i}"));
    }
    let switch: Vec<&str> = switch.iter().map(String::as_str).collect();
    builder.host("switch", &switch)
}

/// The address of a node of [`wire`].
pub fn address(node: u8) -> String {
    format!("192.0.2.1{node}")
}
