//! Nodes of one cluster on one wire: the smallest fabric in which agents peer with each other.

use super::Builder;

/// The resources of a mesh of nodes n1, n2, ... that reach each other's pods in this mode of VXLAN.
pub fn resources(nodes: u8, vxlan: &str) -> String {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: 64512, nodeToNodeMeshEnabled: true }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\n\
         spec: {{ cidr: 10.244.0.0/16, vxlanMode: {vxlan} }}\n",
    );
    for i in 1..=nodes {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.1{i}/24 }}, podCIDRs: [10.244.{i}.0/24] }}\n"
        );
    }
    text
}

/// Agents on one switch, which reach each other's pods directly.
pub fn wire(scenario: &str, nodes: u8) -> Builder {
    wire_with(scenario, nodes, "CrossSubnet")
}

/// The same in another mode of VXLAN.
pub fn wire_with(scenario: &str, nodes: u8, vxlan: &str) -> Builder {
    let mut switch = vec![
        "ip link add lan type bridge".to_owned(),
        "ip link set lan up".to_owned(),
    ];
    let mut builder = Builder::new(scenario).resources(&resources(nodes, vxlan));
    for i in 1..=nodes {
        switch.push(format!("ip link set eth{i} master lan"));
        builder = builder
            .agent(
                &format!("n{i}"),
                &[&format!("ip addr add 192.0.2.1{i}/24 dev eth1")],
            )
            .link(&format!("n{i}:eth1"), &format!("switch:eth{i}"));
    }
    let switch: Vec<&str> = switch.iter().map(String::as_str).collect();
    builder.host("switch", &switch)
}

/// The address of a node of [`wire`].
pub fn address(node: u8) -> String {
    format!("192.0.2.1{node}")
}
