//! A cluster in memory for tests of the keeper: resources, views that follow, and nodes with ledgers in folders.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use config::fields::ResourceKind;
use config::{Intent, Rules, Source};
use datastore::{Datastore, Expect, Key, Memory, Space, SpaceView, Write};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::error::Error;
use crate::facade::Ipam;
use crate::keeper::{Handle, KeeperInputs, KeeperSettings, start};
use crate::lease::{Lease, Owner, Request};
use crate::rules::{LocalRules, PoolRule};

/// Waits for something, with a deadline.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(
            std::time::Instant::now() < deadline,
            "{what}: not within a minute"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub struct Cluster {
    pub memory: Memory,
    inputs: KeeperInputs,
    folders: Mutex<BTreeMap<&'static str, usize>>,
    folder: TempDir,
}

impl Cluster {
    /// One pool with blocks of four addresses, and the nodes a, b and c.
    pub async fn new(linger: &str) -> Cluster {
        let memory = Memory::new();
        let put = |kind, name: &str, spec: &str| {
            let text = resource(kind, name, spec);
            let put = Write::Put(Key::resource(kind, name), text);
            memory.write_now(&put, &Expect::Any).unwrap();
        };
        put(
            ResourceKind::IpPool,
            "pods",
            "{cidr: 10.244.0.0/20, blockSize: 30}",
        );
        let spec = format!("{{emptyBlockLinger: {linger}, addressCoolDown: 0s}}");
        put(ResourceKind::IpamConfig, "default", &spec);
        let store: Arc<dyn Datastore> = Arc::new(memory.clone());
        let resources = follow(store.clone(), Space::Resources);
        let inputs = KeeperInputs {
            intent: intent(resources.clone()),
            resources,
            ownership: follow(store, Space::Ownership),
        };
        let cluster = Cluster {
            memory,
            inputs,
            folders: Mutex::default(),
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["node-a", "node-b", "node-c"] {
            cluster.write(name).await;
        }
        cluster
    }

    pub async fn write(&self, node: &str) {
        let last = node.as_bytes().last().copied().unwrap_or(0);
        let text = resource(
            ResourceKind::Node,
            node,
            &format!("{{bgp: {{ipv4Address: 192.0.2.{last}}}}}"),
        );
        let put = Write::Put(Key::resource(ResourceKind::Node, node), text);
        self.memory.write(put, Expect::Any).await.unwrap();
    }

    pub async fn remove(&self, node: &str) {
        let delete = Write::Delete(Key::resource(ResourceKind::Node, node));
        self.memory.write(delete, Expect::Any).await.unwrap();
    }

    /// Starts a node on a new and empty disk.
    pub fn node(&self, name: &'static str) -> Node {
        self.start(name, true)
    }

    pub fn node_of_file(&self, name: &'static str) -> Node {
        self.start(name, false)
    }

    fn start(&self, name: &'static str, shared_out: bool) -> Node {
        let mut folders = self.folders.lock().unwrap();
        let life = folders.entry(name).or_insert(0);
        *life += 1;
        let folder: PathBuf = self.folder.path().join(format!("{name}-{life}"));
        let ipam = Arc::new(Ipam::open(folder).unwrap());
        ipam.set_rules(LocalRules {
            cool_down: Duration::ZERO,
            reserved: Vec::new(),
            pools: vec![PoolRule {
                name: "pods".to_owned(),
                cidr: "10.244.0.0/20".parse().unwrap(),
                open: true,
                automatic: true,
            }],
            shared_out,
        });
        let settings = KeeperSettings::new(name.parse().unwrap(), shared_out);
        let keeper = start(
            ipam.clone(),
            Arc::new(self.memory.clone()),
            self.inputs.clone(),
            settings,
        );
        Node { name, ipam, keeper }
    }
}

pub struct Node {
    pub name: &'static str,
    pub ipam: Arc<Ipam>,
    pub keeper: Handle,
}

impl Node {
    pub fn request(&self, container: &str) -> Request {
        Request {
            owner: Owner::new(container, "eth0"),
            network: "pods".to_owned(),
            pod: None,
            netns: "/run/netns/x".to_owned(),
            host_ifname: "rb0".to_owned(),
            wanted: Vec::new(),
            pools: Vec::new(),
            sticky: None,
        }
    }

    pub fn try_add(&self, container: &str) -> Result<Lease, Error> {
        self.ipam.assign(&self.request(container), SystemTime::now())
    }

    /// As a CNI ADD: waits for a block.
    pub async fn add(&self, container: &str) -> Lease {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let error = match self.try_add(container) {
                Ok(lease) => return lease,
                Err(error) => error,
            };
            let status = self.keeper.status().borrow().clone();
            assert!(std::time::Instant::now() < deadline, "{error}; {status:#?}");
            let until = SystemTime::now() + Duration::from_secs(5);
            error
                .wants()
                .into_iter()
                .for_each(|want| self.ipam.want(want, until));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn resource(kind: ResourceKind, name: &str, spec: &str) -> String {
    let kind = kind.name();
    format!("{{apiVersion: roadbed.dev/v1, kind: {kind}, metadata: {{name: {name}}}, spec: {spec}}}")
}

fn follow(store: Arc<dyn Datastore>, space: Space) -> watch::Receiver<Option<Arc<SpaceView>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let Ok(listing) = store.list(space).await else {
                continue;
            };
            let mut view = SpaceView::from(listing);
            sender.send_replace(Some(Arc::new(view.clone())));
            let Ok(mut stream) = store.watch(space, view.revision.clone()).await else {
                continue;
            };
            while let Some(Ok(changes)) = stream.next().await {
                view.apply(changes);
                sender.send_replace(Some(Arc::new(view.clone())));
            }
        }
    });
    receiver
}

fn intent(mut resources: watch::Receiver<Option<Arc<SpaceView>>>) -> watch::Receiver<Option<Arc<Intent>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let view = resources.borrow_and_update().clone();
            if let Some(view) = view {
                let source = |item: &datastore::Item| Source {
                    name: item.key.to_string(),
                    text: item.value.to_string(),
                };
                let sources: Vec<_> = view.items.values().map(source).collect();
                let loaded = config::load_with(&sources, Rules { shared_out: true });
                sender.send_replace(loaded.intent.map(Arc::new));
            }
            if resources.changed().await.is_err() {
                return;
            }
        }
    });
    receiver
}
