//! The ledger of a simulated node: the real one, or a reference in memory that keeps to the meaning of each step and
//! needs no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipam::local::{BlockState, BlockUse, Borrowed, LedgerStep, Lent, LocalView, Origin, OwnBlock, Want};
use ipam::{Family, Ipam, Lease, LocalRules, Owner, PoolRule, Request};
use ipnet::IpNet;

/// What a simulated node does with its ledger.
pub trait Ledger {
    fn local(&mut self, now: SystemTime) -> LocalView;
    fn apply(&mut self, steps: &[LedgerStep], now: SystemTime);
    fn set_rules(&mut self, rules: LocalRules);
    fn set_given(&mut self, blocks: Vec<(IpNet, Option<String>)>, now: SystemTime);
    /// The addresses, or what is wanted for them.
    fn assign(&mut self, request: &Request, now: SystemTime) -> Result<Lease, Vec<Want>>;
    fn release(&mut self, owner: &Owner, now: SystemTime);
    fn want(&mut self, want: Want, until: SystemTime);
    /// The process has ended: only what is durable is left.
    fn crash(&mut self);
    /// The disk was lost.
    fn lose(&mut self);
}

/// The reference.
#[derive(Default)]
pub struct Reference {
    durable: Durable,
    rules: LocalRules,
    wants: BTreeMap<Want, SystemTime>,
    empty_since: BTreeMap<IpNet, SystemTime>,
}

#[derive(Default)]
struct Durable {
    fresh: bool,
    blocks: Vec<OwnBlock>,
    leases: BTreeMap<Owner, Lease>,
    node: BTreeMap<Family, IpAddr>,
    lent: BTreeMap<IpAddr, Lent>,
    borrowed: BTreeMap<IpAddr, Borrowed>,
    kept: BTreeMap<IpAddr, String>,
}

fn hosts(net: IpNet) -> Vec<IpAddr> {
    let first = net.network();
    let size = 1u128 << (if first.is_ipv4() { 32 } else { 128 } - u32::from(net.prefix_len()));
    let at = |offset: u128| match first {
        IpAddr::V4(a) => IpAddr::from((u32::from(a) + offset as u32).to_be_bytes()),
        IpAddr::V6(a) => IpAddr::from((u128::from(a) + offset).to_be_bytes()),
    };
    (0..size).map(at).collect()
}

impl Durable {
    fn block_of(&self, address: IpAddr) -> Option<&OwnBlock> {
        self.blocks.iter().find(|block| block.cidr.contains(&address))
    }

    fn leased(&self, address: IpAddr) -> bool {
        self.leases
            .values()
            .any(|lease| lease.addresses.contains(&address))
    }

    fn held(&self, address: IpAddr) -> bool {
        self.leased(address)
            || self.node.values().any(|own| *own == address)
            || self.lent.contains_key(&address)
            || self.kept.contains_key(&address)
    }

    fn all_held(&self) -> BTreeSet<IpAddr> {
        let leased = self.leases.values().flat_map(|lease| &lease.addresses);
        let aside = self.lent.keys().chain(self.kept.keys());
        leased.chain(aside).chain(self.node.values()).copied().collect()
    }

    /// The node's own address: the first one of the first block that nobody holds.
    fn settle(&mut self) {
        if self.fresh {
            return;
        }
        for family in Family::ALL {
            if self
                .node
                .get(&family)
                .is_some_and(|own| self.block_of(*own).is_some())
            {
                continue;
            }
            self.node.remove(&family);
            let nets = self
                .blocks
                .iter()
                .filter(|b| Family::of(b.cidr.addr()) == family && b.state == BlockState::Open);
            let free = nets
                .flat_map(|b| hosts(b.cidr))
                .find(|address| !self.held(*address));
            self.node.extend(free.map(|address| (family, address)));
        }
    }

    fn forget_outside(&mut self) {
        let nets: Vec<IpNet> = self.blocks.iter().map(|b| b.cidr).collect();
        let inside = |address: &IpAddr| nets.iter().any(|net| net.contains(address));
        self.lent.retain(|address, _| inside(address));
        self.kept.retain(|address, _| inside(address));
        self.borrowed.retain(|address, _| !inside(address));
        self.settle();
    }

