//! Pods of this node: CNI ADD and DEL from the request to the answer.
//!
//! ADD: an address from the ledger (durable before anything else) → the veth pair → the pod's host route,
//! which the reconciler decides and `routesync` installs → the answer, when the kernel has the route.
//! What fails on the way is taken back in the opposite order. The ledger is the truth about pods: after a
//! restart the host routes come from it.

mod addresses;
mod answer;
mod rules;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use attach::PodLink as Plug;
use config::api::cni::{CniAdd, CniAdded, CniDel, CniDeleted};
use config::api::{ApiError, ErrorKind};
use config::intent::{Intent, Node};
use datastore::SpaceView;
use ipam::keeper::KeeperStatus;
use ipam::local::{LedgerStep, LocalView};
use ipam::{Family, Ipam, Lease, Owner};
use ipnet::IpNet;
use routesync::RouteKey;
use tokio::sync::watch;

use self::answer::{answer, link_error, try_later};
use super::snapshot::Snapshot;
use crate::decide::PodLink;
use crate::decide::routes::METRIC;
use crate::plan::Ownership;

/// How long ADD waits for the kernel to have the host route before it gives up and takes everything back.
const ROUTE_DEADLINE: Duration = Duration::from_secs(10);

/// Whose turn it is with one interface.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Who owns what, as the datastore has it.
type Records = watch::Receiver<Option<Arc<SpaceView>>>;

/// Something that is wrong with addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// The node cannot take pods; otherwise it is about one of them, or one block.
    pub severe: bool,
    /// What, and what to do.
    pub message: String,
}

impl Trouble {
    fn one(message: String) -> Self {
        Trouble {
            severe: false,
            message,
        }
    }

    fn severe(message: String) -> Self {
        Trouble {
            severe: true,
            message,
        }
    }
}

/// The pods of this node.
pub struct Pods {
    ipam: Arc<Ipam>,
    /// One ADD or DEL of one interface at a time: runtimes repeat themselves.
    turns: tokio::sync::Mutex<BTreeMap<String, Turn>>,
    changed: watch::Sender<u64>,
    trouble: Mutex<BTreeMap<Trouble, Instant>>,
    /// Given blocks that could not be taken, and why.
    refused: Mutex<Vec<String>>,
    /// The resources in force, for which pools a pod may have.
    intent: Mutex<Option<(Arc<Intent>, Node)>>,
    keeper: OnceLock<watch::Receiver<Arc<KeeperStatus>>>,
    records: OnceLock<Records>,
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
        Ok(Pods {
            ipam: Arc::new(ipam),
            turns: Default::default(),
            changed,
            trouble: Mutex::default(),
            refused: Mutex::default(),
            intent: Mutex::default(),
            keeper: OnceLock::new(),
            records: OnceLock::new(),
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

    /// The ledger, for those who decide about blocks.
    pub fn ipam(&self) -> Arc<Ipam> {
        self.ipam.clone()
    }

    /// Blocks, loans and what else there is of them.
    pub fn local(&self) -> LocalView {
        self.ipam.local(SystemTime::now())
    }

    /// Makes known where it is said which waiting is in vain, and which addresses follow which workload.
    pub fn ask_cluster(&self, keeper: watch::Receiver<Arc<KeeperStatus>>, records: Records) {
        // Only the first ones count; there is one keeper and one datastore in the life of an agent.
        let _ = self.keeper.set(keeper);
        let _ = self.records.set(records);
    }

    /// Where the host routes of all pods go.
    pub fn links(&self) -> Vec<PodLink> {
        let link = |lease: Lease| PodLink {
            addresses: lease.addresses,
            interface: lease.host_ifname,
        };
        self.ipam.leases().into_iter().map(link).collect()
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
        all.extend(self.links().into_iter().flat_map(|l| l.addresses));
        all
    }

    /// What is wrong with addresses, and since when.
    pub fn problems(&self) -> Vec<(Trouble, Instant)> {
        let refused = self
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut texts: Vec<Trouble> = self.no_addresses();
        texts.extend(refused.into_iter().map(Trouble::one));
        texts.extend(self.ipam.outside().into_iter().map(|lease| {
            Trouble::one(format!(
                "pod interface {} holds {:?}, which is not all inside this node's blocks: announced as host routes; \
                 move the pod, or give the node that block again",
                lease.host_ifname, lease.addresses
            ))
        }));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, old) = (Instant::now(), std::mem::take(&mut *trouble));
        let since = |text: Trouble| (old.get(&text).copied().unwrap_or(now), text);
        trouble.extend(texts.into_iter().map(since).map(|(since, text)| (text, since)));
        trouble
            .iter()
            .map(|(text, since)| (text.clone(), *since))
            .collect()
    }

    /// Why no pod that comes now gets an address at once, where blocks are shared out.
    fn no_addresses(&self) -> Vec<Trouble> {
        let known = self.intent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((intent, node)) = known.filter(|_| self.shared_out) else {
            return Vec::new();
        };
        if self.ipam.is_fresh() {
            let message = "the ledger of addresses is new, and no pod gets an address before the datastore has said what \
                 it remembers of this node; look at the datastore if that lasts";
            return vec![Trouble::severe(message.to_owned())];
        }
        let missing = rules::families_without_block(&intent, &node, &self.ipam.blocks());
        let message = |family: Family| {
            Trouble::severe(format!(
                "this node has no {family} block yet, and pods that come wait for one; if that lasts, look at what else \
                 is said of the datastore and of pools, or give the Node podCIDRs"
            ))
        };
        missing.into_iter().map(message).collect()
    }

    /// CNI ADD.
    pub async fn add(
        &self,
        request: CniAdd,
        fib: routesync::Handle,
        mut snapshots: watch::Receiver<Snapshot>,
    ) -> Result<CniAdded, ApiError> {
        let mtu = self.mtu(&request, &snapshots)?;
        let turn = self
            .turn(&attach::host_ifname(&request.container_id, &request.ifname))
            .await;
        let _held = turn.lock().await;
        let owner = Owner::new(request.container_id.clone(), request.ifname.clone());
        let lease = self.assign(&owner, &request).await?;
        let plug = plug(&request, &lease, mtu);
        let attached = match in_kernel(move || attach::add(&plug)).await {
            Ok(attached) => attached,
            Err(error) => {
                self.release(&owner).await?;
                return Err(error);
            }
        };
        self.touch();
        if let Err(error) = wait_for_routes(&lease, &fib, &mut snapshots).await {
            tracing::error!(%error, interface = %lease.host_ifname, "the pod's host route is not in the kernel");
            // The link is what everything else hangs on; the error to report is the first one.
            let link = lease.host_ifname.clone();
            let _ = in_kernel(move || attach::remove(&link)).await;
            self.release(&owner).await?;
            self.touch();
            return Err(error);
        }
        tracing::info!(addresses = ?lease.addresses, interface = %lease.host_ifname, "pod plugged in");
        Ok(answer(&request, &lease, &attached, mtu))
    }

    /// CNI DEL.
    pub async fn del(&self, request: CniDel) -> Result<CniDeleted, ApiError> {
        let host_ifname = attach::host_ifname(&request.container_id, &request.ifname);
        let turn = self.turn(&host_ifname).await;
        let _held = turn.lock().await;
        // The link goes before its address: a released address may be given out at once.
        let link = host_ifname.clone();
        in_kernel(move || attach::remove(&link)).await?;
        let owner = Owner::new(request.container_id, request.ifname);
        let released = self
            .release(&owner)
            .await?
            .map_or_else(Vec::new, |lease| lease.addresses);
        self.touch();
        tracing::info!(addresses = ?released, interface = %host_ifname, "pod unplugged");
        Ok(CniDeleted { released })
    }

    /// The MTU for a pod; an error where there is no plan to take it from.
    fn mtu(&self, request: &CniAdd, snapshots: &watch::Receiver<Snapshot>) -> Result<u32, ApiError> {
        let decided = snapshots.borrow().decisions.as_ref().map(|d| d.pod_mtu);
        match decided {
            Some(path) => Ok(request.mtu.map_or(path, |asked| asked.min(path))),
            None => Err(try_later(
                "the agent has no configuration for this node yet",
                "see `roadbed status` for what is wrong with the resources",
            )),
        }
    }

    async fn turn(&self, host_ifname: &str) -> Turn {
        let mut turns = self.turns.lock().await;
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(host_ifname.to_owned()).or_default().clone()
    }

    fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }
}

