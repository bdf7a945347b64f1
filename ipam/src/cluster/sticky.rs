//! Addresses that follow a workload: where they are is written down, so that the next node knows whom to ask.

use std::collections::BTreeMap;

use datastore::{Compare, Key, Transaction, Write};

use super::memory::Memory;
use super::purpose::Purpose;
use super::records::StickyRecord;
use super::situation::Situation;
use crate::lease::Lease;
use crate::local::LedgerStep;

/// Addresses that are kept for workloads which have others by now.
pub(super) fn ledger(here: Situation<'_>) -> Vec<LedgerStep> {
    let moved = here.local.kept.iter().filter(|(address, workload)| {
        let sticky = here.view.sticky_of(workload);
        sticky.is_some_and(|sticky| !sticky.addresses.contains(address))
    });
    moved.map(|(address, _)| LedgerStep::Unkeep(*address)).collect()
}

/// Writes down where a workload has its addresses now.
pub(super) fn commit(here: Situation<'_>, memory: &mut Memory) -> Option<(Purpose, Transaction)> {
    let mut found = None;
    for (workload, lease) in newest(here) {
        let stored = here.view.sticky.get(workload);
        if stored.is_some_and(|stored| stored.read().is_none()) {
            continue;
        }
        let known = stored.and_then(|stored| stored.read());
        let there = known.is_some_and(|k| k.node == *here.me() && k.addresses == lease.addresses);
        // Once the record is another one than that which this lease wrote over, its turn is over.
        let over = stored.map(|stored| stored.version.clone());
        let had_its_turn = memory
            .placed
            .get(workload)
            .is_some_and(|(owner, was)| *owner == lease.owner && *was != over);
        if !there && !had_its_turn && found.is_none() {
            let record = StickyRecord::new(workload, lease.addresses.clone(), here.me().clone());
            memory
                .placed
                .insert(workload.to_owned(), (lease.owner.clone(), over));
            found = Some(written(here, record));
        }
    }
    let here_still = |workload: &String| {
        here.local
            .leases
            .iter()
            .any(|l| l.sticky.as_ref() == Some(workload))
    };
    memory.placed.retain(|workload, _| here_still(workload));
    found.or_else(|| unwritten(here))
}

/// The lease of each workload; of two pods of one workload the younger one counts.
fn newest<'a>(here: Situation<'a>) -> BTreeMap<&'a str, &'a Lease> {
    let mut newest: BTreeMap<&str, &Lease> = BTreeMap::new();
    for lease in &here.local.leases {
        let Some(workload) = lease.sticky.as_deref() else {
            continue;
        };
        let other = newest.entry(workload).or_insert(lease);
        if (lease.created_at, &lease.owner) > (other.created_at, &other.owner) {
            *other = lease;
        }
    }
    newest
}

/// A workload whose pod went before its address was written down.
fn unwritten(here: Situation<'_>) -> Option<(Purpose, Transaction)> {
    let mut kept = here
        .local
        .kept
        .iter()
        .filter(|(_, workload)| !here.view.sticky.contains_key(*workload));
    let (_, workload) = kept.next()?;
    let all = here.local.kept.iter().filter(|(_, other)| *other == workload);
    let addresses = all.map(|(address, _)| *address).collect();
    Some(written(
        here,
        StickyRecord::new(workload.as_str(), addresses, here.me().clone()),
    ))
}

fn written(here: Situation<'_>, mut record: StickyRecord) -> (Purpose, Transaction) {
    let workload = record.workload.clone();
    let key = Key::Sticky(workload.clone());
    let transaction = Transaction::default();
    let transaction = match here.view.sticky.get(&workload) {
        None => transaction.when(Compare::Absent(key.clone())),
        Some(stored) => {
            if let Some(known) = stored.read() {
                record.unknown = known.unknown.clone();
            }
            transaction.when(Compare::Version(key.clone(), stored.version.clone()))
        }
    };
    (
        Purpose::Sticky { workload },
        transaction.then(Write::Put(key, record.to_text())),
    )
}
