//! What the ledger tells those who decide about blocks and loans.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;

use super::state::{Ipam, State};
use crate::assign::Situation;
use crate::blocks;
use crate::lease::Lease;
use crate::local::{BlockState, BlockUse, LocalView, OwnBlock};

impl Ipam {
    /// All that is on disk, how full each block is, and what pods wait for. The cost grows with what is given
    /// out, not with the size of the blocks.
    pub fn local(&self, now: SystemTime) -> LocalView {
        let mut state = self.lock();
        state.wants.retain(|_, until| *until > now);
        let uses: Vec<BlockUse> = state.shown.blocks.iter().map(|b| state.fill(b, now)).collect();
        let blocks = uses
            .into_iter()
            .map(|block| state.note_empty(block, now))
            .collect();
        let book = &state.shown;
        LocalView {
            fresh: book.fresh,
            blocks,
            leases: book.leases.values().cloned().collect(),
            node: book.node.clone(),
            lent: book.lent.clone(),
            borrowed: book.borrowed.clone(),
            kept: book.kept.clone(),
            wants: state.wants.keys().cloned().collect(),
        }
    }
}

impl Ipam {
    /// Whether the ledger is new and does not know yet what was given out before.
    pub fn is_fresh(&self) -> bool {
        self.lock().shown.fresh
    }

    /// Leases with an address that is in no block, nor on loan to us. They are kept until their pods go.
    pub fn outside(&self) -> Vec<Lease> {
        let state = self.lock();
        let book = &state.shown;
        let outside = |lease: &&Lease| lease.addresses.iter().any(|a| !book.may_use(*a));
        book.leases.values().filter(outside).cloned().collect()
    }

    /// The blocks that the node announces (see [`BlockUse::announced`]) and the addresses in them that others have
    /// on loan: what of [`Ipam::local`] the routes of a node depend on, without counting how full each block is.
    pub fn announced(&self) -> (Vec<OwnBlock>, BTreeSet<IpAddr>) {
        let state = self.lock();
        let book = &state.shown;
        let held =
            |block: &&OwnBlock| block.state == BlockState::Open || book.held_in(block.cidr).next().is_some();
        (
            book.blocks.iter().filter(held).cloned().collect(),
            book.lent.keys().copied().collect(),
        )
    }
}

impl State {
    fn fill(&self, block: &OwnBlock, now: SystemTime) -> BlockUse {
        let situation = Situation {
            book: &self.shown,
            rules: self.rules.as_ref(),
            aside: &[],
            now,
        };
        let cidr = block.cidr;
        let held: BTreeSet<IpAddr> = self.shown.held_in(cidr).collect();
        let resting = self.shown.cooling.range(cidr.network()..=cidr.broadcast());
        let resting = resting
            .map(|(a, _)| *a)
            .filter(|a| !held.contains(a) && situation.rest(*a).is_some());
        let reserved = outermost(situation.reserved(), cidr);
        let open = |a: &IpAddr| !reserved.iter().any(|net| net.contains(a));
        let gone = held.iter().copied().chain(resting).filter(open).count();
        let size = blocks::size(cidr);
        let shut = reserved
            .iter()
            .fold(count(gone), |sum, net| sum.saturating_add(blocks::size(*net)));
        BlockUse {
            block: block.clone(),
            size,
            used: count(held.len()),
            free: match block.state {
                BlockState::Open => size.saturating_sub(shut),
                BlockState::Leaving => 0,
            },
            empty_since: None,
        }
    }

    /// A block is empty from the first look at it that finds it so; a clock that was set back begins anew.
    fn note_empty(&mut self, mut block: BlockUse, now: SystemTime) -> BlockUse {
        let cidr = block.block.cidr;
        if block.used > 0 {
            self.empty_since.remove(&cidr);
            return block;
        }
        let since = self.empty_since.entry(cidr).or_insert(now);
        *since = (*since).min(now);
        block.empty_since = Some(*since);
        block
    }
}

/// The parts of a block that reservations cover, none inside another.
fn outermost(reserved: &[IpNet], block: IpNet) -> Vec<IpNet> {
    let mut nets: Vec<IpNet> = Vec::new();
    for net in reserved {
        if net.contains(&block) {
            return vec![block];
        }
        let net = net.trunc();
        if block.contains(&net) && !nets.iter().any(|other| other.contains(&net)) {
            nets.retain(|other| !net.contains(other));
            nets.push(net);
        }
    }
    nets
}

fn count(n: usize) -> u128 {
    u128::try_from(n).unwrap_or(u128::MAX)
}
