//! `natOutgoing`: which packets of pods leave with an address of the node, and with which one.
//!
//! ```text
//! pools with natOutgoing ─┐
//! all pools, all nodes ───┼─► Wanted ─► hostnet: one chain and four sets of table inet roadbed
//! where our address sits ─┘
//! ```
//!
//! A pool that gives no new addresses (`disabled`) and one that is not announced keep what they say of `natOutgoing`, as with Calico:
//! pods that have their addresses still leave the same way.

use std::net::IpAddr;

use hostnet::{nat, ruleset};
use ipnet::IpNet;
use routesync::{KernelView, Link, RouteKind};

use super::uplinks::Uplinks;
use crate::plan::Plan;

/// What `hostnet` is to see to in table `inet roadbed`. Without a pool that has `natOutgoing`, the guard of pods' interfaces alone.
pub fn wanted(plan: &Plan, view: &KernelView, uplinks: &Uplinks) -> ruleset::Wanted {
    let with = plan.pools.iter().filter(|pool| pool.nat_outgoing);
    let mut pools: Vec<IpNet> = with.map(|pool| pool.cidr).collect();
    if pools.is_empty() {
        return ruleset::Wanted::default();
    }
    pools.sort_unstable();
    let source = |v4| source(plan, view, uplinks, v4);
    ruleset::Wanted {
        nat: nat::Wanted {
            pools,
            exceptions: exceptions(plan),
            source_v4: match source(true) {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            },
            source_v6: match source(false) {
                Some(IpAddr::V6(address)) => Some(address),
                _ => None,
            },
        },
    }
}

/// All pools and all nodes, this one too: these see pods' own addresses.
fn exceptions(plan: &Plan) -> Vec<IpNet> {
    let own = [true, false].map(|v4| plan.node.address(v4));
    let others = (plan.remotes.iter()).flat_map(|node| [true, false].map(|v4| node.address(v4)));
    let nodes = own.into_iter().chain(others).flatten().map(IpNet::from);
    let mut all: Vec<IpNet> = plan.pools.iter().map(|pool| pool.cidr).chain(nodes).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The node's BGP address, where it sits on no uplink but on loopback or the like, as in fabrics that route to the host: the
/// address of an uplink, which masquerading would take, is perhaps nowhere known there. None: whatever the uplink has.
fn source(plan: &Plan, view: &KernelView, uplinks: &Uplinks, v4: bool) -> Option<IpAddr> {
    let address = plan.node.address(v4)?;
    let held = view.addresses.iter().filter(|held| held.net.addr() == address);
    let mut holding = held.filter_map(|held| view.links.get(&held.index)).peekable();
    // What the kernel does not hold gets no answers.
    holding.peek()?;
    (!holding.any(|link| may_lead_out(view, uplinks, link))).then_some(address)
}

/// Whether packets leave by this link, or may do so: what is down now shows no routes.
fn may_lead_out(view: &KernelView, uplinks: &Uplinks, link: &Link) -> bool {
    if &*link.name == "lo" {
        return false;
    }
    let leads = |route: &routesync::ForeignRoute| {
        let to = route.destination;
        // An address on a device that leads nowhere brings these with it.
        let by_itself = to.prefix_len() == to.max_prefix_len() || is_link_local(to.addr());
        let by_it = route.hops.iter().any(|hop| hop.index == link.index);
        route.kind == RouteKind::Unicast && by_it && !by_itself
    };
    !link.up
        || uplinks.to_nodes.contains(&link.name)
        || uplinks.to_peers.contains(&link.name)
        || view.foreign.iter().any(leads)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_multicast(),
    }
}

/// What becomes of the source of a pod's packets to this destination, and the checks that decided.
pub fn explain(plan: &Plan, wanted: &ruleset::Wanted, target: &IpNet) -> (String, Vec<String>) {
    let nat = &wanted.nat;
    let of_family = |net: &IpNet| net.addr().is_ipv4() == target.addr().is_ipv4();
    let with = plan
        .pools
        .iter()
        .filter(|pool| pool.nat_outgoing && of_family(&pool.cidr));
    let names: Vec<String> = with
        .map(|pool| format!("{} ({})", pool.name, pool.cidr))
        .collect();
    let kept = "pods keep their own addresses".to_owned();
    if names.is_empty() {
        return (kept, vec!["no pool of its family has natOutgoing".into()]);
    }
    let mut checks = vec![format!("natOutgoing: {}", names.join(", "))];
    if let Some(pool) = plan.pool_of(target) {
        checks.push(format!("{target} is in pool {}", pool.name));
        return (kept, checks);
    }
    if nat.exceptions.iter().any(|plain| plain.contains(target)) {
        checks.push(format!("{} is the address of a node", target.addr()));
        return (kept, checks);
    }
    checks.push("in no pool, and no node's address".into());
    let fixed = match target {
        IpNet::V4(_) => nat.source_v4.map(IpAddr::V4),
        IpNet::V6(_) => nat.source_v6.map(IpAddr::V6),
    };
    let source = match fixed {
        Some(address) => {
            checks.push(format!(
                "{address} is on no uplink: it is used whatever way packets leave"
            ));
            address.to_string()
        }
        None => "the address of the interface by which they leave".to_owned(),
    };
    (
        format!("pods of pools with natOutgoing appear as {source}"),
        checks,
    )
}

/// The sources that translated flows may have had before and must not keep: a fixed address that is another one now, or no node's
/// any more. One that only moved to an uplink goes on working.
pub fn stale_sources(old: &ruleset::Wanted, new: &ruleset::Wanted) -> impl Iterator<Item = IpAddr> {
    let v4 = [old, new].map(|wanted| wanted.nat.source_v4.map(IpAddr::V4));
    let v6 = [old, new].map(|wanted| wanted.nat.source_v6.map(IpAddr::V6));
    let still = |address: &IpAddr| new.nat.exceptions.contains(&IpNet::from(*address));
    let stale = move |[was, is]: [Option<IpAddr>; 2]| {
        was.filter(|was| is != Some(*was) && (is.is_some() || !still(was)))
    };
    let stale: Vec<IpAddr> = [v4, v6].into_iter().filter_map(stale).collect();
    stale.into_iter()
}

#[cfg(test)]
mod tests;
