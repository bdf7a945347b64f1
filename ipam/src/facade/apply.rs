//! What the ownership of blocks tells the ledger: blocks taken and dropped, loans, kept addresses, recovery.

use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;

use super::state::{Draft, Ipam};
use crate::blocks::overlap;
use crate::error::Error;
use crate::lease::{Lease, whole_millis};
use crate::ledger::{Holder, Op};
use crate::local::{BlockState, Borrowed, LedgerStep, Lent, Origin, OwnBlock};

/// What the blocks that the resources give mean for what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlocksReport {
    /// Leases with an address that is in no block any more, nor on loan to us. They are kept until their pods go.
    pub outside: Vec<Lease>,
    /// Blocks that were not taken, as they overlap one that this node has claimed.
    pub refused: Vec<IpNet>,
}

impl Ipam {
    /// Carries out steps in order, in one transaction; on disk when this returns. The answer says for each of
    /// them whether the ledger now is as the step wants it, also where it was so before; `false` where it was
    /// refused and nothing changed.
    ///
    /// # Errors
    /// A disk that fails: no step was carried out, or all were; asking again tells.
    pub fn apply(&self, steps: &[LedgerStep], now: SystemTime) -> Result<Vec<bool>, Error> {
        self.change(now, |draft| {
            Ok(steps.iter().map(|step| draft.step(step)).collect())
        })
    }

    /// Sets the blocks that the resources give this node, with their pools, in the order of its pod subnets:
    /// they take the place of all such blocks before. Host bits are cut off; a block inside another one is left
    /// out. Leases outside the blocks are kept and reported.
    ///
    /// # Errors
    /// A disk that fails: the blocks are then as they were.
    pub fn set_given(
        &self,
        given: Vec<(IpNet, Option<String>)>,
        now: SystemTime,
    ) -> Result<BlocksReport, Error> {
        self.change(now, |draft| Ok(draft.set_given(given)))
    }
}

