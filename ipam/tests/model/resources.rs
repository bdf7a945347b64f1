//! The operator: pools and nodes in the store, and the intent that they mean at each revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::fields::ResourceKind;
use config::intent::{Intent, IpamConfiguration, Node, NodeBgp};
use config::load::Source;
use config::{IpPool, NodeName};
use datastore::{Expect, Key, Memory, Outcome, Write};

/// A pool as its document has it.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    pub name: &'static str,
    pub cidr: String,
    pub block_size: u8,
    pub disabled: bool,
    pub manual: bool,
    pub selector: &'static str,
    pub aggregate: Option<u8>,
}

impl PoolSpec {
    fn text(&self) -> String {
        let aggregate = self.aggregate.map_or(String::new(), |len| {
            format!(r#","aggregate":{{"nodeLabel":"rack","prefixLength":{len}}}"#)
        });
        format!(
            r#"{{"apiVersion":"roadbed.dev/v1","kind":"IPPool","metadata":{{"name":"{}"}},"spec":{{"cidr":"{}","blockSize":{},"disabled":{},"assignmentMode":"{}","nodeSelector":"{}"{aggregate}}}}}"#,
            self.name,
            self.cidr,
            self.block_size,
            self.disabled,
            if self.manual { "Manual" } else { "Automatic" },
            self.selector,
        )
    }

    fn typed(&self) -> IpPool {
        let source = Source {
            name: self.name.to_owned(),
            text: self.text(),
        };
        let loaded = config::load(&[source]);
        let problems = format!("{:?}", loaded.problems);
        let pool = loaded.intent.and_then(|intent| intent.pools.into_iter().next());
        pool.unwrap_or_else(|| panic!("{}: {problems}", self.text()))
    }
}

/// Everything that the operator wants.
pub struct Resources {
    pub pools: BTreeMap<&'static str, PoolSpec>,
    typed: BTreeMap<&'static str, IpPool>,
    pub nodes: BTreeMap<NodeName, Node>,
    ipam: IpamConfiguration,
    history: BTreeMap<u64, Arc<Intent>>,
}

impl Resources {
    pub fn new(ipam: IpamConfiguration) -> Self {
        Resources {
            pools: BTreeMap::new(),
            typed: BTreeMap::new(),
            nodes: BTreeMap::new(),
            history: BTreeMap::from([(0, Arc::new(Intent::default()))]),
            ipam,
        }
    }

    /// What the resources mean at a revision of the store.
    pub fn intent(&self, revision: u64) -> Arc<Intent> {
        let (_, intent) = self
            .history
            .range(..=revision)
            .next_back()
            .expect("the empty intent");
        Arc::clone(intent)
    }

    pub fn put_pool(&mut self, store: &Memory, pool: PoolSpec) {
        let key = Key::resource(ResourceKind::IpPool, pool.name);
        self.typed.insert(pool.name, pool.typed());
        let text = pool.text();
        self.pools.insert(pool.name, pool);
        self.written(store, Write::Put(key, text));
    }

    pub fn put_node(&mut self, store: &Memory, name: &NodeName, rack: &str, pod_cidrs: &[&str]) {
        let node = Node {
            name: name.clone(),
            labels: [("rack".to_owned(), rack.to_owned())].into(),
            bgp: NodeBgp::default(),
            vxlan_mac: None,
            vxlan_mac_v6: None,
            pod_cidrs: pod_cidrs
                .iter()
                .map(|net| net.parse().expect("a prefix"))
                .collect(),
        };
        self.nodes.insert(name.clone(), node);
        self.written(store, Write::Put(node_key(name), format!("rack {rack}")));
    }

    pub fn delete_node(&mut self, store: &Memory, name: &NodeName) {
        self.nodes.remove(name);
        self.written(store, Write::Delete(node_key(name)));
    }

    fn written(&mut self, store: &Memory, write: Write) {
        let outcome = store
            .write_now(&write, &Expect::Any)
            .expect("the operator reaches the store");
        let Outcome::Done(version) = outcome else {
            panic!("nothing was expected")
        };
        let revision = version.as_str().parse().expect("a number");
        let intent = Intent {
            pools: self.typed.values().cloned().collect(),
            nodes: self.nodes.clone(),
            ipam: self.ipam.clone(),
            ..Intent::default()
        };
        self.history.insert(revision, Arc::new(intent));
    }
}

pub fn node_key(name: &NodeName) -> Key {
    Key::resource(ResourceKind::Node, name.as_str())
}
