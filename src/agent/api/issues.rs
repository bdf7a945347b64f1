//! What is wrong, gathered from every part, each with since when.

use std::time::{Duration, Instant, SystemTime};

use bgpd_proto::speaker::PeerStatus;
use config::api::status::Issue;
use config::problem::Severity;
use ipam::keeper::KeeperStatus;
use routesync::{RouteKey, SyncStatus};
use store::{Contact, Origin, StoreState};
use tunnel::probe::{ProbeKey, ProbeVerdict};

use super::bfd;
use super::state::State;
use crate::agent::probes::{Finding, Probes};
use crate::agent::snapshot::Snapshot;

/// A session that is down is worth a word once it had time to come up.
const SESSION_GRACE: Duration = Duration::from_secs(10);

/// Two nodes find out about a way one after the other, and wait a while before they trust one that has healed.
const BOTH_KNOW: Duration = Duration::from_secs(10);

/// Seconds after which what a CNI call in progress looks like is a finding.
const SETTLED: u64 = 2;

/// Of one kind so many are listed; a table that does not fit would fill the screen, and each answer.
const LISTED: usize = 20;

/// How `routesync` begins the reason of a route that it holds back.
const HELD_BACK: &str = "held back";

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
    issues.extend(paths(state, snapshot, sessions, now));
    let sync = state.parts.fib.status().borrow().clone();
    issues.extend(routes(&sync));
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
    issues.extend(probes(&state.parts.probes));
    for (message, at) in &snapshot.host_problems {
        issues.push(warning("host", message.clone(), since(*at)));
    }
    if let Some((message, at)) = state.parts.guard.problem() {
        issues.push(warning("host", message, since(at)));
    }
    for (finding, at) in &snapshot.findings {
        // While a pod is plugged in or out, its link and its lease are a moment apart.
        if finding.severe || since(*at) >= SETTLED {
            let issue = if finding.severe { error } else { warning };
            issues.push(issue(finding.part, finding.message.clone(), since(*at)));
        }
    }
    for (trouble, at) in state.parts.pods.problems() {
        let issue = if trouble.severe { error } else { warning };
        issues.push(issue("ipam", trouble.message, since(at)));
    }
    issues.extend(datastore(
        &state.parts.store.contact().borrow(),
        &state.parts.store.state().borrow(),
    ));
    issues.extend(ownership(&state.parts.keeper.status().borrow()));
    issues.extend(state.parts.kubernetes.iter().flat_map(kubernetes));
    issues
}

/// Paths that BFD does not watch although it should.
fn paths(state: &State, snapshot: &Snapshot, sessions: &[PeerStatus], now: Instant) -> Vec<Issue> {
    let asked = |peer: &PeerStatus| {
        let plan = snapshot.plan.as_ref();
        let config = plan.and_then(|plan| plan.speaker.peers.get(&peer.id));
        config
            .and_then(|config| config.bfd)
            .is_some_and(|bfd| !bfd.follow)
    };
    let peers: Vec<(PeerStatus, bool)> = sessions.iter().map(|s| (s.clone(), asked(s))).collect();
    let issues = bfd::issues(&bfd::status(state), &peers, now);
    (issues.into_iter())
        .map(|(message, since)| warning("bfd", message, since))
        .collect()
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

/// What the kernel refuses, and what is kept out of it.
fn routes(sync: &SyncStatus) -> Vec<Issue> {
    let refused = |failed: &&(RouteKey, String, SystemTime)| !failed.1.starts_with(HELD_BACK);
    let mut issues: Vec<Issue> = (sync.failed.iter().filter(refused).take(LISTED))
        .map(|(key, message, at)| error("kernel", format!("route {key}: {message}"), ago(*at)))
        .collect();
    let refused = sync.failed.len().saturating_sub(sync.held_back);
    if refused > LISTED {
        let message = format!("{} more routes are not in the kernel", refused - LISTED);
        issues.push(error("kernel", message, 0));
    }
    if sync.held_back > 0 {
        let since = sync
            .failed
            .iter()
            .filter(|failed| failed.1.starts_with(HELD_BACK));
        let since = since.map(|(.., at)| ago(*at)).max().unwrap_or_default();
        let message = format!(
            "{} learned routes are held back: as many as maxRoutes allows are in the kernel; raise maxRoutes in the \
             agent's file, or filter what is imported",
            sync.held_back
        );
        issues.push(warning("kernel", message, since));
    }
    let nexthops = sync.failed_nexthops.iter().take(LISTED);
    issues.extend(
        nexthops
            .map(|(key, message, at)| warning("kernel", format!("next hops of {key}: {message}"), ago(*at))),
    );
    issues
}

/// What stands in the way of probes, and of the cure of an offload that corrupts.
fn probes(probes: &Probes) -> Vec<Issue> {
    let verdicts = probes.verdicts();
    let mut issues: Vec<Issue> = (verdicts.problems.iter())
        .map(|text| warning("tunnel", text.clone(), 0))
        .collect();
    issues.extend(verdicts.peers.iter().filter_map(one_way).take(LISTED));
    let failed = probes
        .tested()
        .into_values()
        .filter(|t| t.finding == Finding::Failed);
    issues.extend(failed.map(|tested| warning("tunnel", tested.text, ago(tested.at))));
    issues
}

/// A way that only one of two nodes takes: where that stays so, the fabric treats their packets differently.
fn one_way((key, verdict): (&ProbeKey, &ProbeVerdict)) -> Option<Issue> {
    let (ours, theirs) = verdict.asymmetry()?;
    let since = verdict.seen().since;
    let message = format!(
        "{key}: packets go there {ours} and come back {theirs}, as that node says: the fabric carries pod addresses one way \
         only; look for source checks on the way that takes the tunnel",
    );
    (since >= BOTH_KNOW).then(|| warning("tunnel", message, since.as_secs()))
}

/// A store that is away costs nothing that is there: the node works on, so this is a warning.
fn datastore(contact: &Contact, state: &StoreState) -> Option<Issue> {
    let since = contact.away_since?;
    let why = contact.problem.as_deref().unwrap_or("it does not answer");
    let works_on = match (state.origin, &state.intent) {
        (Origin::LastGood { saved }, _) => {
            format!(
                "the node works from the last good intent, saved {} s ago",
                ago(saved)
            )
        }
        (Origin::Live, Some(_)) => "the node works on with what it knows".to_owned(),
        (Origin::Live, None) => "this node has no resources yet".to_owned(),
    };
    Some(warning("datastore", format!("{why}; {works_on}"), ago(since)))
}

/// What stands between the node and Kubernetes.
fn kubernetes(handle: &kubernetes::Handle) -> Vec<Issue> {
    let problems = handle.problems().borrow().clone();
    problems
        .into_iter()
        .map(|(text, since)| warning("kubernetes", text, ago(since)))
        .collect()
}

/// What stands in the way of claims and of the mirror.
fn ownership(status: &KeeperStatus) -> Vec<Issue> {
    let mirror = &status.mirror;
    let waits = status
        .waiting
        .iter()
        .chain(&mirror.problem)
        .map(|s| ("datastore", s));
    let troubles = status.troubles.iter().chain(&mirror.doubles).map(|s| ("ipam", s));
    waits
        .chain(troubles)
        .map(|(part, s)| warning(part, s.text.clone(), ago(s.since)))
        .collect()
}

fn session(peer: &PeerStatus, now: Instant) -> Option<Issue> {
    let down_for = now.saturating_duration_since(peer.since);
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

pub fn ago(at: SystemTime) -> u64 {
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
