//! What does not fit together on this host: the Node's addresses, the ledger's pods and the links that are there.
//! Nothing is decided from it; operators are told.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Inputs, PodLink, Tunnels};

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The part that it belongs to, as in `status`.
    pub part: &'static str,
    /// The node cannot do its work; otherwise it is one pod's trouble.
    pub severe: bool,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Everything that does not fit.
pub fn of(inputs: Inputs<'_>) -> Vec<Finding> {
    let mut findings = not_here(inputs);
    let links: HashSet<&str> = inputs.view.links.values().map(|link| &*link.name).collect();
    findings.extend(inputs.pods.iter().filter_map(|pod| unplugged(&links, pod)));
    findings.extend(strays(inputs));
    findings
}

/// Tunnels that no packet fits into.
pub fn of_sizes(tunnels: &Tunnels) -> impl Iterator<Item = Finding> {
    let finding = |(device, error): &(tunnel::Device, tunnel::MtuError)| Finding {
        part: "tunnel",
        severe: true,
        message: format!("{device}: {error}"),
    };
    tunnels.problems.iter().map(finding)
}

/// Addresses that the Node says it has and the host has not: sessions from them and tunnels on them cannot be.
fn not_here(inputs: Inputs<'_>) -> Vec<Finding> {
    let node = &inputs.plan.node;
    let addresses = [node.address(true), node.address(false)].into_iter().flatten();
    let finding = |address: IpAddr| Finding {
        part: "host",
        severe: true,
        message: format!(
            "no interface of this host has the Node's BGP address {address}; give it to one, or correct spec.bgp of \
             the Node"
        ),
    };
    addresses
        .filter(|address| !inputs.view.is_local(*address))
        .map(finding)
        .collect()
}

/// A pod whose link is gone: its runtime believes that it is plugged in.
fn unplugged(links: &HashSet<&str>, pod: &PodLink) -> Option<Finding> {
    if links.contains(&*pod.interface) {
        return None;
    }
    let addresses: Vec<String> = pod.addresses.iter().map(IpAddr::to_string).collect();
    Some(Finding {
        part: "pod",
        severe: false,
        message: format!(
            "the link {} of the pod with {} is gone: the pod has no network; delete the pod, or restart it",
            pod.interface,
            addresses.join(" and ")
        ),
    })
}

/// Pod links that the ledger knows nothing of: it was lost, or the links are left over.
fn strays(inputs: Inputs<'_>) -> Vec<Finding> {
    let known: HashSet<&str> = inputs.pods.iter().map(|pod| &*pod.interface).collect();
    let links = inputs.view.links.values();
    let strays = links.filter(|link| attach::is_ours(&link.name) && !known.contains(&*link.name));
    let finding = |name: &str| Finding {
        part: "ipam",
        severe: false,
        message: format!(
            "the ledger of addresses knows nothing of the pod link {name}: its pod has no network, and its address may \
             be given again; delete the pod, or the link where there is none (was stateDir emptied or moved?)"
        ),
    };
    strays.map(|link| finding(&link.name)).collect()
}
