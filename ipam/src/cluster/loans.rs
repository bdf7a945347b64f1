//! Single addresses that go to another node: sticky ones that follow their workload, and, where affinity is not
//! strict, any.
//!
//! `asked` (by the borrower) → `lent` (the lender has set it aside in its ledger) → `held` (the borrower takes it) →
//! gone (the borrower has given it back in its ledger). The lender uses the address again only when the record is
//! gone. The borrower writes `held` itself, in each life of its process, before its ledger takes the address: an end
//! of the loan that an earlier life sent and that is still under way does nothing after that.

use std::net::IpAddr;

use config::NodeName;
use datastore::{Compare, Key, Transaction, Version, Write};
use ipnet::IpNet;

use super::decision::Decision;
use super::demand;
use super::memory::Memory;
use super::purpose::{LoanAct, Purpose};
use super::records::{FORMAT, LoanRecord, LoanState, Unknown};
use super::situation::Situation;
use super::span::{self, hash};
use super::trouble::{Hopeless, Trouble};
use super::view::Stored;
use crate::blocks::Family;
use crate::local::{BlockState, BlockUse, Borrowed, LedgerStep, Lent, Want};

type Commit = (Purpose, Transaction);

/// What the ledger has to learn about loans.
pub(super) fn ledger(here: Situation<'_>, memory: &mut Memory) -> Vec<LedgerStep> {
    let mut steps = Vec::new();
    for (address, stored) in &here.view.loans {
        let Some(loan) = stored.read() else { continue };
        if loan.borrower == *here.me() {
            steps.extend(borrow(here, loan, &stored.version, memory));
        } else if here.own_block_of(*address).is_some() && here.owner_of(*address) == Some(here.me()) {
            steps.extend(lend(here, loan, &stored.version, memory));
        }
    }
    steps.extend(taken_back(here));
    steps.extend(returned(here));
    steps
}

/// Sets an address aside for its borrower.
fn lend(
    here: Situation<'_>,
    loan: &LoanRecord,
    version: &Version,
    memory: &mut Memory,
) -> Option<LedgerStep> {
    let aside = here
        .local
        .lent
        .get(&loan.address)
        .is_some_and(|lent| lent.borrower == loan.borrower);
    if aside {
        return None;
    }
    let wanted = match loan.state {
        LoanState::Asked => {
            let tried = memory.tried.get(&loan.address) == Some(version);
            !tried && loan.lender == *here.me() && answer(here, loan) == Answer::Lend
        }
        // The ledger was lost, or the owner of before was.
        LoanState::Lent | LoanState::Held => answer(here, loan) == Answer::Lend,
        LoanState::Refused => false,
    };
    if !wanted {
        return None;
    }
    memory.tried.insert(loan.address, version.clone());
    let borrower = loan.borrower.clone();
    let workload = loan.workload.clone();
    Some(LedgerStep::Lend(loan.address, Lent { borrower, workload }))
}

/// What the lender says to one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Lend,
    /// The pod of that workload is still here.
    Wait,
    No(String),
}

fn answer(here: Situation<'_>, loan: &LoanRecord) -> Answer {
    if let Some(lease) = here.lease(loan.address) {
        let same = lease.workload().is_some() && lease.workload() == loan.workload;
        return if same {
            Answer::Wait
        } else {
            Answer::No(format!("{} has it", lease.owner))
        };
    }
    if here.local.node.values().any(|own| *own == loan.address) {
        return Answer::No("it is the node's own pod address".into());
    }
    if let Some(lent) = here.local.lent.get(&loan.address) {
        return if lent.borrower == loan.borrower {
            Answer::Lend
        } else {
            Answer::No(format!("node {} has it on loan", lent.borrower))
        };
    }
    let leaving = |block: &BlockUse| block.block.state == BlockState::Leaving;
    if here.own_block_of(loan.address).is_none_or(leaving) {
        return Answer::No("its block is about to be given back".into());
    }
    match here.local.kept.get(&loan.address) {
        Some(workload) if Some(workload) != loan.workload.as_ref() => {
            Answer::No(format!("it is kept for {workload}"))
        }
        _ => Answer::Lend,
    }
}

