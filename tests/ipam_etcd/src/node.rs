//! One simulated node: its own ledger and keeper, and pods that come and go.
//!
//! The pods are the load: each asks the ledger for addresses as a CNI ADD does, waits where there are none, and
//! tells the [`Registry`] what it was answered. Between two pods the node may be made to fail: its agent is killed
//! (the keeper's tasks are dropped wherever they are, the ledger is closed and opened again), or its disk is lost
//! once the mirror is complete.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use config::NodeName;
use datastore::{Datastore, Space};
use ipam::cluster::AddressRecord;
use ipam::keeper::{self, KeeperSettings, KeeperStatus, Seen};
use ipam::{Family, Ipam, Lease, LocalRules, Owner, PoolRule, Request};
use tokio::sync::watch;

use crate::chance::Chance;
use crate::registry::{Holder, Registry};
use crate::scene::{POOLS, PRESENCE};

/// What a node of a group shares with others: a client of the store, and what it follows.
#[derive(Clone)]
pub struct Group {
    /// The client.
    pub store: Arc<dyn Datastore>,
    /// The views.
    pub views: watch::Receiver<Option<Arc<Seen>>>,
}

/// What happens to a node next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mishap {
    /// Nothing.
    None = 0,
    /// The agent is killed and starts again.
    Crash = 1,
    /// The same, and its disk is lost: the mirror tells the new ledger.
    LoseDisk = 2,
    /// The node goes for good.
    Die = 3,
    /// All pods are deleted: the blocks become empty.
    Drain = 4,
}

impl Mishap {
    fn of(number: u8) -> Self {
        match number {
            1 => Mishap::Crash,
            2 => Mishap::LoseDisk,
            3 => Mishap::Die,
            4 => Mishap::Drain,
            _ => Mishap::None,
        }
    }
}

/// How a node is doing, for others to see.
pub struct Control {
    /// Its name.
    pub name: NodeName,
    next: AtomicU8,
    /// IPv4 blocks that it is to own.
    pub target: AtomicUsize,
    /// No more pods come or go.
    pub stop: AtomicBool,
    /// It has as many blocks as it is to own.
    pub content: AtomicBool,
    /// It is gone for good.
    pub dead: AtomicBool,
}

impl Control {
    /// A node that is to own so many blocks.
    pub fn new(name: NodeName, target: usize) -> Self {
        Control {
            name,
            next: AtomicU8::new(0),
            target: AtomicUsize::new(target),
            stop: AtomicBool::new(false),
            content: AtomicBool::new(false),
            dead: AtomicBool::new(false),
        }
    }

    /// Makes something happen to it, soon.
    pub fn happen(&self, mishap: Mishap) {
        self.next.store(mishap as u8, Ordering::SeqCst);
    }
}

/// A node while it runs.
pub struct Node {
    control: Arc<Control>,
    group: Group,
    folder: PathBuf,
    registry: Arc<Registry>,
    chance: Chance,
    live: Option<Live>,
    pods: Vec<Lease>,
    made: u64,
    /// Counts of keepers that are gone.
    pub past: Totals,
}

struct Live {
    ipam: Arc<Ipam>,
    keeper: keeper::Handle,
}

/// What keepers counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Transactions carried out.
    pub commits: u64,
    /// Of them, claims of one block.
    pub claims: u64,
    /// Refused.
    pub conflicts: u64,
    /// Answer lost.
    pub unknown: u64,
    /// Not reached.
    pub retries: u64,
}

impl Totals {
    /// Adds what a keeper says.
    pub fn add(&mut self, status: &KeeperStatus) {
        self.commits += status.commits;
        self.claims += status.commits_by_kind.get("claim").copied().unwrap_or_default();
        self.conflicts += status.conflicts;
        self.unknown += status.unknown;
        self.retries += status.retries;
    }

    /// The sum of both.
    pub fn plus(mut self, other: Totals) -> Self {
        self.commits += other.commits;
        self.claims += other.claims;
        self.conflicts += other.conflicts;
        self.unknown += other.unknown;
        self.retries += other.retries;
        self
    }
}