fn plug(request: &CniAdd, lease: &Lease, mtu: u32) -> Plug {
    Plug {
        netns: request.netns.clone().into(),
        ifname: request.ifname.clone(),
        host_ifname: lease.host_ifname.clone(),
        addresses: lease.addresses.clone(),
        mtu,
        mac: None,
        default_route: Default::default(),
        routes: Vec::new(),
        sysctls: Default::default(),
    }
}

/// Waits until the reconciler has decided the pod's routes and the kernel has them.
async fn wait_for_routes(
    lease: &Lease,
    fib: &routesync::Handle,
    snapshots: &mut watch::Receiver<Snapshot>,
) -> Result<(), ApiError> {
    let keys: Vec<RouteKey> = lease
        .addresses
        .iter()
        .map(|a| RouteKey::main(IpNet::from(*a), METRIC))
        .collect();
    let decided = |s: &Snapshot| {
        s.decisions
            .as_ref()
            .is_some_and(|d| keys.iter().all(|key| d.fib.routes.contains_key(key)))
    };
    let generation = match tokio::time::timeout(ROUTE_DEADLINE, snapshots.wait_for(decided)).await {
        Ok(Ok(snapshot)) => snapshot.fib_generation,
        _ => {
            return Err(try_later(
                "the pod's host route was not decided in time",
                "see the agent's log",
            ));
        }
    };
    for key in &keys {
        fib.installed(generation, key, ROUTE_DEADLINE)
            .await
            .map_err(|e| {
                try_later(
                    format!("the kernel did not take the pod's host route: {e}"),
                    "see the agent's log",
                )
            })?;
    }
    Ok(())
}

/// Link work blocks on netlink for a few milliseconds: it runs on a thread for such work.
async fn in_kernel<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, attach::Error> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|e| link_error(&e)),
        Err(error) => Err(ApiError::new(
            ErrorKind::Internal,
            format!("link work failed inside: {error}"),
            "",
        )),
    }
}