/// Takes an address that is held for us.
fn borrow(here: Situation<'_>, loan: &LoanRecord, version: &Version, memory: &Memory) -> Option<LedgerStep> {
    let key = Key::Loan(loan.address);
    let written_by_us = memory.touched.get(&key).is_some_and(|before| before != version);
    let ending = memory.ending.get(&loan.address) == Some(version);
    let there = here.local.borrowed.contains_key(&loan.address);
    let own = here.own_block_of(loan.address).is_some();
    if loan.state != LoanState::Held || there || own || ending || !written_by_us || !in_use(here, loan) {
        return None;
    }
    let pool = here.view.pool_of(&loan.address.into());
    let borrowed = Borrowed {
        lender: loan.lender.clone(),
        workload: loan.workload.clone(),
        pool: pool.map(|pool| pool.intent.name.clone()),
    };
    Some(LedgerStep::Borrow(loan.address, borrowed))
}

/// Whether somebody here needs the address: a pod that has it, or one that waits for it.
fn in_use(here: Situation<'_>, loan: &LoanRecord) -> bool {
    here.lease(loan.address).is_some() || here.local.wants.iter().any(|want| is_for(here, want, loan))
}

fn is_for(here: Situation<'_>, want: &Want, loan: &LoanRecord) -> bool {
    if want.family != Family::of(loan.address) {
        return false;
    }
    match demand::target(here, want) {
        Some(address) => address == loan.address,
        None => loan.workload.is_none() && want.pools.is_empty(),
    }
}

/// Addresses whose loan is over: ours again, and kept for the workload that they belong to.
fn taken_back(here: Situation<'_>) -> Vec<LedgerStep> {
    let mut steps = Vec::new();
    for (address, lent) in &here.local.lent {
        let lasts = match here.view.loans.get(address).map(Stored::read) {
            None => false,
            Some(None) => true,
            Some(Some(loan)) => {
                let still = match loan.state {
                    LoanState::Asked => loan.lender == *here.me(),
                    LoanState::Lent | LoanState::Held => true,
                    LoanState::Refused => false,
                };
                still && loan.borrower == lent.borrower
            }
        };
        if lasts {
            continue;
        }
        steps.push(LedgerStep::TakeBack(*address));
        if let Some(workload) = &lent.workload
            && here
                .view
                .sticky_of(workload)
                .is_some_and(|sticky| sticky.addresses.contains(address))
        {
            steps.push(LedgerStep::Keep(*address, workload.clone()));
        }
    }
    steps
}

/// Borrowed addresses that nobody here needs.
fn returned(here: Situation<'_>) -> Vec<LedgerStep> {
    let unused = here
        .local
        .borrowed
        .keys()
        .filter(|address| here.lease(**address).is_none());
    let over = unused.filter(|address| match here.view.loans.get(address).map(Stored::read) {
        None => true,
        Some(None) => false,
        Some(Some(loan)) => loan.borrower != *here.me() || !in_use(here, loan),
    });
    over.map(|address| LedgerStep::Return(*address)).collect()
}

/// The next transaction about a loan.
pub(super) fn commit(here: Situation<'_>, memory: &mut Memory, decision: &mut Decision) -> Option<Commit> {
    let mut found = None;
    for (address, stored) in &here.view.loans {
        let Some(loan) = stored.read() else { continue };
        let next = if loan.borrower == *here.me() {
            as_borrower(here, loan, &stored.version, memory, decision, found.is_none())
        } else if here.owner_of(*address) == Some(here.me()) {
            as_lender(here, loan, &stored.version, decision)
        } else {
            None
        };
        found = found.or(next);
    }
    found
}

fn as_lender(
    here: Situation<'_>,
    loan: &LoanRecord,
    version: &Version,
    decision: &mut Decision,
) -> Option<Commit> {
    let aside = here
        .local
        .lent
        .get(&loan.address)
        .is_some_and(|lent| lent.borrower == loan.borrower);
    match loan.state {
        LoanState::Asked if loan.lender != *here.me() => None,
        LoanState::Asked if aside => rewritten(here, loan, version, LoanState::Lent, None, LoanAct::Lend),
        LoanState::Asked => match answer(here, loan) {
            Answer::Wait => None,
            Answer::No(why) => rewritten(
                here,
                loan,
                version,
                LoanState::Refused,
                Some(why),
                LoanAct::Refuse,
            ),
            // The ledger was asked to set it aside, and did not.
            Answer::Lend => {
                let why = Some("it is reserved or in use".to_owned());
                rewritten(here, loan, version, LoanState::Refused, why, LoanAct::Refuse)
            }
        },
        LoanState::Lent | LoanState::Held if !aside => {
            let message = format!(
                "it is on loan to node {} and in use here as well; remove one of the two pods",
                loan.borrower
            );
            decision
                .troubles
                .push(Trouble::new(loan.address.to_string(), message));
            None
        }
        LoanState::Lent | LoanState::Held if loan.lender != *here.me() => {
            rewritten(here, loan, version, loan.state, None, LoanAct::Adopt)
        }
        LoanState::Lent | LoanState::Held | LoanState::Refused => None,
    }
}

