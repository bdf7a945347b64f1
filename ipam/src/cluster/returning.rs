//! Blocks whose records name this node, held against what its ledger has: what was lost is dropped, what is ours is
//! taken, and what an earlier life of the node or of its ledger left is claimed again first.

use std::net::IpAddr;

use datastore::{Compare, Key, Transaction, Version, Write};
use ipnet::IpNet;

use super::candidates::Choice;
use super::choose;
use super::memory::Memory;
use super::purpose::Purpose;
use super::reason::{NoBlock, Reason};
use super::records::{BlockRecord, LoanState};
use super::situation::Situation;
use super::trouble::Trouble;
use crate::local::{BlockState, LedgerStep, Lent, Origin, OwnBlock};

/// How many records one transaction writes: etcd takes 128 operations by default.
pub(super) const BATCH: usize = 50;

/// Claimed blocks of the ledger that are not ours any more.
pub(super) fn lost(here: Situation<'_>, troubles: &mut Vec<Trouble>) -> Vec<LedgerStep> {
    let mut steps = Vec::new();
    for block in here.claimed() {
        let cidr = block.block.cidr;
        match here.view.blocks.get(&cidr).map(|stored| stored.read()) {
            // A record that cannot be read may well be ours.
            Some(None) => continue,
            Some(Some(record)) if record.node == *here.me() => continue,
            _ => steps.push(LedgerStep::Drop(cidr)),
        }
    }
    stranded(here, troubles);
    steps
}

/// Leases in no block of this node, though in a pool: they go on as single routes, and another node may give the
/// same address to a pod.
pub(super) fn stranded(here: Situation<'_>, troubles: &mut Vec<Trouble>) {
    for lease in &here.local.leases {
        for address in lease.addresses.iter().filter(|address| !holds(here, **address)) {
            let owner = here
                .view
                .block_of(*address)
                .and_then(|(net, stored)| Some((net, stored.read()?)));
            if let Some((net, record)) = owner.filter(|(_, record)| record.node != *here.me()) {
                let message = format!(
                    "{} has it, and block {net} belongs to node {} now, which may give it to another pod; remove this pod",
                    lease.owner, record.node
                );
                troubles.push(Trouble::new(address.to_string(), message));
            }
        }
    }
}

/// Whether the node may give an address to a pod: it lies in a block of its own, or is on loan to it.
fn holds(here: Situation<'_>, address: IpAddr) -> bool {
    let loan = here.view.loans.get(&address);
    let on_loan = loan.is_some_and(|stored| stored.read().is_none_or(|loan| loan.borrower == *here.me()));
    here.own_block_of(address).is_some() || (on_loan && here.local.borrowed.contains_key(&address))
}

/// What is ours and how it has to be treated.
pub(super) enum Own {
    /// The ledger takes it.
    Take(IpNet),
    /// Its record is written again first.
    Again(IpNet),
    /// A pod came while it was about to leave: it stays. Its deletion was never sent, as it was never empty since.
    Stay(IpNet),
    /// It cannot be used: its record goes.
    Refuse(IpNet, Trouble),
}

/// The records that name this node, where something is to be done about them.
pub(super) fn own(here: Situation<'_>, memory: &Memory) -> Vec<Own> {
    let mut found = Vec::new();
    for (net, record, version) in here.view.blocks_of(here.me()) {
        let old = here
            .incarnation()
            .is_some_and(|inc| inc.as_str() != record.incarnation);
        let touched = memory
            .touched
            .get(&Key::Block(net))
            .is_some_and(|before| before != version);
        match here.taken(&net) {
            Some(block) if block.block.origin == Origin::Given => {}
            // It is about to be given back: then nothing is written again.
            Some(block) if block.block.state == BlockState::Leaving && block.used == 0 => {}
            Some(_) if old => found.push(Own::Again(net)),
            Some(block) if block.block.state == BlockState::Leaving => found.push(Own::Stay(net)),
            Some(_) => {}
            None => match here.view.clash(net) {
                Some((other, whose)) => found.push(Own::Refuse(net, refusal(net, other, &whose))),
                // What an earlier process knew of it is not known: it may have been about to give it back.
                None if old || !(touched || memory.claimed.contains(&net)) => found.push(Own::Again(net)),
                None => found.push(Own::Take(net)),
            },
        }
    }
    found
}

