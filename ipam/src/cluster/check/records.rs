//! Records of ownership, against each other and against pools and nodes.

use config::fields::ResourceKind;
use datastore::{Compare, Key, Space, Transaction, Version, Write};
use ipnet::IpNet;

use super::finding::{Finding, Fix, Kind};
use crate::cluster::gc;
use crate::cluster::purpose::{LoanAct, Purpose};
use crate::cluster::records::{AggregateRecord, BlockRecord, LoanState};
use crate::cluster::situation::Situation;
use crate::cluster::span::Slots;
use crate::cluster::view::{Pool, Stored};
use crate::local::LedgerStep;

/// The most blocks of an aggregate that a transaction names one by one.
const NAMED: u128 = 64;

pub(super) fn blocks(here: Situation<'_>, findings: &mut Vec<Finding>) {
    for node in gc::gone_nodes(here.view) {
        let count = here.view.blocks_of(node).count();
        let message =
            format!("it is gone and has {count} blocks still; they are taken back after the grace time");
        let fix = gc::collect(here.view, node, here.settings.atomic)
            .map(|(purpose, transaction)| Fix::Commit(purpose, transaction));
        findings.push(Finding::warning(Kind::DeadNode, format!("node {node}"), message).fixed_by(fix));
    }
    for (net, stored) in here.view.blocks.iter() {
        let Some(record) = stored.read() else { continue };
        if let Some((other, whose)) = here.view.clash(*net) {
            let message = format!(
                "it belongs to node {} and overlaps {other} of {whose}; move the pods of one of them, then release its block",
                record.node
            );
            findings.push(Finding::error(Kind::TwoOwners, net, message));
        }
        place(here, *net, record, findings);
    }
}

/// Whether a block fits its pool.
fn place(here: Situation<'_>, net: IpNet, record: &BlockRecord, findings: &mut Vec<Finding>) {
    let Some(pool) = here.view.pool_of(&net) else {
        let message = format!("node {} owns it, and it lies in no pool", record.node);
        findings.push(Finding::warning(Kind::OutsidePools, net, message).fixed_by(leave(here, net)));
        return;
    };
    let size = pool.intent.block_size;
    if net.prefix_len() != size {
        let message = format!(
            "node {} owns it, and blocks of pool {} are /{size} now; it is used on and not claimed again",
            record.node, pool.intent.name
        );
        findings.push(Finding::warning(Kind::WrongSize, net, message).fixed_by(leave(here, net)));
    }
    of_its_aggregate(here, net, record, pool, findings);
}

/// An own block that nothing uses may go.
fn leave(here: Situation<'_>, net: IpNet) -> Option<Fix> {
    let unused = here.taken(&net).is_some_and(|block| block.used == 0);
    (unused && here.owns(&net)).then(|| Fix::Ledger(vec![LedgerStep::Leave(net)]))
}

fn of_its_aggregate(
    here: Situation<'_>,
    net: IpNet,
    record: &BlockRecord,
    pool: &Pool,
    findings: &mut Vec<Finding>,
) {
    let (Some(rule), Some(node)) = (pool.aggregate(), here.view.node(&record.node)) else {
        return;
    };
    let value = node.labels.get(&rule.node_label).cloned().unwrap_or_default();
    let around = here
        .view
        .aggregates
        .around(net)
        .filter_map(|(range, stored)| Some((range, stored.read()?)));
    let mut labelled = around.filter(|(_, r)| r.label.as_deref() == Some(rule.node_label.as_str()));
    if let Some((range, aggregate)) = labelled.find(|(_, r)| r.value.as_deref() != Some(value.as_str())) {
        let message = format!(
            "node {} has {}={value} and its block lies in {range}, the aggregate of {}={}; routers of that rack announce it",
            record.node,
            rule.node_label,
            rule.node_label,
            aggregate.value.as_deref().unwrap_or_default()
        );
        findings.push(Finding::warning(Kind::Aggregate, net, message).fixed_by(leave(here, net)));
    }
}

pub(super) fn aggregates(here: Situation<'_>, findings: &mut Vec<Finding>) {
    for (net, stored) in here.view.aggregates.iter() {
        let Some(record) = stored.read().filter(|record| record.label.is_some()) else {
            continue;
        };
        if here.view.blocks.overlapping(*net).is_some() {
            continue;
        }
        let message = format!(
            "it is the aggregate of {}={} and has no blocks",
            record.label.as_deref().unwrap_or_default(),
            record.value.as_deref().unwrap_or_default()
        );
        let fix = forget_aggregate(here, *net, stored);
        findings.push(Finding::warning(Kind::Aggregate, net, message).fixed_by(fix));
    }
}

