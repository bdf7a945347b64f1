//! Addresses: the ledger against the blocks, the kernel and the mirror.

use std::net::IpAddr;

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Compare, Item, Key, SpaceView, Transaction, Version, Write};

use super::finding::{Finding, Fix, KernelFacts, Kind};
use crate::cluster::purpose::Purpose;
use crate::cluster::records::AddressRecord;
use crate::cluster::returning;
use crate::cluster::situation::Situation;

/// Leases in blocks of other nodes.
pub(super) fn leases(here: Situation<'_>, findings: &mut Vec<Finding>) {
    let mut troubles = Vec::new();
    returning::stranded(here, &mut troubles);
    let found = troubles.into_iter();
    findings.extend(found.map(|t| Finding::error(Kind::DoubleUse, t.subject, t.message)));
}

/// The leases against links and routes.
pub(super) fn kernel(here: Situation<'_>, kernel: &KernelFacts, findings: &mut Vec<Finding>) {
    for lease in &here.local.leases {
        let subject = || {
            lease
                .addresses
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        if lease.is_address_only() {
            // The interface is another plugin's.
            continue;
        }
        if !kernel.links.contains(&lease.host_ifname) {
            let message = format!(
                "{} has it, and its interface {} is gone",
                lease.owner, lease.host_ifname
            );
            let fix = Fix::Lease(lease.owner.clone());
            findings.push(Finding::warning(Kind::Leak, subject(), message).fixed_by(fix));
            continue;
        }
        for address in &lease.addresses {
            let message = match kernel.routes.get(address) {
                Some(link) if *link == lease.host_ifname => continue,
                Some(link) => format!(
                    "its route leads to {link}, and its pod is behind {}",
                    lease.host_ifname
                ),
                None => format!(
                    "it has no route to {}; the agent makes it when it runs",
                    lease.host_ifname
                ),
            };
            findings.push(Finding::error(Kind::Kernel, address, message));
        }
    }
    for (address, link) in &kernel.routes {
        let own = here.local.node.values().any(|own| own == address);
        if !own && here.lease(*address).is_none() {
            let message = format!("there is a route to {link}, and no lease in the ledger");
            findings.push(Finding::warning(Kind::Kernel, address, message));
        }
    }
}

/// The ledger and the blocks against what all nodes wrote down.
pub(super) fn mirror(here: Situation<'_>, mirror: &SpaceView, findings: &mut Vec<Finding>) {
    for (key, item) in &mirror.items {
        let Key::Address(address) = key else { continue };
        match AddressRecord::parse(&item.value) {
            Err(error) => findings.push(Finding::warning(Kind::Malformed, key, error.to_string())),
            Ok(record) if record.node == *here.me() => own_record(here, *address, &record, item, findings),
            Ok(record) => others_record(here, *address, &record, item, findings),
        }
    }
    for lease in &here.local.leases {
        for address in &lease.addresses {
            if !mirror.items.contains_key(&Key::Address(*address)) {
                let message = format!("{} has it, and the mirror does not know yet", lease.owner);
                findings.push(Finding::warning(Kind::Mirror, address, message));
            }
        }
    }
}

fn own_record(
    here: Situation<'_>,
    address: IpAddr,
    record: &AddressRecord,
    item: &Item,
    findings: &mut Vec<Finding>,
) {
    let lease = here.lease(address);
    if lease.is_some_and(|lease| lease.owner == record.lease.owner) || here.local.fresh {
        return;
    }
    let message = match lease {
        Some(lease) => format!(
            "the mirror says {}, the ledger {}",
            record.lease.owner, lease.owner
        ),
        None => format!(
            "the mirror says {}, the ledger has no such lease",
            record.lease.owner
        ),
    };
    // Where the ledger has another lease, the mirror is written again in the background.
    let fix = lease.is_none().then(|| delete(address, &item.version, None));
    findings.push(Finding::warning(Kind::Mirror, address, message).fixed_by(fix));
}

fn others_record(
    here: Situation<'_>,
    address: IpAddr,
    record: &AddressRecord,
    item: &Item,
    findings: &mut Vec<Finding>,
) {
    let gone = !here.view.is_there(&record.node);
    if gone {
        let message = format!("node {} had it, and is gone", record.node);
        let fix = delete(address, &item.version, Some(&record.node));
        findings.push(Finding::warning(Kind::DeadNode, address, message).fixed_by(fix));
    }
    if let Some(lease) = here.lease(address) {
        if !gone {
            let message = format!(
                "{} has it here, and {} on node {}; remove one of the two pods",
                lease.owner, record.lease.owner, record.node
            );
            findings.push(Finding::error(Kind::DoubleUse, address, message));
        }
        return;
    }
    let Some((net, owner)) = here
        .view
        .block_of(address)
        .and_then(|(net, stored)| Some((net, stored.read()?)))
    else {
        return;
    };
    let on_loan = here
        .view
        .loans_in(address.into())
        .any(|loan| loan.borrower == record.node);
    if !gone && owner.node != record.node && !on_loan {
        let message = format!(
            "{} on node {} has it, and its block {net} belongs to node {} now; remove that pod",
            record.lease.owner, record.node, owner.node
        );
        findings.push(Finding::error(Kind::DoubleUse, address, message));
    }
}

/// Deletes a record of the mirror as it was seen, and if its node is still gone where it is one that was.
fn delete(address: IpAddr, version: &Version, gone: Option<&NodeName>) -> Fix {
    let key = Key::Address(address);
    let mut transaction = Transaction::default().when(Compare::Version(key.clone(), version.clone()));
    if let Some(node) = gone {
        transaction = transaction
            .when(Compare::Absent(Key::resource(ResourceKind::Node, node.as_str())))
            .when(Compare::Absent(Key::Presence(node.to_string())));
    }
    Fix::Commit(Purpose::Forget { address }, transaction.then(Write::Delete(key)))
}