impl Draft<'_> {
    fn set_given(&mut self, given: Vec<(IpNet, Option<String>)>) -> BlocksReport {
        let is_claimed = |b: &&OwnBlock| b.origin == Origin::Claimed;
        let claimed: Vec<OwnBlock> = self.book.blocks.iter().filter(is_claimed).cloned().collect();
        let mut report = BlocksReport::default();
        let mut blocks: Vec<OwnBlock> = Vec::new();
        let cidrs: Vec<IpNet> = given.iter().map(|(net, _)| net.trunc()).collect();
        for (cidr, (_, pool)) in cidrs.iter().zip(&given) {
            let inside_other = cidrs.iter().any(|other| other != cidr && other.contains(cidr));
            if inside_other || blocks.iter().any(|b| b.cidr == *cidr) {
                continue;
            }
            if claimed.iter().any(|b| overlap(b.cidr, *cidr)) {
                report.refused.push(*cidr);
                continue;
            }
            blocks.push(OwnBlock {
                cidr: *cidr,
                pool: pool.clone(),
                origin: Origin::Given,
                state: BlockState::Open,
            });
        }
        blocks.extend(claimed);
        self.set_blocks(blocks);
        let is_outside = |lease: &&Lease| lease.addresses.iter().any(|a| !self.book.may_use(*a));
        report.outside = self.book.leases.values().filter(is_outside).cloned().collect();
        report
    }

    /// Sets all blocks, and forgets what was said of addresses that are in none of them any more.
    fn set_blocks(&mut self, blocks: Vec<OwnBlock>) {
        if self.book.blocks != blocks {
            self.put(Op::Blocks(blocks));
        }
        let mut ops = Vec::new();
        let ours = |a: &IpAddr| self.book.block_of(*a).is_some();
        ops.extend(self.book.lent.keys().filter(|a| !ours(a)).map(|a| Op::Unlend(*a)));
        ops.extend(self.book.kept.keys().filter(|a| !ours(a)).map(|a| Op::Unkeep(*a)));
        let useless = self.book.cooling.keys().filter(|a| !self.book.may_use(**a));
        ops.extend(useless.map(|a| Op::Uncool(*a)));
        // What was on loan from a block that is ours now is no loan any more; a workload keeps its address.
        for (address, loan) in self.book.borrowed.iter().filter(|(a, _)| ours(a)) {
            ops.push(Op::Unborrow(*address));
            if let (Some(workload), None) = (&loan.workload, self.book.holder(*address)) {
                ops.push(Op::Keep(*address, workload.clone()));
            }
        }
        ops.into_iter().for_each(|op| self.put(op));
        self.settle_node();
    }

    fn step(&mut self, step: &LedgerStep) -> bool {
        match step {
            LedgerStep::Take(block) => self.take(block),
            LedgerStep::Leave(cidr) => self.set_state(cidr, BlockState::Leaving),
            LedgerStep::Stay(cidr) => self.set_state(cidr, BlockState::Open),
            LedgerStep::Drop(cidr) => self.drop_block(cidr),
            LedgerStep::Lend(address, lent) => self.lend(*address, lent),
            LedgerStep::TakeBack(address) => {
                if let Some(lent) = self.book.lent.get(address).cloned() {
                    self.put(Op::Unlend(*address));
                    self.rest(*address, lent.workload);
                }
                true
            }
            LedgerStep::Borrow(address, borrowed) => self.borrow(*address, borrowed),
            LedgerStep::Return(address) => self.give_back(*address),
            LedgerStep::Keep(address, workload) => self.keep(*address, workload),
            LedgerStep::Unkeep(address) => {
                if let Some(workload) = self.book.kept.get(address).cloned() {
                    self.put(Op::Unkeep(*address));
                    self.rest(*address, Some(workload));
                }
                true
            }
            LedgerStep::Restore(leases) => {
                let whole: Vec<bool> = leases.iter().map(|lease| self.restore(lease)).collect();
                whole.into_iter().all(|whole| whole)
            }
            LedgerStep::Known => {
                if self.book.fresh {
                    self.put(Op::Fresh(false));
                    self.settle_node();
                }
                true
            }
        }
    }

    fn take(&mut self, block: &OwnBlock) -> bool {
        let block = OwnBlock {
            cidr: block.cidr.trunc(),
            ..block.clone()
        };
        let mut blocks = self.book.blocks.clone();
        let clash = blocks.iter_mut().find(|b| overlap(b.cidr, block.cidr));
        match clash {
            None => blocks.push(block),
            Some(same) if same.cidr == block.cidr && same.origin == block.origin => *same = block,
            Some(_) => return false,
        }
        self.set_blocks(blocks);
        true
    }

    /// Blocks that the resources give are not left: they go when the resources say so.
    fn set_state(&mut self, cidr: &IpNet, state: BlockState) -> bool {
        let Some(block) = self.book.block(cidr) else {
            return false;
        };
        if block.state == state {
            return true;
        }
        if block.origin == Origin::Given {
            return false;
        }
        let mut blocks = self.book.blocks.clone();
        for block in blocks.iter_mut().filter(|b| b.cidr == *cidr) {
            block.state = state;
        }
        self.put(Op::Blocks(blocks));
        self.settle_node();
        true
    }

    fn drop_block(&mut self, cidr: &IpNet) -> bool {
        match self.book.block(cidr).map(|b| b.origin) {
            None => true,
            Some(Origin::Given) => false,
            Some(Origin::Claimed) => {
                let others = self.book.blocks.iter().filter(|b| b.cidr != *cidr);
                let blocks = others.cloned().collect();
                self.set_blocks(blocks);
                true
            }
        }
    }

    /// Not while the ledger is new: a pod may have the address.
    fn lend(&mut self, address: IpAddr, lent: &Lent) -> bool {
        let open = self
            .book
            .block_of(address)
            .is_some_and(|b| b.state == BlockState::Open);
        if !open || self.book.fresh {
            return false;
        }
        match self.book.holder(address) {
            Some(Holder::Lent(to)) if to == lent => return true,
            // The same node, for another workload of its own.
            Some(Holder::Lent(to)) if to.borrower == lent.borrower => {}
            Some(Holder::Kept(of)) if Some(of) == lent.workload.as_deref() => self.put(Op::Unkeep(address)),
            Some(_) => return false,
            None => {}
        }
        self.end_rest(address);
        self.put(Op::Lend(address, lent.clone()));
        true
    }

    fn borrow(&mut self, address: IpAddr, borrowed: &Borrowed) -> bool {
        if self.book.block_of(address).is_some() {
            return false;
        }
        if self.book.borrowed.get(&address) != Some(borrowed) {
            self.put(Op::Borrow(address, borrowed.clone()));
        }
        true
    }

    fn give_back(&mut self, address: IpAddr) -> bool {
        if !self.book.borrowed.contains_key(&address) {
            return true;
        }
        if self.book.taken.contains_key(&address) {
            return false;
        }
        self.put(Op::Unborrow(address));
        self.end_rest(address);
        true
    }

    fn keep(&mut self, address: IpAddr, workload: &str) -> bool {
        if self.book.block_of(address).is_none() {
            return false;
        }
        match self.book.holder(address) {
            Some(Holder::Kept(of)) => of == workload,
            Some(_) => false,
            None => {
                self.end_rest(address);
                self.put(Op::Keep(address, workload.to_owned()));
                true
            }
        }
    }

    /// Brings a lease back that a mirror remembers, with those of its addresses that nobody holds.
    fn restore(&mut self, lease: &Lease) -> bool {
        if let Some(held) = self.book.leases.get(&lease.owner) {
            return lease.addresses.iter().all(|a| held.addresses.contains(a));
        }
        let free = |a: &&IpAddr| match self.book.holder(**a) {
            None => true,
            Some(Holder::Kept(of)) => Some(of) == lease.workload().as_deref(),
            Some(_) => false,
        };
        let addresses: Vec<IpAddr> = lease.addresses.iter().filter(free).copied().collect();
        let whole = addresses.len() == lease.addresses.len();
        if !addresses.is_empty() {
            let kept: Vec<IpAddr> = addresses
                .iter()
                .filter(|a| self.book.kept.contains_key(*a))
                .copied()
                .collect();
            kept.into_iter().for_each(|a| self.put(Op::Unkeep(a)));
            addresses.iter().for_each(|a| self.end_rest(*a));
            self.put(Op::PutLease(Lease {
                addresses,
                created_at: whole_millis(lease.created_at),
                ..lease.clone()
            }));
        }
        whole
    }
}