/// The lender's writing of a loan: only while the block is still its own.
fn rewritten(
    here: Situation<'_>,
    loan: &LoanRecord,
    version: &Version,
    state: LoanState,
    why: Option<String>,
    act: LoanAct,
) -> Option<Commit> {
    let (net, block) = here.view.block_of(loan.address)?;
    let record = LoanRecord {
        lender: here.me().clone(),
        lender_incarnation: block.read()?.incarnation.clone(),
        state,
        why,
        ..loan.clone()
    };
    let key = Key::Loan(loan.address);
    let transaction = Transaction::default()
        .when(Compare::Version(key.clone(), version.clone()))
        .when(Compare::Version(Key::Block(net), block.version.clone()))
        .then(Write::Put(key, record.to_text()));
    Some((
        Purpose::Loan {
            address: loan.address,
            act,
        },
        transaction,
    ))
}

fn as_borrower(
    here: Situation<'_>,
    loan: &LoanRecord,
    version: &Version,
    memory: &mut Memory,
    decision: &mut Decision,
    may_write: bool,
) -> Option<Commit> {
    let needed = in_use(here, loan);
    if needed && loan.state == LoanState::Refused {
        let why = loan.why.as_deref().unwrap_or("no reason is given");
        let why = format!("node {} does not lend {}: {why}", loan.lender, loan.address);
        let wants = here.local.wants.iter().filter(|want| is_for(here, want, loan));
        decision.hopeless.extend(wants.map(|want| Hopeless {
            want: want.clone(),
            why: why.clone(),
        }));
    }
    if !may_write {
        return None;
    }
    let there = here.local.borrowed.contains_key(&loan.address);
    let owner_asked = here.owner_of(loan.address) == Some(&loan.lender);
    let own = here.owner_of(loan.address) == Some(here.me());
    let end = match loan.state {
        LoanState::Asked => !needed || !owner_asked,
        LoanState::Refused => !needed,
        // In a block of our own nothing is borrowed.
        LoanState::Lent | LoanState::Held => !there && (own || !needed),
    };
    if end {
        memory.ending.insert(loan.address, version.clone());
        let key = Key::Loan(loan.address);
        let transaction = Transaction::default()
            .when(Compare::Version(key.clone(), version.clone()))
            .then(Write::Delete(key));
        return Some((
            Purpose::Loan {
                address: loan.address,
                act: LoanAct::End,
            },
            transaction,
        ));
    }
    let touched = memory
        .touched
        .get(&Key::Loan(loan.address))
        .is_some_and(|before| before != version);
    let ending = memory.ending.contains_key(&loan.address);
    match loan.state {
        LoanState::Lent if needed => accept(here, loan, version, memory),
        LoanState::Held if needed && !there && !own && (!touched || ending) => {
            accept(here, loan, version, memory)
        }
        _ => None,
    }
}

/// The borrower's own writing of a loan that it takes.
fn accept(here: Situation<'_>, loan: &LoanRecord, version: &Version, memory: &mut Memory) -> Option<Commit> {
    let key = Key::Loan(loan.address);
    let record = LoanRecord {
        state: LoanState::Held,
        why: None,
        borrower_incarnation: here.incarnation()?.as_str().to_owned(),
        ..loan.clone()
    };
    memory.touched.insert(key.clone(), version.clone());
    let transaction = Transaction::default()
        .when(Compare::Version(key.clone(), version.clone()))
        .when(here.alive()?)
        .then(Write::Put(key, record.to_text()));
    Some((
        Purpose::Loan {
            address: loan.address,
            act: LoanAct::Accept,
        },
        transaction,
    ))
}