impl Node {
    /// A node that keeps its ledger in `folder`.
    pub fn new(
        control: Arc<Control>,
        group: Group,
        folder: PathBuf,
        registry: Arc<Registry>,
        seed: u64,
    ) -> Self {
        Node {
            control,
            group,
            folder,
            registry,
            chance: Chance::new(seed),
            live: None,
            pods: Vec::new(),
            made: 0,
            past: Totals::default(),
        }
    }

    /// Runs until it is told to stop, or dies. The keeper of a node that was stopped goes on.
    pub async fn run(mut self) -> Self {
        self.start().await;
        while !self.control.stop.load(Ordering::SeqCst) {
            match Mishap::of(self.control.next.swap(0, Ordering::SeqCst)) {
                Mishap::None => self.work().await,
                Mishap::Crash => self.crash(false).await,
                Mishap::LoseDisk => self.crash(true).await,
                Mishap::Drain => self.drain().await,
                Mishap::Die => {
                    self.stop().await;
                    self.pods.clear();
                    self.registry.died(&self.control.name);
                    self.control.dead.store(true, Ordering::SeqCst);
                    return self;
                }
            }
        }
        self
    }

    async fn start(&mut self) {
        let ipam = open(self.folder.clone()).await;
        ipam.set_rules(rules());
        let settings = KeeperSettings {
            presence_ttl: PRESENCE,
            // All nodes share two processors here.
            view_pace: Duration::from_secs(2),
            ..KeeperSettings::new(self.control.name.clone(), true)
        };
        let keeper = keeper::start_on(
            ipam.clone(),
            self.group.store.clone(),
            self.group.views.clone(),
            settings,
        );
        self.live = Some(Live { ipam, keeper });
    }

    async fn stop(&mut self) {
        let Some(live) = self.live.take() else { return };
        self.past.add(&live.keeper.status().borrow());
        drop(live);
    }