    fn step(&mut self, step: &LedgerStep) {
        match step {
            LedgerStep::Take(block) => {
                let clash = |b: &OwnBlock| b.cidr.contains(&block.cidr) || block.cidr.contains(&b.cidr);
                if !self.blocks.iter().any(clash) {
                    self.blocks.push(block.clone());
                }
                self.forget_outside();
            }
            LedgerStep::Leave(net) => self.set_state(net, BlockState::Leaving),
            LedgerStep::Stay(net) => self.set_state(net, BlockState::Open),
            LedgerStep::Drop(net) => {
                self.blocks
                    .retain(|b| b.cidr != *net || b.origin == Origin::Given);
                self.forget_outside();
            }
            LedgerStep::Lend(address, lent) => {
                let open = self
                    .block_of(*address)
                    .is_some_and(|b| b.state == BlockState::Open);
                if self
                    .kept
                    .get(address)
                    .is_some_and(|of| Some(of) == lent.workload.as_ref())
                {
                    self.kept.remove(address);
                }
                if open && !self.fresh && !self.held(*address) {
                    self.lent.insert(*address, lent.clone());
                }
            }
            LedgerStep::TakeBack(address) => {
                self.lent.remove(address);
            }
            LedgerStep::Borrow(address, borrowed) => {
                if self.block_of(*address).is_none() {
                    self.borrowed.insert(*address, borrowed.clone());
                }
            }
            LedgerStep::Return(address) => {
                if !self.leased(*address) {
                    self.borrowed.remove(address);
                }
            }
            LedgerStep::Keep(address, workload) => {
                if self.block_of(*address).is_some() && !self.held(*address) {
                    self.kept.insert(*address, workload.clone());
                }
            }
            LedgerStep::Unkeep(address) => {
                self.kept.remove(address);
            }
            LedgerStep::Restore(leases) => {
                for lease in leases {
                    let known = self.leases.contains_key(&lease.owner);
                    let held = lease.addresses.iter().any(|a| self.held(*a));
                    if !known && !held {
                        self.leases.insert(lease.owner.clone(), lease.clone());
                    }
                }
            }
            LedgerStep::Known => {
                self.fresh = false;
                self.settle();
            }
        }
    }

    fn set_state(&mut self, net: &IpNet, state: BlockState) {
        for block in self
            .blocks
            .iter_mut()
            .filter(|b| b.cidr == *net && b.origin == Origin::Claimed)
        {
            block.state = state;
        }
    }
}

impl Reference {
    fn rule(&self, pool: Option<&str>) -> Option<&PoolRule> {
        self.rules
            .pools
            .iter()
            .find(|rule| Some(rule.name.as_str()) == pool)
    }

    fn suits(&self, pool: Option<&str>, request: &Request) -> bool {
        let named = pool.is_some_and(|pool| request.pools.iter().any(|p| p == pool));
        let rule = self.rule(pool);
        match request.pools.is_empty() {
            true => pool.is_none() || rule.is_some_and(|r| r.open && r.automatic),
            false => named && rule.is_some_and(|r| r.open),
        }
    }

