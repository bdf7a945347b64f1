//! What is wrong, gathered from every part, each with since when.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bgpd_proto::speaker::PeerStatus;
use config::api::status::Issue;
use config::problem::Severity;
use ipnet::IpNet;
use routesync::KernelView;
use store::StoreState;

use super::state::State;
use crate::agent::snapshot::Snapshot;
use crate::decide::{Decisions, PodLink};

/// A session that is down is worth a word once it had time to come up.
const SESSION_GRACE: Duration = Duration::from_secs(10);

/// Everything that is wrong.
pub fn all(state: &State, snapshot: &Snapshot, sessions: &[PeerStatus], now: Instant) -> Vec<Issue> {
    let mut issues = resources(&state.parts.store.state().borrow());
    let since = |at: Instant| now.duration_since(at).as_secs();
    if let Some((message, at)) = &snapshot.plan_error {
        issues.push(error("config", message.clone(), since(*at)));
    }
    if let Some((message, at)) = &snapshot.start_error {
        issues.push(error("bgp", message.clone(), since(*at)));
    }
    issues.extend(sessions.iter().filter_map(|s| session(s, now)));
    let sync = state.parts.fib.status().borrow().clone();
    for (key, message, at) in &sync.failed {
        issues.push(error("kernel", format!("route {key}: {message}"), ago(*at)));
    }
    if sync.drifted > 0 {
        let message = format!(
            "{} routes were changed by others and are left so: `repair` is off",
            sync.drifted
        );
        issues.push(warning("kernel", message, 0));
    }
    for e in &state.parts.tunnels.status().borrow().errors {
        issues.push(error("tunnel", e.what.clone(), ago(e.since)));
    }
    for (message, at) in &snapshot.host_problems {
        issues.push(warning("host", message.clone(), since(*at)));
    }
    if let Some(decisions) = &snapshot.decisions {
        let links = state.parts.pods.links();
        let view = state.parts.fib.view().borrow().clone();
        issues.extend(unplugged(&links, &view, decisions));
        issues.extend(strays(&links, &view));
        issues.extend(not_here(snapshot, &view));
    }
    for (message, at) in state.parts.pods.problems() {
        issues.push(warning("ipam", message, since(at)));
    }
    issues
}

/// No issue keeps the node from doing its work.
pub fn none_is_an_error(issues: &[Issue]) -> bool {
    issues
        .iter()
        .all(|i| i.severity != "error" || i.part == "bgp-session")
}

fn resources(store: &StoreState) -> Vec<Issue> {
    let age = ago(store.since);
    let kept = match store.intent {
        Some(_) => " (the last good state is kept)",
        None => "",
    };
    let issue = |p: &config::problem::Problem| match p.severity {
        Severity::Error => error("config", format!("{p}{kept}"), age),
        Severity::Warning => warning("config", p.to_string(), age),
    };
    store.problems.iter().map(issue).collect()
}

fn session(peer: &PeerStatus, now: Instant) -> Option<Issue> {
    let down_for = now.saturating_duration_since(peer.since);
    // Attempts change the state every few seconds; the time since the last change would hide a long outage.
    let quiet = peer.last_error.is_none() && down_for < SESSION_GRACE;
    if peer.state == bgpd_proto::session::State::Established || quiet {
        return None;
    }
    let why = peer.last_error.as_deref().unwrap_or("no answer");
    let kept = peer.retained_until.map_or_else(String::new, |until| {
        let seconds = until.saturating_duration_since(now).as_secs();
        format!("; its routes are kept for {seconds} s more, it may be restarting")
    });
    let message = format!("peer {} ({}) is {}: {why}{kept}", peer.id, peer.name, peer.state);
    Some(error("bgp-session", message, down_for.as_secs()))
}

/// Pods whose link is gone: their runtime believes that they are plugged in.
fn unplugged(links: &[PodLink], view: &KernelView, decisions: &Decisions) -> Vec<Issue> {
    // A pod that is being plugged in has no link yet either; it is not decided on before it has.
    let decided = |link: &&PodLink| {
        let routes = |a: &IpAddr| decisions.routes.contains_key(&IpNet::from(*a));
        link.addresses.iter().all(routes)
    };
    let gone = links
        .iter()
        .filter(decided)
        .filter(|link| view.link(&link.interface).is_none());
    gone.map(|link| {
        let addresses: Vec<String> = link.addresses.iter().map(IpAddr::to_string).collect();
        let message = format!(
            "the link {} of the pod with {} is gone: the pod has no network; delete the pod, or restart it",
            link.interface,
            addresses.join(" and ")
        );
        warning("pod", message, 0)
    })
    .collect()
}

/// Pod links that the ledger knows nothing of: it was lost, or the links are left over.
fn strays(leases: &[PodLink], view: &KernelView) -> Vec<Issue> {
    let known = |name: &str| leases.iter().any(|lease| lease.interface == name);
    let ours = view
        .links
        .values()
        .filter(|link| attach::is_ours(&link.name) && !known(&link.name));
    ours.map(|link| {
        let message = format!(
            "the ledger of addresses knows nothing of the pod link {}: its pod has no network, and its address may \
             be given again; delete the pod, or the link where there is none (was stateDir emptied or moved?)",
            link.name
        );
        error("ipam", message, 0)
    })
    .collect()
}

/// Addresses that the Node says it has and the host has not: sessions from them and tunnels on them cannot be.
fn not_here(snapshot: &Snapshot, view: &KernelView) -> Vec<Issue> {
    let node = snapshot.plan.as_ref().map(|plan| &plan.node);
    let addresses = node
        .into_iter()
        .flat_map(|n| [n.address(true), n.address(false)])
        .flatten();
    let missing = addresses.filter(|address| !view.is_local(*address));
    missing
        .map(|address| {
            let message = format!(
                "no interface of this host has the Node's BGP address {address}; give it to one, or correct \
                 spec.bgp of the Node"
            );
            error("host", message, 0)
        })
        .collect()
}

fn ago(at: SystemTime) -> u64 {
    at.elapsed().unwrap_or_default().as_secs()
}

fn error(part: &str, message: String, since_seconds: u64) -> Issue {
    Issue {
        part: part.into(),
        severity: "error".into(),
        message,
        since_seconds,
    }
}

fn warning(part: &str, message: String, since_seconds: u64) -> Issue {
    Issue {
        part: part.into(),
        severity: "warning".into(),
        message,
        since_seconds,
    }
}