    async fn crash(&mut self, lose_disk: bool) {
        if lose_disk && !self.is_mirrored().await {
            // What the mirror does not have yet would be lost with the disk: try again when it is complete.
            self.control.next.store(Mishap::LoseDisk as u8, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            return;
        }
        self.stop().await;
        if lose_disk {
            // The ledger is closed when the last of the dropped keeper's work has ended.
            drop(open(self.folder.clone()).await);
            std::fs::remove_dir_all(&self.folder).expect("the ledger's folder can be removed");
        }
        let pause = self.chance.between(Duration::ZERO, Duration::from_millis(300));
        tokio::time::sleep(pause).await;
        self.start().await;
    }

    /// Whether the mirror in the store is just what the ledger says.
    async fn is_mirrored(&self) -> bool {
        let Some(live) = &self.live else { return false };
        let Ok(listing) = self.group.store.list(Space::Addresses).await else {
            return false;
        };
        let name = self.control.name.as_str();
        let records = listing.items.iter().filter(|item| item.value.contains(name));
        let records = records.filter_map(|item| AddressRecord::parse(&item.value).ok());
        let mirrored: HashSet<_> = records
            .filter(|r| r.node.as_str() == name)
            .map(|r| (r.address, r.lease.owner))
            .collect();
        let leases = live.ipam.leases();
        let each = |lease: &Lease| -> Vec<_> {
            lease
                .addresses
                .iter()
                .map(|address| (*address, lease.owner.clone()))
                .collect()
        };
        mirrored == leases.iter().flat_map(each).collect()
    }

    /// One pod more, or one less.
    async fn work(&mut self) {
        let Some(live) = &self.live else { return };
        let owned = blocks(&live.ipam);
        let content = owned >= self.control.target.load(Ordering::SeqCst);
        self.control.content.store(content, Ordering::SeqCst);
        if content {
            tokio::time::sleep(Duration::from_millis(20)).await;
        } else if !self.pods.is_empty() && self.chance.percent(10) {
            self.remove_one().await;
        } else {
            self.add_one().await;
        }
    }

    async fn add_one(&mut self) {
        let Some(live) = &self.live else { return };
        self.made += 1;
        let container = format!("{}-{}", self.control.name, self.made);
        // Most pods have IPv4 only.
        let pools = if self.chance.percent(85) {
            vec!["pods".to_owned()]
        } else {
            Vec::new()
        };
        let request = request(&container, pools);
        let ipam = live.ipam.clone();
        let deadline = tokio::time::Instant::now() + Duration::from_millis(400);
        loop {
            let (ledger, asked) = (ipam.clone(), request.clone());
            let answer = tokio::task::spawn_blocking(move || ledger.assign(&asked, SystemTime::now()));
            match answer.await.expect("assigning does not panic") {
                Ok(lease) => {
                    let node = self.control.name.clone();
                    self.registry.given(&lease.addresses, &Holder { node, container });
                    self.pods.push(lease);
                    return;
                }
                Err(error) => {
                    let until = SystemTime::now() + Duration::from_secs(2);
                    error.wants().into_iter().for_each(|want| ipam.want(want, until));
                }
            }
            // As an ADD does: it waits for a block for a while, and the runtime comes again.
            let changes = ipam.changes();
            while ipam.changes() == changes {
                if tokio::time::Instant::now() > deadline {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    async fn remove_one(&mut self) {
        let Some(live) = &self.live else { return };
        let pod = self.pods.swap_remove(self.chance.below(self.pods.len()));
        self.registry.releasing(&pod.addresses);
        loop {
            let (ipam, owner) = (live.ipam.clone(), pod.owner.clone());
            let released = tokio::task::spawn_blocking(move || ipam.release(&owner, SystemTime::now()));
            match released.await.expect("releasing does not panic") {
                Ok(lease) => {
                    assert!(lease.is_some(), "the lease of {} was lost", pod.owner);
                    return;
                }
                // As a runtime does: it comes again.
                Err(ipam::Error::Recovering) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn drain(&mut self) {
        while !self.pods.is_empty() {
            self.remove_one().await;
        }
    }

    /// Its ledger.
    pub fn ipam(&self) -> Option<&Arc<Ipam>> {
        self.live.as_ref().map(|live| &live.ipam)
    }

    /// What its keeper says now.
    pub fn status(&self) -> Option<Arc<KeeperStatus>> {
        self.live
            .as_ref()
            .map(|live| live.keeper.status().borrow().clone())
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.control.name
    }

    /// Whether it is gone for good.
    pub fn is_dead(&self) -> bool {
        self.control.dead.load(Ordering::SeqCst)
    }
}

/// Opens a ledger; one that was just dropped is closed within moments.
async fn open(folder: PathBuf) -> Arc<Ipam> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let path = folder.clone();
        let opening = tokio::task::spawn_blocking(move || Ipam::open(path));
        match opening.await.expect("opening does not panic") {
            Ok(ipam) => return Arc::new(ipam),
            Err(ipam::Error::InUse { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// IPv4 blocks in a ledger.
pub fn blocks(ipam: &Ipam) -> usize {
    ipam.blocks()
        .iter()
        .filter(|block| Family::of(block.cidr.addr()) == Family::V4)
        .count()
}

fn request(container: &str, pools: Vec<String>) -> Request {
    Request {
        owner: Owner::new(container, "eth0"),
        network: "pods".to_owned(),
        pod: None,
        netns: format!("/run/netns/{container}"),
        host_ifname: "rb0".to_owned(),
        wanted: Vec::new(),
        pools,
        sticky: None,
    }
}

fn rules() -> LocalRules {
    let pool = |(name, cidr, _): &(&str, &str, u8)| PoolRule {
        name: (*name).to_owned(),
        cidr: cidr.parse().expect("a prefix"),
        open: true,
        automatic: true,
    };
    LocalRules {
        cool_down: Duration::from_secs(1),
        reserved: Vec::new(),
        pools: POOLS.iter().map(pool).collect(),
        shared_out: true,
    }
}
