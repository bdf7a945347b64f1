//! The whole cluster: the store, the operator, the nodes, and what is on its way between them.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use config::NodeName;
use config::intent::IpamConfiguration;
use datastore::{Compare, Key, Memory as Store, Outcome, Revision, Space, SpaceView, Transaction, Write};
use ipam::cluster::{
    BlockRecord, ClaimAhead, ClusterView, Memory, PresenceRecord, Purpose, Settings, Step, decide,
};
use ipam::local::LedgerStep;
use ipam::{Owner, Request};
use ipnet::IpNet;

use crate::ledger::Ledger;
use crate::node::{Pending, Pod, Process, SimNode, request};
use crate::resources::{PoolSpec, Resources, node_key};
use crate::rng::Rng;

pub const GRACE: Duration = Duration::from_secs(200);
pub const LINGER: Duration = Duration::from_secs(90);

/// A transaction on its way to the store. It may come late, twice or never.
pub struct Flight {
    pub from: usize,
    pub purpose: Purpose,
    pub transaction: Transaction,
}

pub struct World {
    pub rng: Rng,
    pub store: Store,
    pub resources: Resources,
    pub nodes: Vec<SimNode>,
    pub flight: Vec<Flight>,
    pub now: SystemTime,
    pub pods_made: u64,
    /// Blocks and loans that were taken from a node which was gone: what it still does with them is its operator's
    /// doing.
    pub collected: BTreeSet<(usize, IpNet)>,
    pub counts: std::collections::BTreeMap<&'static str, u64>,
    pub log: VecDeque<String>,
}