    fn one(&self, request: &Request, family: Family) -> Result<Option<IpAddr>, Want> {
        let book = &self.durable;
        let want = |address| Want {
            family,
            pools: request.pools.clone(),
            address,
            workload: request.sticky.clone(),
        };
        if let Some(named) = request.wanted.iter().find(|a| Family::of(**a) == family) {
            let borrowed = book.borrowed.get(named).filter(|b| b.workload == request.sticky);
            let open = |b: &OwnBlock| {
                b.state == BlockState::Open && self.rule(b.pool.as_deref()).is_some_and(|r| r.open)
            };
            return match book.block_of(*named) {
                Some(block) if open(block) && !book.held(*named) => Ok(Some(*named)),
                None if borrowed.is_some() && !book.held(*named) => Ok(Some(*named)),
                _ => Err(want(Some(*named))),
            };
        }
        if let Some(workload) = &request.sticky {
            let of_family = |a: &&IpAddr| Family::of(**a) == family;
            let open = |a: &&IpAddr| book.block_of(**a).is_some_and(|b| b.state == BlockState::Open);
            let kept = book.kept.iter().filter(|(_, of)| *of == workload).map(|(a, _)| a);
            let lent = book
                .borrowed
                .iter()
                .filter(|(a, b)| b.workload.as_ref() == Some(workload) && !book.held(**a));
            let mine = kept.filter(open).chain(lent.map(|(a, _)| a)).find(of_family);
            if let Some(address) = mine {
                return Ok(Some(*address));
            }
        }
        let suits = |b: &&OwnBlock| {
            b.state == BlockState::Open
                && Family::of(b.cidr.addr()) == family
                && self.suits(b.pool.as_deref(), request)
        };
        let free = book
            .blocks
            .iter()
            .filter(suits)
            .flat_map(|b| hosts(b.cidr))
            .find(|a| !book.held(*a));
        let loose = || {
            let mut loose = book.borrowed.iter().filter(|(a, b)| {
                b.workload.is_none()
                    && Family::of(**a) == family
                    && !book.held(**a)
                    && self.suits(b.pool.as_deref(), request)
            });
            loose.next().map(|(a, _)| *a)
        };
        if let Some(address) = free.or_else(loose) {
            return Ok(Some(address));
        }
        let expected = self
            .rules
            .pools
            .iter()
            .any(|rule| Family::of(rule.cidr.addr()) == family && self.suits(Some(&rule.name), request));
        if expected { Err(want(None)) } else { Ok(None) }
    }
}

impl Ledger for Reference {
    fn local(&mut self, now: SystemTime) -> LocalView {
        // A clock that went back does not make a pod wait for hours.
        self.wants
            .retain(|_, until| *until > now && *until <= now + Duration::from_secs(600));
        let book = &self.durable;
        let held = book.all_held();
        let mut blocks = Vec::new();
        for block in &book.blocks {
            let used = held.range(block.cidr.network()..=block.cidr.broadcast()).count() as u128;
            let size = ipam::cluster::size(block.cidr);
            if used > 0 {
                self.empty_since.remove(&block.cidr);
            }
            let since = (used == 0).then(|| {
                let since = self.empty_since.entry(block.cidr).or_insert(now);
                *since = (*since).min(now);
                *since
            });
            let free = if block.state == BlockState::Open {
                size - used
            } else {
                0
            };
            blocks.push(BlockUse {
                block: block.clone(),
                size,
                used,
                free,
                empty_since: since,
            });
        }
        LocalView {
            fresh: book.fresh,
            blocks,
            leases: book.leases.values().cloned().collect(),
            node: book.node.clone(),
            lent: book.lent.clone(),
            borrowed: book.borrowed.clone(),
            kept: book.kept.clone(),
            wants: self.wants.keys().cloned().collect(),
        }
    }

    fn apply(&mut self, steps: &[LedgerStep], _now: SystemTime) {
        for step in steps {
            self.durable.step(step);
        }
    }

    fn set_rules(&mut self, rules: LocalRules) {
        self.rules = rules;
    }

    fn set_given(&mut self, blocks: Vec<(IpNet, Option<String>)>, _now: SystemTime) {
        self.durable.blocks.retain(|b| b.origin == Origin::Claimed);
        for (cidr, pool) in blocks {
            let block = OwnBlock {
                cidr,
                pool,
                origin: Origin::Given,
                state: BlockState::Open,
            };
            self.durable.blocks.insert(0, block);
        }
        self.durable.forget_outside();
    }

