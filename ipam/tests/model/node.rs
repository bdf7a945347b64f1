//! One simulated node: its agent, its ledger, its pods, and what it knows of the store.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use config::NodeName;
use config::api::cni::PodRef;
use config::intent::Intent;
use datastore::{Hold, SpaceView};
use ipam::cluster::{ClusterView, Memory, Pool};
use ipam::{Lease, LocalRules, Owner, PoolRule, Request};

use crate::ledger::Ledger;

/// The agent's process, once it has listed the store.
pub struct Process {
    pub resources: SpaceView,
    pub ownership: SpaceView,
    pub intent_at: u64,
    pub view: ClusterView,
    pub memory: Memory,
}

/// A pod that got addresses, as the runtime knows it.
#[derive(Debug, Clone)]
pub struct Pod {
    pub addresses: Vec<IpAddr>,
    pub sticky: Option<String>,
    /// It runs. A dead one waits for its DEL.
    pub alive: bool,
}

/// An ADD that waits.
pub struct Pending {
    pub request: Request,
    pub until: SystemTime,
}

pub struct SimNode {
    pub name: NodeName,
    pub rack: &'static str,
    pub given: &'static [&'static str],
    pub ledger: Box<dyn Ledger>,
    /// The machine runs; without it neither pods nor the agent do.
    pub machine: bool,
    /// The agent's process runs.
    pub agent: bool,
    /// It reaches the store.
    pub reaches: bool,
    pub process: Option<Process>,
    pub hold: Option<Hold>,
    /// Its clock against the true time: ahead if the first is true.
    pub skew: (bool, Duration),
    pub pods: BTreeMap<Owner, Pod>,
    pub pending: Vec<Pending>,
    /// What the mirror in the store remembers.
    pub mirror: Vec<Lease>,
}

impl SimNode {
    pub fn new(
        name: NodeName,
        rack: &'static str,
        given: &'static [&'static str],
        ledger: Box<dyn Ledger>,
    ) -> Self {
        SimNode {
            name,
            rack,
            given,
            ledger,
            machine: true,
            agent: false,
            reaches: true,
            process: None,
            hold: None,
            skew: (true, Duration::ZERO),
            pods: BTreeMap::new(),
            pending: Vec::new(),
            mirror: Vec::new(),
        }
    }

    /// The time that the node believes it is.
    pub fn clock(&self, now: SystemTime) -> SystemTime {
        match self.skew {
            (true, by) => now + by,
            (false, by) => now - by,
        }
    }

    /// The process ends; what is durable stays.
    pub fn crash(&mut self) {
        self.agent = false;
        self.process = None;
        self.pending.clear();
        self.ledger.crash();
        // The presence lasts until its lease runs out: the world lets it end.
    }

    /// The rules and given blocks of an intent, as the agent sets them.
    pub fn obey(&mut self, intent: &Intent, now: SystemTime) {
        let labels = intent
            .nodes
            .get(&self.name)
            .map(|node| node.labels.clone())
            .unwrap_or_default();
        let here = intent.nodes.contains_key(&self.name);
        let rule = |pool: &config::IpPool| PoolRule {
            name: pool.name.clone(),
            cidr: pool.cidr,
            open: here && pool.serves(&labels),
            automatic: Pool {
                intent: pool.clone(),
                version: None,
            }
            .is_automatic(),
        };
        self.ledger.set_rules(LocalRules {
            cool_down: Duration::ZERO,
            reserved: Vec::new(),
            pools: intent.pools.iter().map(rule).collect(),
            shared_out: true,
        });
        if !self.given.is_empty() {
            let given = self
                .given
                .iter()
                .map(|net| (net.parse().expect("a prefix"), None))
                .collect();
            self.ledger.set_given(given, now);
        }
    }
}

/// The wish of a pod.
pub fn request(number: u64, pools: Vec<String>, wanted: Vec<IpAddr>, sticky: Option<String>) -> Request {
    Request {
        owner: Owner::new(format!("c{number}"), "eth0"),
        network: "pods".into(),
        pod: Some(PodRef {
            namespace: "default".into(),
            name: format!("pod-{number}"),
            uid: None,
        }),
        netns: format!("/run/netns/{number}"),
        host_ifname: format!("rb{number}"),
        wanted,
        pools,
        sticky,
    }
}
