//! A small cluster for the tests beside the code: a store in memory, resources in it, and nodes with their ledgers as
//! plain values.

use std::time::{Duration, SystemTime};

use config::fields::ResourceKind;
use config::intent::{Intent, IpReservation, Node, NodeBgp};
use config::load::Source;
use datastore::{Expect, Key, Memory as Store, Outcome, Space, Transaction, Write};
use ipnet::IpNet;

use super::records::BlockRecord;
use super::{ClaimAhead, ClusterView, Decision, Memory, Purpose, Settings, Step, decide};
use crate::lease::{Lease, Owner};
use crate::local::{BlockState, BlockUse, LedgerStep, LocalView, Origin, OwnBlock};

pub const GRACE: Duration = Duration::from_secs(100);
pub const LINGER: Duration = Duration::from_secs(60);

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

#[derive(Default)]
pub struct Cluster {
    pub store: Store,
    pub intent: Intent,
}

impl Cluster {
    /// A pool by the fields of its `spec`.
    pub fn pool(&mut self, name: &str, spec: &str) {
        let text = format!(
            r#"{{"apiVersion":"roadbed.dev/v1","kind":"IPPool","metadata":{{"name":"{name}"}},"spec":{{{spec}}}}}"#
        );
        let source = Source {
            name: name.into(),
            text: text.clone(),
        };
        let loaded = config::load(&[source]);
        let pool = loaded
            .intent
            .unwrap_or_else(|| panic!("{:?}", loaded.problems))
            .pools
            .remove(0);
        self.intent.pools.retain(|other| other.name != name);
        self.intent.pools.push(pool);
        self.put(Key::resource(ResourceKind::IpPool, name), &text);
    }

    pub fn node(&mut self, name: &str, rack: &str, pod_cidrs: &[&str]) {
        let node = Node {
            name: name.parse().unwrap(),
            labels: [("rack".to_owned(), rack.to_owned())].into(),
            bgp: NodeBgp::default(),
            vxlan_mac: None,
            vxlan_mac_v6: None,
            pod_cidrs: pod_cidrs.iter().map(|text| net(text)).collect(),
        };
        self.intent.nodes.insert(node.name.clone(), node);
        self.put(Key::resource(ResourceKind::Node, name), "{}");
    }

    pub fn node_goes(&mut self, name: &str) {
        self.intent.nodes.remove(&name.parse().unwrap());
        self.write(Write::Delete(Key::resource(ResourceKind::Node, name)));
    }

    pub fn reserve(&mut self, cidr: &str) {
        let name = format!("r{}", self.intent.reservations.len());
        let cidrs = vec![net(cidr)];
        self.intent.reservations.push(IpReservation { name, cidrs });
    }

    pub fn put(&self, key: Key, text: &str) {
        self.write(Write::Put(key, text.to_owned()));
    }

    pub fn write(&self, write: Write) {
        self.store.write_now(&write, &Expect::Any).unwrap();
    }

    /// A block as an earlier claim left it.
    pub fn owned(&self, block: &str, pool: &str, node: &str) {
        let key = Key::resource(ResourceKind::Node, node);
        let life = self
            .store
            .get_now(&key)
            .unwrap()
            .map(|item| item.incarnation.to_string());
        let record = BlockRecord::new(pool, node.parse().unwrap(), life.unwrap_or_else(|| "0".into()));
        self.put(Key::Block(net(block)), &record.to_text());
    }

    pub fn view(&self) -> ClusterView {
        let list = |space| self.store.list_now(space).unwrap().into();
        ClusterView::new(&list(Space::Resources), &self.intent, &list(Space::Ownership)).0
    }

    pub fn commit(&self, transaction: &Transaction) -> bool {
        matches!(self.store.commit_now(transaction).unwrap(), Outcome::Done(_))
    }

    pub fn decide(&self, node: &mut Agent, now: SystemTime) -> Decision {
        decide(&self.view(), &node.local, &node.settings, &mut node.memory, now)
    }