impl World {
    pub fn new(seed: u64, ledger: &dyn Fn() -> Box<dyn Ledger>, nodes: usize) -> World {
        let mut rng = Rng::new(seed);
        let ipam = IpamConfiguration {
            strict_affinity: !rng.one_in(3),
            max_blocks_per_host: (rng.one_in(4)).then_some(6),
            empty_block_linger: LINGER,
            dead_node_grace: GRACE,
            ..IpamConfiguration::default()
        };
        let mut world = World {
            store: Store::new(),
            resources: Resources::new(ipam),
            nodes: Vec::new(),
            flight: Vec::new(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            pods_made: 0,
            collected: BTreeSet::new(),
            counts: std::collections::BTreeMap::new(),
            log: VecDeque::new(),
            rng,
        };
        let aggregate = world.rng.one_in(2).then_some(26);
        let pool = |name, cidr: &str, block_size, manual, aggregate| PoolSpec {
            name,
            cidr: cidr.into(),
            block_size,
            disabled: false,
            manual,
            selector: "all()",
            aggregate,
        };
        for spec in [
            pool("pods", "10.0.0.0/24", 28, false, aggregate),
            pool("more", "10.0.4.0/25", 29, false, None),
            pool("named", "10.0.6.0/25", 28, true, None),
            pool("six", "fd00:10::/116", 124, false, None),
        ] {
            world.resources.put_pool(&world.store, spec);
        }
        for number in 0..nodes {
            let name: NodeName = format!("node-{number}").parse().expect("a name");
            let rack = ["r1", "r2", "r3"][number % 3];
            // The last one has a subnet from its resource.
            let given: &[&str] = if number + 1 == nodes {
                &["10.0.0.96/27"]
            } else {
                &[]
            };
            world.resources.put_node(&world.store, &name, rack, given);
            world.nodes.push(SimNode::new(name, rack, given, ledger()));
        }
        world
    }

    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if self.log.len() == 400 {
            self.log.pop_front();
        }
        self.log.push_back(what());
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The agent starts, and lists the store if it can.
    pub fn start(&mut self, i: usize) {
        let node = &mut self.nodes[i];
        if !node.machine {
            return;
        }
        node.agent = true;
        if !node.reaches || node.process.is_some() {
            return;
        }
        let list = |space| SpaceView::from(self.store.list_now(space).expect("a store that works"));
        let (resources, ownership) = (list(Space::Resources), list(Space::Ownership));
        let intent_at = number(&resources.revision);
        let intent = self.resources.intent(intent_at);
        let (view, _) = ClusterView::new(&resources, &intent, &ownership);
        let clock = node.clock(self.now);
        node.obey(&intent, clock);
        node.process = Some(Process {
            resources,
            ownership,
            intent_at,
            view,
            memory: Memory::default(),
        });
        let presence = PresenceRecord::new(node.name.clone(), None).to_text();
        let hold = self
            .store
            .hold_now(&node.name, presence)
            .expect("a store that works");
        node.hold = Some(hold);
        self.note(|| format!("start node-{i}"));
    }

    /// A process that was started without the store comes to know it.
    pub fn connect(&mut self, i: usize) {
        if self.nodes[i].agent && self.nodes[i].process.is_none() {
            self.start(i);
        }
    }

    /// The node learns some of what was written since, up to all of it.
    pub fn refresh(&mut self, i: usize, all: bool) {
        let last = number(
            &self
                .store
                .list_now(Space::Resources)
                .expect("a store that works")
                .revision,
        );
        let node = &mut self.nodes[i];
        let Some(process) = node.process.as_mut().filter(|_| node.reaches) else {
            return;
        };
        for (space, view) in [
            (Space::Resources, &mut process.resources),
            (Space::Ownership, &mut process.ownership),
        ] {
            match self.store.changes_now(space, &view.revision) {
                Ok(changes) => {
                    let take = if all {
                        changes.len()
                    } else {
                        self.rng.below(changes.len() + 1)
                    };
                    changes
                        .into_iter()
                        .take(take)
                        .for_each(|change| view.apply(change));
                }
                // Compacted: everything is read again.
                Err(_) => *view = self.store.list_now(space).expect("a store that works").into(),
            }
        }
        let ahead = last.saturating_sub(process.intent_at) as usize;
        process.intent_at += if all { ahead } else { self.rng.below(ahead + 1) } as u64;
        let intent = self.resources.intent(process.intent_at);
        process
            .view
            .refresh(&process.resources, &intent, &process.ownership);
        let clock = node.clock(self.now);
        node.obey(&intent, clock);
    }

    /// The node decides on what it knows, and carries its steps out; the transaction is on its way then. Between any
    /// two steps pods may come and go, or the process may end.
    pub fn decide(&mut self, i: usize, calm: bool) -> bool {
        let (now, node) = (self.now, &mut self.nodes[i]);
        let clock = node.clock(now);
        let Some(process) = node.process.as_mut() else {
            return false;
        };
        let settings = settings(node.name.clone());
        let local = node.ledger.local(clock);
        if local.fresh {
            if node.reaches {
                let mirror = std::mem::take(&mut node.mirror);
                node.ledger
                    .apply(&[LedgerStep::Restore(mirror), LedgerStep::Known], clock);
            }
            return true;
        }
        let decision = decide(&process.view, &local, &settings, &mut process.memory, clock);
        let commits = decision
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Commit(..)))
            .count();
        assert!(commits <= 1, "{:?}", decision.steps);
        let any = !decision.steps.is_empty();
        for step in decision.steps {
            if !calm && self.rng.one_in(6) {
                self.pod_comes_or_goes(i);
            }
            if !calm && self.rng.one_in(60) {
                self.note(|| format!("node-{i} crashes before {step:?}"));
                self.nodes[i].crash();
                return true;
            }
            match step {
                Step::Ledger(steps) => {
                    self.note(|| format!("node-{i} ledger {steps:?}"));
                    let clock = self.nodes[i].clock(now);
                    self.nodes[i].ledger.apply(&steps, clock);
                }
                Step::Commit(purpose, transaction) => {
                    self.count("transactions");
                    let operations = transaction.compare.len().max(transaction.write.len());
                    assert!(operations <= 128, "etcd takes 128 operations: {transaction:?}");
                    self.note(|| format!("node-{i} sends {purpose}"));
                    self.flight.push(Flight {
                        from: i,
                        purpose,
                        transaction,
                    });
                    let late = !calm && self.rng.one_in(4);
                    if !late {
                        self.deliver(self.flight.len() - 1, calm);
                    }
                }
            }
        }
        any
    }

    /// What a node says is wrong.
    pub fn troubles(&mut self, i: usize) -> Vec<String> {
        let (now, node) = (self.now, &mut self.nodes[i]);
        let clock = node.clock(now);
        let local = node.ledger.local(clock);
        let Some(process) = node.process.as_mut() else {
            return Vec::new();
        };
        let settings = settings(node.name.clone());
        let mut memory = process.memory.clone();
        let decision = decide(&process.view, &local, &settings, &mut memory, clock);
        decision.troubles.iter().map(ToString::to_string).collect()
    }

    /// A transaction arrives, or is lost on the way; sometimes it arrives once more later.
    pub fn deliver(&mut self, at: usize, calm: bool) {
        let again = !calm && self.rng.one_in(12);
        let lost = !calm && self.rng.one_in(12);
        if lost || !self.nodes[self.flight[at].from].reaches && !again {
            self.flight.swap_remove(at);
            return;
        }
        let (from, purpose, transaction) = {
            let flight = &self.flight[at];
            (flight.from, flight.purpose.clone(), flight.transaction.clone())
        };
        let gone = |world: &World, name: &NodeName| {
            let there = |key| world.store.get_now(&key).expect("a store that works").is_some();
            !there(node_key(name)) && !there(Key::Presence(name.to_string()))
        };
        let target_gone = match &purpose {
            Purpose::Collect { node, .. } => Some(gone(self, node)),
            _ => None,
        };
        let outcome = self.store.commit_now(&transaction).expect("a store that works");
        self.note(|| format!("  {purpose} of node-{from}: {outcome:?}"));
        if !again {
            self.flight.swap_remove(at);
        }
        if matches!(outcome, Outcome::Conflict) {
            self.count("conflicts");
            return;
        }
        self.count(purpose.kind());
        self.committed(from, &purpose, &transaction, target_gone);
    }

    /// What must hold of a transaction at the moment that it is carried out.
    fn committed(
        &mut self,
        from: usize,
        purpose: &Purpose,
        transaction: &Transaction,
        target_gone: Option<bool>,
    ) {
        for write in &transaction.write {
            if let Write::Put(Key::Block(net), text) = write {
                let record = BlockRecord::parse(text).expect("a record of ours");
                let life = self
                    .store
                    .get_now(&node_key(&record.node))
                    .expect("a store that works");
                let life = life.map(|item| item.incarnation.to_string());
                assert_eq!(
                    life,
                    Some(record.incarnation),
                    "{net} claimed for a node that is not there"
                );
                assert_eq!(record.node, self.nodes[from].name);
                // A given subnet of another node must stay apart.
                let given = self
                    .nodes
                    .iter()
                    .flat_map(|n| n.given)
                    .map(|g| g.parse::<IpNet>().expect("a prefix"));
                for given in given {
                    assert!(
                        !given.contains(net) && !net.contains(&given),
                        "{net} overlaps {given}"
                    );
                }
            }
        }
        if let Purpose::Collect { node, .. } = purpose {
            assert_eq!(target_gone, Some(true), "{node} is not gone");
            let at = self
                .nodes
                .iter()
                .position(|n| n.name == *node)
                .expect("a node of this world");
            for compare in &transaction.compare {
                match compare {
                    Compare::Version(Key::Block(net), _) => _ = self.collected.insert((at, *net)),
                    Compare::Version(Key::Loan(address), _) => {
                        _ = self.collected.insert((at, (*address).into()))
                    }
                    _ => {}
                }
            }
        }
    }

    /// An ADD: it is answered when the ledger has it, and waits if something may still come.
    pub fn add(&mut self, i: usize, request: Request) {
        let now = self.now;
        let node = &mut self.nodes[i];
        if !node.agent {
            return;
        }
        let clock = node.clock(now);
        // A workload whose address is elsewhere waits for it first.
        let follows = request.sticky.as_ref().and_then(|workload| {
            let process = node.process.as_ref()?;
            let local = node.ledger.local(clock);
            let record = process.view.sticky_of(workload)?;
            let here = |a: &IpAddr| local.kept.contains_key(a) || local.borrowed.contains_key(a);
            let missing: Vec<IpAddr> = record.addresses.iter().filter(|a| !here(a)).copied().collect();
            (!missing.is_empty()).then_some(missing)
        });
        if let Some(missing) = follows {
            let until = clock + Duration::from_secs(120);
            for address in missing {
                node.ledger.want(
                    ipam::local::Want {
                        family: ipam::Family::of(address),
                        pools: Vec::new(),
                        address: None,
                        workload: request.sticky.clone(),
                    },
                    until,
                );
            }
            node.pending.push(Pending { request, until });
            return;
        }
        self.assign(i, request, clock + Duration::from_secs(120));
    }

    fn assign(&mut self, i: usize, request: Request, until: SystemTime) -> bool {
        let now = self.now;
        let node = &mut self.nodes[i];
        let clock = node.clock(now);
        match node.ledger.assign(&request, clock) {
            Ok(lease) => {
                let pod = Pod {
                    addresses: lease.addresses.clone(),
                    sticky: request.sticky.clone(),
                    alive: true,
                };
                node.pods.insert(lease.owner, pod);
                self.count("adds");
                self.note(|| {
                    format!(
                        "node-{i} pod {} gets {:?}",
                        request.owner.container_id, lease.addresses
                    )
                });
                true
            }
            Err(wants) => {
                for want in wants {
                    node.ledger.want(want, until);
                }
                if clock < until {
                    node.pending.push(Pending { request, until });
                }
                false
            }
        }
    }

    /// ADDs that wait are tried again.
    pub fn retry(&mut self, i: usize) {
        let now = self.now;
        if !self.nodes[i].agent {
            return;
        }
        let pending = std::mem::take(&mut self.nodes[i].pending);
        for mut wait in pending {
            let clock = self.nodes[i].clock(now);
            // A clock that went back does not make a pod wait for hours.
            wait.until = wait.until.min(clock + Duration::from_secs(120));
            let waits_for_own = wait.request.sticky.is_some() && clock < wait.until && {
                let local = self.nodes[i].ledger.local(clock);
                let of = |w: &String| Some(w) == wait.request.sticky.as_ref();
                let here = local.kept.values().any(of)
                    || local
                        .borrowed
                        .values()
                        .any(|b| b.workload.as_ref().is_some_and(of));
                !here
            };
            if waits_for_own {
                self.nodes[i].pending.push(wait);
            } else if clock < wait.until || wait.request.sticky.is_some() {
                self.assign(i, wait.request, wait.until);
            }
        }
    }

    /// A DEL, of a pod that may be dead already.
    pub fn del(&mut self, i: usize, owner: &Owner) {
        let now = self.now;
        let node = &mut self.nodes[i];
        if let Some(pod) = node.pods.get_mut(owner) {
            pod.alive = false;
        }
        if node.agent {
            let clock = node.clock(now);
            node.ledger.release(owner, clock);
            node.pods.remove(owner);
        }
    }

    pub fn pod_comes_or_goes(&mut self, i: usize) {
        if self.rng.one_in(2) {
            let alive = self.nodes[i].pods.iter().filter(|(_, pod)| pod.alive);
            let owners: Vec<Owner> = alive.map(|(owner, _)| owner.clone()).collect();
            if let Some(owner) = self.rng.pick(&owners).cloned() {
                self.note(|| format!("node-{i} pod {} goes", owner.container_id));
                self.del(i, &owner);
            }
            return;
        }
        let request = self.new_request();
        self.add(i, request);
    }

    pub fn new_request(&mut self) -> Request {
        self.pods_made += 1;
        let number = self.pods_made;
        match self.rng.below(10) {
            0 => {
                let last = self.rng.below(256) as u32;
                let address = IpAddr::from((0x0a00_0000u32 + last).to_be_bytes());
                request(number, Vec::new(), vec![address], None)
            }
            1 => request(number, vec!["named".into()], Vec::new(), None),
            2 => request(number, vec!["more".into(), "six".into()], Vec::new(), None),
            3..=5 => {
                let workload = format!("default.db-{}", self.rng.below(4));
                // One pod of a workload at a time, as a StatefulSet has it.
                let elsewhere: Vec<(usize, Owner)> = (self.nodes.iter().enumerate())
                    .flat_map(|(n, node)| node.pods.iter().map(move |(owner, pod)| (n, owner, pod)))
                    .filter(|(_, _, pod)| pod.sticky.as_ref() == Some(&workload) && pod.alive)
                    .map(|(n, owner, _)| (n, owner.clone()))
                    .collect();
                if !self.rng.one_in(8) {
                    for (n, owner) in elsewhere {
                        self.del(n, &owner);
                    }
                }
                request(number, Vec::new(), Vec::new(), Some(workload))
            }
            _ => request(number, Vec::new(), Vec::new(), None),
        }
    }
}

pub fn number(revision: &Revision) -> u64 {
    revision
        .as_str()
        .parse()
        .expect("a revision of the store in memory")
}

fn settings(node: NodeName) -> Settings {
    Settings {
        node,
        atomic: true,
        empty_block_linger: LINGER,
        dead_node_grace: GRACE,
        withdrawal: Duration::from_secs(2),
        claim_ahead: ClaimAhead::default(),
    }
}
