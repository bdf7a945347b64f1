//! The cluster that is simulated, as resources: two pools, the settings, and a `Node` for each node.

use std::time::Duration;

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Datastore, Error, Expect, Key, Write};

/// How large the play is.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Simulated nodes.
    pub nodes: usize,
    /// Blocks that all nodes together have to own at the end.
    pub blocks: usize,
    /// Whether members and nodes are made to fail.
    pub faults: bool,
    /// For how long nodes are made to fail; members fail until every node has its blocks.
    pub faults_for: Duration,
    /// Of what comes by chance.
    pub seed: u64,
}

impl Scale {
    /// IPv4 blocks of each node.
    pub fn blocks_per_node(&self) -> usize {
        self.blocks.div_ceil(self.nodes)
    }
}

/// How long a node is gone before the others take its blocks: less than the resources allow, to save time.
pub const GRACE: Duration = Duration::from_secs(3);
/// How long a silent agent's presence is kept.
pub const PRESENCE: Duration = Duration::from_secs(5);

/// Name, range and block size. It is blocks that are counted here, so those of IPv4 are small.
pub const POOLS: [(&str, &str, u8); 2] = [("pods", "10.0.0.0/8", 31), ("pods6", "fd00:10::/48", 122)];

/// The name of the node with this number.
pub fn node_name(number: usize) -> NodeName {
    let name = format!("node-{number:03}");
    name.parse().expect("it is a name")
}

/// The resource of a node.
pub fn node(number: usize) -> (Key, String) {
    let name = node_name(number);
    let (rack, a, b) = (number % 8, number / 250, number % 250 + 1);
    let text = format!(
        r#"{{"apiVersion":"roadbed.dev/v1","kind":"Node","metadata":{{"name":"{name}","labels":{{"rack":"r{rack}"}}}},
            "spec":{{"bgp":{{"ipv4Address":"192.168.{a}.{b}/16"}}}}}}"#
    );
    (Key::resource(ResourceKind::Node, name.to_string()), text)
}

/// Writes all resources.
///
/// # Errors
/// As the store's.
pub async fn write(store: &dyn Datastore, nodes: usize) -> Result<(), Error> {
    for (name, cidr, size) in POOLS {
        let text = format!(
            r#"{{"apiVersion":"roadbed.dev/v1","kind":"IPPool","metadata":{{"name":"{name}"}},
                "spec":{{"cidr":"{cidr}","blockSize":{size}}}}}"#
        );
        put(store, Key::resource(ResourceKind::IpPool, name), text).await?;
    }
    let settings = r#"{"apiVersion":"roadbed.dev/v1","kind":"IPAMConfiguration","metadata":{"name":"default"},
            "spec":{"emptyBlockLinger":"1s","addressCoolDown":"1s"}}"#;
    put(
        store,
        Key::resource(ResourceKind::IpamConfig, "default"),
        settings.to_owned(),
    )
    .await?;
    for number in 0..nodes {
        let (key, text) = node(number);
        put(store, key, text).await?;
    }
    Ok(())
}

async fn put(store: &dyn Datastore, key: Key, text: String) -> Result<(), Error> {
    store.write(Write::Put(key, text), Expect::Any).await.map(|_| ())
}