/// Deletes the record of a range while it has no blocks.
fn forget_aggregate(here: Situation<'_>, net: IpNet, stored: &Stored<AggregateRecord>) -> Option<Fix> {
    let key = Key::Aggregate(net);
    let mut transaction = Transaction::default().when(Compare::Version(key.clone(), stored.version.clone()));
    let pool = here.view.pool_of(&net);
    let slots = pool
        .and_then(|pool| Slots::of(net, pool.intent.block_size))
        .filter(|slots| slots.count <= NAMED);
    match (slots, &here.view.revision) {
        (Some(slots), _) => {
            let each = (0..slots.count).filter_map(|index| slots.at(index));
            transaction
                .compare
                .extend(each.map(|block| Compare::Absent(Key::Block(block))));
        }
        (None, Some(revision)) => {
            transaction
                .compare
                .push(Compare::Unwritten(Space::Ownership, revision.clone()));
        }
        (None, None) => return None,
    }
    Some(Fix::Commit(
        Purpose::ForgetAggregate { range: net },
        transaction.then(Write::Delete(key)),
    ))
}

pub(super) fn loans(here: Situation<'_>, findings: &mut Vec<Finding>) {
    for (address, stored) in &here.view.loans {
        let Some(loan) = stored.read() else { continue };
        let out = matches!(loan.state, LoanState::Lent | LoanState::Held);
        let owner = here.owner_of(*address);
        if !here.view.is_there(&loan.borrower) {
            let message = format!("node {} borrowed it and is gone", loan.borrower);
            let fix = end_of_gone(loan.borrower.as_str(), *address, &stored.version);
            findings.push(Finding::warning(Kind::Loan, address, message).fixed_by(fix));
        } else if owner != Some(&loan.lender) {
            let now = owner.map_or("nobody".to_owned(), |node| format!("node {node}"));
            let message = format!("node {} lends it, and its block belongs to {now}", loan.lender);
            findings.push(Finding::warning(Kind::Loan, address, message));
        } else if out && owner == Some(here.me()) && !here.local.lent.contains_key(address) {
            let message = format!(
                "node {} has it on loan, and the ledger here does not know",
                loan.borrower
            );
            findings.push(Finding::error(Kind::Loan, address, message));
        } else if loan.state == LoanState::Held
            && loan.borrower == *here.me()
            && !here.local.borrowed.contains_key(address)
        {
            let message = format!(
                "it is on loan to this node, of {}, and nothing here has it",
                loan.lender
            );
            findings.push(Finding::warning(Kind::Loan, address, message));
        }
    }
}

fn end_of_gone(borrower: &str, address: std::net::IpAddr, version: &Version) -> Fix {
    let key = Key::Loan(address);
    let transaction = Transaction::default()
        .when(Compare::Absent(Key::resource(ResourceKind::Node, borrower)))
        .when(Compare::Absent(Key::Presence(borrower.to_owned())))
        .when(Compare::Version(key.clone(), version.clone()))
        .then(Write::Delete(key));
    let act = LoanAct::End;
    Fix::Commit(Purpose::Loan { address, act }, transaction)
}

pub(super) fn sticky(here: Situation<'_>, findings: &mut Vec<Finding>) {
    for (workload, stored) in &here.view.sticky {
        let Some(record) = stored.read() else { continue };
        let lost = record
            .addresses
            .iter()
            .filter(|a| here.view.pool_of(&IpNet::from(**a)).is_none());
        let lost: Vec<String> = lost.map(ToString::to_string).collect();
        if lost.is_empty() {
            continue;
        }
        let message = format!(
            "its addresses {} lie in no pool; the next pod gets others",
            lost.join(", ")
        );
        let key = Key::Sticky(workload.clone());
        let transaction = Transaction::default()
            .when(Compare::Version(key.clone(), stored.version.clone()))
            .then(Write::Delete(key));
        let purpose = Purpose::ForgetSticky {
            workload: workload.clone(),
        };
        let fix = Fix::Commit(purpose, transaction);
        findings.push(Finding::warning(Kind::Sticky, workload, message).fixed_by(fix));
    }
}

pub(super) fn unread(here: Situation<'_>, findings: &mut Vec<Finding>) {
    let troubles = here.view.troubles().into_iter();
    findings.extend(troubles.map(|t| Finding::error(Kind::Malformed, t.subject, t.message)));
}
