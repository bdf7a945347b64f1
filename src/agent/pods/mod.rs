//! Pods of this node: the verbs of CNI from the request to the answer.
//!
//! ADD ([`add`]): what the pod asks for, annotations included ([`wishes`]) → an address from the ledger (durable before
//! anything else, [`addresses`]) → the veth pair → the pod's host route, which the reconciler decides and `routesync`
//! installs → the answer, when the kernel has the route. DEL ([`del`]) goes the other way, also for what plugins left on
//! disk while no agent ran ([`queue`]). CHECK ([`check`]) compares, GC ([`gc`]) collects, STATUS ([`readiness`]) says why
//! not. An address alone, for an interface of another plugin, is [`ipam_only`]. The ledger is the truth about pods: after
//! a restart the host routes come from it.

mod add;
mod addresses;
mod announced;
mod answer;
mod around;
mod boot;
mod caller;
mod check;
mod del;
mod gc;
mod ipam_only;
mod link;
mod queue;
mod readiness;
mod rules;
mod trouble;
mod turns;
mod wishes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::Context;
use config::intent::{Intent, Node};
use datastore::{Datastore, SpaceView};
use ipam::keeper::KeeperStatus;
use ipam::local::{LedgerStep, LocalView};
use ipam::{Family, Ipam, Lease};
use ipnet::IpNet;
use tokio::sync::watch;

use self::trouble::Trouble;
use self::turns::Turns;
use crate::decide::PodLink;
use crate::plan::Ownership;

pub use self::around::Around;
pub use self::caller::Caller;

/// Who owns what, as the datastore has it.
type Records = watch::Receiver<Option<Arc<SpaceView>>>;

/// The pods of this node.
pub struct Pods {
    ipam: Arc<Ipam>,
    turns: Turns,
    /// The folder of DELs that wait on disk.
    queue: PathBuf,
    /// That folder was looked at since the start.
    queue_read: watch::Sender<bool>,
    changed: watch::Sender<u64>,
    /// The links of all pods, and the number of changes that they are as of.
    links: Mutex<Option<(u64, Arc<Vec<PodLink>>)>>,
    trouble: Mutex<BTreeMap<Trouble, Instant>>,
    /// Given blocks that could not be taken, and why.
    refused: Mutex<Vec<String>>,
    /// The resources in force, for which pools a pod may have.
    intent: Mutex<Option<(Arc<Intent>, Node)>>,
    keeper: OnceLock<watch::Receiver<Arc<KeeperStatus>>>,
    records: OnceLock<Records>,
    store: OnceLock<Arc<dyn Datastore>>,
    kubernetes: OnceLock<kubernetes::Handle>,
    /// Blocks are claimed in the datastore: what is missing may come.
    shared_out: bool,
}

impl Pods {
    /// Opens the ledger. `shared_out`: blocks are claimed in the datastore.
    pub fn open(state_dir: &Path, shared_out: bool) -> anyhow::Result<Self> {
        let ipam = Ipam::open(state_dir).context("cannot open the ledger of addresses")?;
        let changed = watch::channel(0).0;
        let tell = changed.clone();
        ipam.on_change(Box::new(move || tell.send_modify(|n| *n += 1)));
        boot::note(state_dir, &ipam.leases());
        Ok(Pods {
            ipam: Arc::new(ipam),
            turns: Turns::default(),
            queue: config::api::queue::folder(state_dir),
            queue_read: watch::channel(false).0,
            changed,
            links: Mutex::default(),
            trouble: Mutex::default(),
            refused: Mutex::default(),
            intent: Mutex::default(),
            keeper: OnceLock::new(),
            records: OnceLock::new(),
            store: OnceLock::new(),
            kubernetes: OnceLock::new(),
            shared_out,
        })
    }

    /// Changes of the pods.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes up what the resources say about the addresses of this node: rules, and the blocks that they give.
    /// Addresses outside the node's blocks stay with their pods and are reported.
    pub fn configure(&self, intent: &Arc<Intent>, node: &Node) -> Result<(), ipam::Error> {
        let now = SystemTime::now();
        self.ipam.set_rules(rules::of(intent, node, self.shared_out));
        let report = self.ipam.set_given(Ownership::given(intent, &node.name), now)?;
        if !self.shared_out {
            // No datastore remembers what a lost ledger gave out: a new one starts from nothing.
            self.ipam.apply(&[LedgerStep::Known], now)?;
        }
        *self.intent.lock().unwrap_or_else(PoisonError::into_inner) = Some((intent.clone(), node.clone()));
        let clash = |cidr: &IpNet| {
            format!(
                "{cidr} is given to this node and overlaps a block that it has claimed; release that first"
            )
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) =
            report.refused.iter().map(clash).collect();
        Ok(())
    }

    /// The resources in force.
    fn known_intent(&self) -> Option<(Arc<Intent>, Node)> {
        self.intent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ledger, for those who decide about blocks.
    pub fn ipam(&self) -> Arc<Ipam> {
        self.ipam.clone()
    }

    /// Blocks, loans and what else there is of them.
    pub fn local(&self) -> LocalView {
        self.ipam.local(SystemTime::now())
    }

    /// Makes known where it is said which waiting is in vain, and which addresses follow which workload.
    pub fn ask_cluster(
        &self,
        keeper: watch::Receiver<Arc<KeeperStatus>>,
        records: Records,
        store: Arc<dyn Datastore>,
    ) {
        // Only the first ones count; there is one keeper and one datastore in the life of an agent.
        let _ = self.keeper.set(keeper);
        let _ = self.records.set(records);
        let _ = self.store.set(store);
    }

    /// Makes known who knows the pods' annotations.
    pub fn ask_kubernetes(&self, kubernetes: kubernetes::Handle) {
        // Only the first one counts; a node belongs to one cluster.
        let _ = self.kubernetes.set(kubernetes);
    }

    /// Where the host routes of all pods go. What another plugin plugs in is its own business.
    pub fn links(&self) -> Arc<Vec<PodLink>> {
        // Before the leases are looked at: what changes meanwhile is looked at again.
        let now = *self.changed.borrow();
        let mut known = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((at, links)) if *at == now => links.clone(),
            _ => {
                let link = |lease: &Lease| PodLink {
                    addresses: lease.addresses.clone(),
                    interface: lease.host_ifname.as_str().into(),
                };
                let ours = |lease: &Lease| (!lease.is_address_only()).then(|| link(lease));
                let links = Arc::new(self.ipam.of_leases(ours));
                *known = Some((now, links.clone()));
                links
            }
        }
    }

    /// The leases themselves.
    pub fn leases(&self) -> Vec<Lease> {
        self.ipam.leases()
    }

    /// The node's own pod address of each family that has a block.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        [Family::V4, Family::V6]
            .into_iter()
            .filter_map(|family| self.ipam.node_address(family))
            .collect()
    }

    /// Every address that is given out, the node's own included.
    pub fn addresses_in_use(&self) -> Vec<IpAddr> {
        let mut all = self.own_addresses();
        let addresses = self.ipam.of_leases(|lease| Some(lease.addresses.clone()));
        all.extend(addresses.into_iter().flatten());
        all
    }

    /// Something that is not in the ledger has changed: a link.
    fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }
}