    /// Decides and carries out until nothing is left to do; what was committed, in order.
    pub fn run(&self, node: &mut Agent, now: SystemTime) -> Vec<Purpose> {
        let mut done = Vec::new();
        for _ in 0..100 {
            let decision = self.decide(node, now);
            if decision.steps.is_empty() {
                return done;
            }
            for step in decision.steps {
                match step {
                    Step::Ledger(steps) => steps.iter().for_each(|step| node.apply(step)),
                    Step::Commit(purpose, transaction) => {
                        assert!(self.commit(&transaction), "{purpose}: {transaction:?}");
                        done.push(purpose);
                    }
                }
            }
        }
        panic!("it does not come to rest: {done:?}");
    }
}

/// A node: its ledger is what [`Agent::apply`] makes of the steps about blocks.
pub struct Agent {
    pub settings: Settings,
    pub local: LocalView,
    pub memory: Memory,
}

impl Agent {
    pub fn new(name: &str) -> Agent {
        Agent {
            settings: Settings {
                node: name.parse().unwrap(),
                atomic: true,
                empty_block_linger: LINGER,
                dead_node_grace: GRACE,
                withdrawal: Duration::ZERO,
                claim_ahead: ClaimAhead::default(),
            },
            local: LocalView::default(),
            memory: Memory::default(),
        }
    }

    pub fn apply(&mut self, step: &LedgerStep) {
        let blocks = &mut self.local.blocks;
        match step {
            LedgerStep::Take(block) => blocks.push(empty(block.clone())),
            LedgerStep::Drop(cidr) => blocks.retain(|b| b.block.cidr != *cidr),
            LedgerStep::Leave(cidr) | LedgerStep::Stay(cidr) => {
                let leaves = matches!(step, LedgerStep::Leave(_));
                for block in blocks.iter_mut().filter(|b| b.block.cidr == *cidr) {
                    block.block.state = if leaves {
                        BlockState::Leaving
                    } else {
                        BlockState::Open
                    };
                }
            }
            LedgerStep::Lend(address, lent) => _ = self.local.lent.insert(*address, lent.clone()),
            LedgerStep::TakeBack(address) => _ = self.local.lent.remove(address),
            LedgerStep::Borrow(address, borrowed) => {
                self.local.borrowed.insert(*address, borrowed.clone());
            }
            LedgerStep::Return(address) => _ = self.local.borrowed.remove(address),
            LedgerStep::Keep(address, workload) => {
                self.local.kept.insert(*address, workload.clone());
            }
            LedgerStep::Unkeep(address) => _ = self.local.kept.remove(address),
            LedgerStep::Restore(_) | LedgerStep::Known => self.local.fresh = false,
        }
    }

    /// So many addresses of a block are in use.
    pub fn fill(&mut self, cidr: IpNet, used: u128) {
        let block = self
            .local
            .blocks
            .iter_mut()
            .find(|b| b.block.cidr == cidr)
            .unwrap();
        block.used = used;
        block.free = block.size - used;
        block.empty_since = (used == 0).then_some(at(0));
    }

    pub fn blocks(&self) -> Vec<IpNet> {
        self.local.blocks.iter().map(|b| b.block.cidr).collect()
    }

    pub fn lease(&mut self, container: &str, address: &str) {
        self.local.leases.push(Lease {
            owner: Owner::new(container, "eth0"),
            network: "pods".into(),
            pod: None,
            addresses: vec![address.parse().unwrap()],
            host_ifname: format!("rb{container}"),
            netns: String::new(),
            sticky: None,
            pools: Default::default(),
            created_at: at(0),
        });
    }
}

fn empty(block: OwnBlock) -> BlockUse {
    let size = super::size(block.cidr);
    BlockUse {
        block,
        size,
        used: 0,
        free: size,
        empty_since: Some(at(0)),
    }
}

pub fn own_block(cidr: &str, pool: &str) -> BlockUse {
    empty(OwnBlock {
        cidr: net(cidr),
        pool: Some(pool.into()),
        origin: Origin::Claimed,
        state: BlockState::Open,
    })
}
