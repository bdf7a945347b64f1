//! What an operator asks to be released by hand, and whether it may be.

use std::net::IpAddr;
use std::time::SystemTime;

use config::fields::ResourceKind;
use datastore::{Compare, Key, Transaction, Write};
use ipnet::IpNet;

use super::check::{Fix, KernelFacts};
use super::purpose::Purpose;
use super::settings::Settings;
use super::situation::Situation;
use super::trouble::Trouble;
use super::view::ClusterView;
use crate::local::{LedgerStep, LocalView, Origin};

/// What is done, in this order, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The changes.
    pub fixes: Vec<Fix>,
    /// What happens, in a sentence.
    pub message: String,
}

/// The release of a block: an own one that nothing uses, or one of a node that is gone. Never that of a node that is
/// there: it may be giving out addresses of it right now.
///
/// # Errors
/// Why not, and what to do first.
pub fn release_block(
    view: &ClusterView,
    local: &LocalView,
    settings: &Settings,
    block: IpNet,
) -> Result<Release, Trouble> {
    let here = at(view, local, settings);
    let no = |why: String| Err(Trouble::new(block.to_string(), why));
    let taken = here.taken(&block);
    if taken.is_some_and(|taken| taken.block.origin == Origin::Given) {
        return no("the Node resource gives it; take it out of its podCIDRs".into());
    }
    let Some(stored) = view.blocks.get(&block) else {
        return no("no node owns it; `roadbed ipam show` lists the blocks".into());
    };
    let Some(record) = stored.read() else {
        return no("its record cannot be read; run the version that wrote it".into());
    };
    let seen = Compare::Version(Key::Block(block), stored.version.clone());
    let purpose = Purpose::Release { blocks: vec![block] };
    let delete = Write::Delete(Key::Block(block));
    if record.node == *here.me() {
        return match taken {
            Some(taken) if taken.used > 0 => no(format!(
                "{} of its addresses are in use; remove those pods first",
                taken.used
            )),
            Some(_) => Ok(Release {
                fixes: vec![Fix::Ledger(vec![LedgerStep::Leave(block)])],
                message: format!("{block} is withdrawn and given back in a moment"),
            }),
            None => Ok(Release {
                fixes: vec![Fix::Commit(
                    purpose,
                    Transaction::default().when(seen).then(delete),
                )],
                message: format!("{block} is given back; the ledger did not use it"),
            }),
        };
    }
    if view.is_there(&record.node) {
        let node = &record.node;
        return no(format!(
            "node {node} owns it and is there; release it on that node, or delete its Node resource"
        ));
    }
    let transaction = Transaction::default()
        .when(Compare::Absent(Key::resource(
            ResourceKind::Node,
            record.node.as_str(),
        )))
        .when(Compare::Absent(Key::Presence(record.node.to_string())))
        .when(seen)
        .then(delete);
    Ok(Release {
        fixes: vec![Fix::Commit(purpose, transaction)],
        message: format!("{block} is taken back from node {}, which is gone", record.node),
    })
}

/// The release of an address in this node's ledger. `force` also where a pod's interface still has it.
///
/// # Errors
/// Why not, and what to do first.
pub fn release_address(
    view: &ClusterView,
    local: &LocalView,
    settings: &Settings,
    kernel: Option<&KernelFacts>,
    address: IpAddr,
    force: bool,
) -> Result<Release, Trouble> {
    let here = at(view, local, settings);
    let no = |why: String| Err(Trouble::new(address.to_string(), why));
    if let Some(lease) = here.lease(address) {
        let gone = !lease.is_address_only()
            && kernel.is_some_and(|kernel| !kernel.links.contains(&lease.host_ifname));
        if !gone && !force {
            let pod = lease.workload().unwrap_or_else(|| lease.owner.to_string());
            if lease.is_address_only() {
                return no(format!(
                    "{pod} has it, behind an interface of another plugin; remove the pod, or use --force"
                ));
            }
            return no(format!(
                "{pod} has it and its interface {} is there; remove the pod, or use --force",
                lease.host_ifname
            ));
        }
        return Ok(Release {
            fixes: vec![Fix::Lease(lease.owner.clone())],
            message: format!("the lease of {} is released", lease.owner),
        });
    }
    if let Some(workload) = local.kept.get(&address) {
        let mut fixes = vec![Fix::Ledger(vec![LedgerStep::Unkeep(address)])];
        fixes.extend(forget_sticky(here, workload, address));
        let message = format!("{address} is not kept for {workload} any more");
        return Ok(Release { fixes, message });
    }
    if let Some(lent) = local.lent.get(&address) {
        return no(format!(
            "node {} has it on loan for a pod; remove that pod",
            lent.borrower
        ));
    }
    if local.borrowed.contains_key(&address) {
        return Ok(Release {
            fixes: vec![Fix::Ledger(vec![LedgerStep::Return(address)])],
            message: format!("{address} goes back to the node that lent it"),
        });
    }
    if local.node.values().any(|own| *own == address) {
        return no("it is the node's own pod address, which lasts as long as its block".into());
    }
    no("nothing in the ledger of this node has it; ask on the node that owns its block".into())
}

fn forget_sticky(here: Situation<'_>, workload: &str, address: IpAddr) -> Option<Fix> {
    let stored = here.view.sticky.get(workload)?;
    stored
        .read()
        .filter(|record| record.addresses.contains(&address))?;
    let key = Key::Sticky(workload.to_owned());
    let transaction = Transaction::default()
        .when(Compare::Version(key.clone(), stored.version.clone()))
        .then(Write::Delete(key));
    let workload = workload.to_owned();
    Some(Fix::Commit(Purpose::ForgetSticky { workload }, transaction))
}

fn at<'a>(view: &'a ClusterView, local: &'a LocalView, settings: &'a Settings) -> Situation<'a> {
    let now = SystemTime::UNIX_EPOCH;
    Situation {
        view,
        local,
        settings,
        now,
    }
}