    fn assign(&mut self, request: &Request, now: SystemTime) -> Result<Lease, Vec<Want>> {
        if let Some(lease) = self.durable.leases.get(&request.owner) {
            return Ok(lease.clone());
        }
        if self.durable.fresh {
            return Err(Vec::new());
        }
        let (mut addresses, mut wants) = (Vec::new(), Vec::new());
        for family in Family::ALL {
            match self.one(request, family) {
                Ok(address) => addresses.extend(address),
                Err(want) => wants.push(want),
            }
        }
        if !wants.is_empty() || addresses.is_empty() {
            return Err(wants);
        }
        for address in &addresses {
            self.durable.kept.remove(address);
        }
        let lease = Lease {
            owner: request.owner.clone(),
            network: request.network.clone(),
            pod: request.pod.clone(),
            addresses,
            host_ifname: request.host_ifname.clone(),
            netns: request.netns.clone(),
            sticky: request.sticky.clone(),
            pools: BTreeMap::new(),
            created_at: now,
        };
        self.durable.leases.insert(lease.owner.clone(), lease.clone());
        Ok(lease)
    }

    fn release(&mut self, owner: &Owner, _now: SystemTime) {
        let Some(lease) = self.durable.leases.remove(owner) else {
            return;
        };
        let Some(workload) = lease.sticky else { return };
        for address in lease.addresses {
            if self.durable.block_of(address).is_some() {
                self.durable.kept.insert(address, workload.clone());
            }
        }
    }

    fn want(&mut self, want: Want, until: SystemTime) {
        self.wants.insert(want, until);
    }

    fn crash(&mut self) {
        self.wants.clear();
        self.empty_since.clear();
    }

    fn lose(&mut self) {
        self.durable = Durable {
            fresh: true,
            ..Durable::default()
        };
    }
}

/// The real one, on disk.
pub struct Real {
    folder: tempfile::TempDir,
    ipam: Option<Ipam>,
    rules: LocalRules,
    wants: BTreeMap<Want, SystemTime>,
}

impl Real {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the ledger");
        let mut real = Real {
            folder,
            ipam: None,
            rules: LocalRules::default(),
            wants: BTreeMap::new(),
        };
        // A ledger that was just made is a new one: there was nothing before.
        real.ipam()
            .apply(&[LedgerStep::Known], SystemTime::UNIX_EPOCH)
            .expect("a disk that works");
        real
    }

    fn ipam(&mut self) -> &Ipam {
        let folder = self.folder.path();
        let rules = &self.rules;
        self.ipam.get_or_insert_with(|| {
            let ipam = Ipam::open(folder).expect("a ledger that opens");
            ipam.set_rules(rules.clone());
            ipam
        })
    }
}

impl Ledger for Real {
    fn local(&mut self, now: SystemTime) -> LocalView {
        let mut local = self.ipam().local(now);
        // A clock that went back does not make a pod wait for hours.
        let latest = now + Duration::from_secs(600);
        local
            .wants
            .retain(|want| self.wants.get(want).is_none_or(|until| *until <= latest));
        local
    }

    fn apply(&mut self, steps: &[LedgerStep], now: SystemTime) {
        self.ipam().apply(steps, now).expect("a disk that works");
    }

    fn set_rules(&mut self, rules: LocalRules) {
        self.rules = LocalRules {
            cool_down: Duration::ZERO,
            ..rules
        };
        let rules = self.rules.clone();
        self.ipam().set_rules(rules);
    }

    fn set_given(&mut self, blocks: Vec<(IpNet, Option<String>)>, now: SystemTime) {
        self.ipam().set_given(blocks, now).expect("a disk that works");
    }

    fn assign(&mut self, request: &Request, now: SystemTime) -> Result<Lease, Vec<Want>> {
        self.ipam().assign(request, now).map_err(|error| error.wants())
    }

    fn release(&mut self, owner: &Owner, now: SystemTime) {
        match self.ipam().release(owner, now) {
            // The runtime would come again; here it does not, and the address stays with nobody.
            Err(ipam::Error::Recovering) => {}
            done => {
                done.expect("a disk that works");
            }
        }
    }

    fn want(&mut self, want: Want, until: SystemTime) {
        self.wants.insert(want.clone(), until);
        self.ipam().want(want, until);
    }

    fn crash(&mut self) {
        self.ipam = None;
        self.wants.clear();
    }

    fn lose(&mut self) {
        self.ipam = None;
        self.folder = tempfile::tempdir().expect("a folder for the ledger");
    }
}
