//! The fabric as the example file has it.

/// One node of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its name, in the lab and in the cluster.
    pub name: &'static str,
    /// Its rack: the switch that it is connected to.
    pub switch: &'static str,
    /// Its BGP address.
    pub address: &'static str,
    /// Its pod block.
    pub block: &'static str,
    /// Its pod.
    pub pod: &'static str,
}

const fn node(
    name: &'static str,
    switch: &'static str,
    address: &'static str,
    block: &'static str,
    pod: &'static str,
) -> Node {
    Node {
        name,
        switch,
        address,
        block,
        pod,
    }
}

/// The nodes.
pub const NODES: [Node; 4] = [
    node("a1", "tor1", "192.0.2.11", "10.244.1.0/24", "pod-a1"),
    node("a2", "tor1", "192.0.2.12", "10.244.2.0/24", "pod-a2"),
    node("b1", "tor2", "198.51.100.11", "10.244.3.0/24", "pod-b1"),
    node("b2", "tor2", "198.51.100.12", "10.244.4.0/24", "pod-b2"),
];

/// A host behind a switch, outside the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Its name.
    pub name: &'static str,
    /// Its switch.
    pub switch: &'static str,
    /// Its address.
    pub address: &'static str,
    /// Its network.
    pub network: &'static str,
}

/// The clients.
pub const CLIENTS: [Client; 2] = [
    Client {
        name: "client1",
        switch: "tor1",
        address: "203.0.113.10",
        network: "203.0.113.0/26",
    },
    Client {
        name: "client2",
        switch: "tor2",
        address: "203.0.113.74",
        network: "203.0.113.64/26",
    },
];

/// The switches.
pub const SWITCHES: [&str; 2] = ["tor1", "tor2"];

/// The switch port between the racks, on both switches.
pub const TRUNK: &str = "eth3";

/// The interface of a node towards its switch.
pub const UPLINK: &str = "eth1";

/// The node of this name.
pub fn by_name(name: &str) -> Option<Node> {
    NODES.into_iter().find(|n| n.name == name)
}

/// All ordered pairs of different nodes.
pub fn pairs() -> impl Iterator<Item = (Node, Node)> {
    NODES
        .into_iter()
        .flat_map(|a| NODES.into_iter().filter(move |b| *b != a).map(move |b| (a, b)))
}