/// Asks another node for an address that a pod here waits for.
pub(super) fn ask(here: Situation<'_>, decision: &mut Decision) -> Option<Commit> {
    here.facts()?;
    let mut found = None;
    for want in &here.local.wants {
        let strict = here.view.ipam.strict_affinity;
        let (address, workload) = match demand::target(here, want) {
            Some(address) => (address, want.workload.clone()),
            None if !strict && want.pools.is_empty() => match any_address(here, want) {
                Some(address) => (address, None),
                None => continue,
            },
            None => continue,
        };
        if here.own_block_of(address).is_some() || here.local.borrowed.contains_key(&address) {
            continue;
        }
        let Some((net, block)) = here.view.block_of(address) else {
            continue;
        };
        let Some(owner) = block.read().map(|record| &record.node) else {
            continue;
        };
        if owner == here.me() {
            continue;
        }
        let follows = |record: &super::records::StickyRecord| record.addresses.contains(&address);
        let sticky = workload
            .as_deref()
            .and_then(|w| here.view.sticky_of(w))
            .is_some_and(follows);
        // Whoever writes an address into a pod's annotations wants that one, wherever the pod is.
        let named = want.address == Some(address) && workload.is_some();
        if strict && !sticky && !named {
            let why = format!(
                "{address} lies in block {net} of node {owner}, and strictAffinity lends none; ask for another one"
            );
            decision.hopeless.push(Hopeless {
                want: want.clone(),
                why,
            });
            continue;
        }
        if !here.view.loans.contains_key(&address) && found.is_none() {
            found = request(here, address, net, &block.version, owner, workload);
        }
    }
    found
}

fn request(
    here: Situation<'_>,
    address: IpAddr,
    net: IpNet,
    block: &Version,
    owner: &NodeName,
    workload: Option<String>,
) -> Option<Commit> {
    let record = LoanRecord {
        format: FORMAT,
        address,
        lender: owner.clone(),
        lender_incarnation: here.view.owner(&net)?.incarnation.clone(),
        borrower: here.me().clone(),
        borrower_incarnation: here.incarnation()?.as_str().to_owned(),
        workload,
        state: LoanState::Asked,
        why: None,
        unknown: Unknown::new(),
    };
    let key = Key::Loan(address);
    let transaction = Transaction::default()
        .when(Compare::Absent(key.clone()))
        .when(Compare::Version(Key::Block(net), block.clone()))
        .when(here.alive()?)
        .then(Write::Put(key, record.to_text()));
    Some((
        Purpose::Loan {
            address,
            act: LoanAct::Ask,
        },
        transaction,
    ))
}

/// Whether a loan may still help a pod for which no block can be had: one is on its way, or can be asked for.
pub(super) fn may_help(here: Situation<'_>, want: &Want) -> bool {
    let any = want.pools.is_empty() && want.address.is_none();
    if here.view.ipam.strict_affinity || !any {
        return false;
    }
    let on_its_way = |loan: &LoanRecord| {
        loan.borrower == *here.me() && loan.state != LoanState::Refused && is_for(here, want, loan)
    };
    here.view.loans().any(on_its_way) || any_address(here, want).is_some()
}

/// An address of some other node's block, where our own blocks are full and no more can be had. Which ones are free
/// over there is not known: the last ones of a block are given out last.
fn any_address(here: Situation<'_>, want: &Want) -> Option<IpAddr> {
    let free = here.open(want.family).any(|(block, _)| block.free > 0);
    let mine = |loan: &LoanRecord| loan.borrower == *here.me() && is_for(here, want, loan);
    let asked = here.view.loans().filter(|loan| mine(loan));
    let (open, refused): (Vec<&LoanRecord>, Vec<&LoanRecord>) =
        asked.partition(|loan| loan.state != LoanState::Refused);
    if free || !open.is_empty() || refused.len() >= 8 {
        return None;
    }
    let pools = here
        .view
        .pools
        .values()
        .filter(|pool| pool.is_automatic() && here.serves(pool));
    let of_family = pools.filter(|pool| span::family(&pool.intent.cidr) == want.family);
    let blocks: Vec<IpNet> = of_family
        .flat_map(|pool| here.view.blocks.inside(pool.intent.cidr))
        .filter(|(_, stored)| {
            stored
                .read()
                .is_some_and(|r| r.node != *here.me() && here.view.is_there(&r.node))
        })
        .map(|(net, _)| *net)
        .collect();
    let turn = hash(&[here.me().as_str(), &refused.len().to_string()]);
    let net = blocks.get(usize::try_from(turn % (blocks.len().max(1) as u64)).ok()?)?;
    let (first, last) = span::bounds(*net);
    let back = u128::from(turn >> 32) % 8;
    Some(span::address(want.family, last.saturating_sub(back).max(first)))
}