fn refusal(net: IpNet, other: IpNet, whose: &str) -> Trouble {
    let message = format!("it is not used, because it overlaps {other} of {whose}; its record is given back");
    Trouble::new(net.to_string(), message)
}

/// Taking a block, and setting aside in the same breath what is on loan in it: the owner of before lent it, and the
/// borrower still has it.
pub(super) fn take(here: Situation<'_>, net: IpNet) -> Vec<LedgerStep> {
    let pool = here.view.owner(&net).map(|record| record.pool.clone());
    let mut steps = vec![LedgerStep::Take(OwnBlock {
        cidr: net,
        pool,
        origin: Origin::Claimed,
        state: BlockState::Open,
    })];
    for loan in here.view.loans_in(net) {
        let out = matches!(loan.state, LoanState::Lent | LoanState::Held);
        if out && loan.borrower != *here.me() {
            let lent = Lent {
                borrower: loan.borrower.clone(),
                workload: loan.workload.clone(),
            };
            steps.push(LedgerStep::Lend(loan.address, lent));
        }
    }
    steps
}

/// Writes the records of blocks again, with this life of the node. Whatever was sent against the writing of before
/// and is still under way does nothing after that.
pub(super) fn again(
    here: Situation<'_>,
    blocks: &[IpNet],
    memory: &mut Memory,
) -> Option<(Purpose, Transaction)> {
    let most = if here.settings.atomic { BATCH } else { 1 };
    let blocks: Vec<IpNet> = blocks.iter().copied().take(most).collect();
    let mut transaction = Transaction::default().when(here.alive()?);
    for net in &blocks {
        let stored = here.view.blocks.get(net)?;
        let record = BlockRecord {
            incarnation: here.incarnation()?.as_str().to_owned(),
            ..stored.read()?.clone()
        };
        let key = Key::Block(*net);
        memory.touched.insert(key.clone(), stored.version.clone());
        transaction = transaction
            .when(Compare::Version(key.clone(), stored.version.clone()))
            .then(Write::Put(key, record.to_text()));
    }
    Some((Purpose::Reclaim { blocks }, transaction))
}

/// Deletes the records of blocks, each only as it was seen.
pub(super) fn give_back(here: Situation<'_>, blocks: &[IpNet]) -> Option<(Purpose, Transaction)> {
    let most = if here.settings.atomic { BATCH } else { 1 };
    let seen = |net: &IpNet| -> Option<(IpNet, Version)> {
        Some((*net, here.view.blocks.get(net)?.version.clone()))
    };
    let blocks: Vec<(IpNet, Version)> = blocks.iter().filter_map(seen).take(most).collect();
    if blocks.is_empty() {
        return None;
    }
    let transaction = blocks
        .iter()
        .fold(Transaction::default(), |transaction, (net, version)| {
            let key = Key::Block(*net);
            transaction
                .when(Compare::Version(key.clone(), version.clone()))
                .then(Write::Delete(key))
        });
    let blocks = blocks.into_iter().map(|(net, _)| net).collect();
    Some((Purpose::Release { blocks }, transaction))
}

/// A free block in which a pod of this node has an address: it was ours before.
pub(super) fn lost_and_free(here: Situation<'_>) -> Option<Result<Choice, (IpAddr, NoBlock)>> {
    let addresses = here.local.leases.iter().flat_map(|lease| &lease.addresses);
    for address in addresses {
        if holds(here, *address) || here.view.block_of(*address).is_some() {
            continue;
        }
        let Some(pool) = here.view.pool_of(&IpNet::from(*address)) else {
            continue;
        };
        let choice = choose::block_at(here, pool, *address, Reason::HoldsOurPods(*address));
        match choice {
            Ok(choice) => return Some(Ok(choice)),
            Err(NoBlock::Taken(_)) => {}
            Err(why) => return Some(Err((*address, why))),
        }
    }
    None
}
