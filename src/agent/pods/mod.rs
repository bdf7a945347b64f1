//! Pods of this node: CNI ADD and DEL from the request to the answer.
//!
//! ADD: an address from the ledger (durable before anything else) → the veth pair → the pod's host route,
//! which the reconciler decides and `routesync` installs → the answer, when the kernel has the route.
//! What fails on the way is taken back in the opposite order. The ledger is the truth about pods: after a
//! restart the host routes come from it.

mod answer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use attach::PodLink as Plug;
use config::api::cni::{CniAdd, CniAdded, CniDel, CniDeleted};
use config::api::{ApiError, ErrorKind};
use ipam::{Family, Ipam, Lease, Owner};
use ipnet::IpNet;
use routesync::RouteKey;
use tokio::sync::watch;

use self::answer::{answer, ledger_error, link_error, try_later};
use super::snapshot::Snapshot;
use crate::decide::PodLink;
use crate::decide::routes::METRIC;

/// How long ADD waits for the kernel to have the host route before it gives up and takes everything back.
const ROUTE_DEADLINE: Duration = Duration::from_secs(10);

/// Whose turn it is with one interface.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The pods of this node.
pub struct Pods {
    ipam: Arc<Ipam>,
    /// One ADD or DEL of one interface at a time: runtimes repeat themselves.
    turns: tokio::sync::Mutex<BTreeMap<String, Turn>>,
    changed: watch::Sender<u64>,
    trouble: Mutex<BTreeMap<String, Instant>>,
}

impl Pods {
    /// Opens the ledger.
    pub fn open(state_dir: &Path) -> anyhow::Result<Self> {
        let ipam = Ipam::open(state_dir).context("cannot open the ledger of addresses")?;
        Ok(Pods {
            ipam: Arc::new(ipam),
            turns: Default::default(),
            changed: watch::channel(0).0,
            trouble: Mutex::default(),
        })
    }

    /// Changes of the pods.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes up the node's blocks; addresses outside them stay with their pods and are reported.
    pub fn set_blocks(&self, blocks: Vec<IpNet>) -> Result<(), ipam::Error> {
        let now = SystemTime::now();
        let report = self.ipam.set_given(blocks.into_iter().map(|cidr| (cidr, None)).collect(), now)?;
        // No datastore remembers what a lost ledger gave out: a new one starts from nothing.
        self.ipam.apply(&[ipam::local::LedgerStep::Known], now)?;
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let old = std::mem::take(&mut *trouble);
        for lease in report.outside {
            let text = format!(
                "pod interface {} holds {:?}, which is not all inside this node's blocks: announced as host routes; \
                 move the pod, or give the node that block again",
                lease.host_ifname, lease.addresses
            );
            let since = old.get(&text).copied().unwrap_or(now);
            trouble.insert(text, since);
        }
        // No word to the watchers: only the reconciler calls this, in a round that goes on to read the result. A
        // word would wake it at once, and a speaker that cannot start would be tried again without a pause.
        Ok(())
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
    pub fn problems(&self) -> Vec<(String, Instant)> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble
            .iter()
            .map(|(text, since)| (text.clone(), *since))
            .collect()
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

    async fn assign(&self, owner: &Owner, request: &CniAdd) -> Result<Lease, ApiError> {
        let wanted = ipam::Request {
            owner: owner.clone(),
            network: request.network.clone(),
            pod: request.pod.clone(),
            netns: request.netns.clone(),
            host_ifname: attach::host_ifname(&request.container_id, &request.ifname),
            wanted: request.ips.clone(),
            pools: Vec::new(),
            sticky: None,
        };
        self.blocking(move |ipam| ipam.assign(&wanted, SystemTime::now()))
            .await
    }

    async fn release(&self, owner: &Owner) -> Result<Option<Lease>, ApiError> {
        let owner = owner.clone();
        self.blocking(move |ipam| ipam.release(&owner, SystemTime::now()))
            .await
    }

    /// Ledger writes wait for the disk: they run on a thread for such work.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ipam) -> Result<T, ipam::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let ipam = self.ipam.clone();
        match tokio::task::spawn_blocking(move || work(&ipam)).await {
            Ok(outcome) => outcome.map_err(|e| ledger_error(&e)),
            Err(error) => Err(ApiError::new(
                ErrorKind::Internal,
                format!("the ledger failed inside: {error}"),
                "",
            )),
        }
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
