//! What this node says of itself in Kubernetes: readiness by the named conditions, the status of BGP, events of peers.
//!
//! A task of its own looks at the status whenever something was decided, and every few seconds for what changes
//! without a decision. [`Sessions`] remembers since when a session is as it is; the part that speaks to Kubernetes
//! compares with what is there and writes only differences.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use config::api::peers::Peer;
use config::api::status::{Condition, Status};
use kubernetes::report::{Note, Report, Routing};
use serde_json::{Value, json};

use super::api::{self, State};

/// How often the status is looked at, decisions or not.
const EVERY: Duration = Duration::from_secs(2);
const ESTABLISHED: &str = "Established";

/// So many sessions are in the status by themselves. In a mesh of a thousand nodes all of them would be 200 kB from each
/// node, each time that one of them goes.
const LISTED: usize = 128;

/// Reports for as long as the agent runs; for ever nothing where the node belongs to no Kubernetes.
pub async fn run(state: State) {
    let Some(handle) = state.parts.kubernetes.clone() else {
        return std::future::pending().await;
    };
    let mut snapshots = state.snapshots.clone();
    let mut sessions = Sessions::default();
    loop {
        snapshots.mark_unchanged();
        let (status, peers) = (api::status_of(&state).await, api::peers_of(&state).await);
        for note in sessions.take(&peers, SystemTime::now()) {
            handle.note(note);
        }
        handle.report(Report {
            routing: routing(&status),
            bgp: Some(bgp(&status, &peers, &sessions)),
        });
        tokio::time::sleep(EVERY / 4).await;
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return std::future::pending().await },
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Nothing is said before the first decision: a node whose agent restarts works on as it did.
fn routing(status: &Status) -> Option<Routing> {
    let Some(missing) = status.conditions.iter().find(|c| c.required && !c.met) else {
        return Some(Routing {
            ready: true,
            reason: "RoadbedReady".into(),
            message: "routes to pods are in the kernel".into(),
        });
    };
    // These pass by themselves, at a start and after each decision.
    let passing = ["WaitingForPeers", "Installing"].contains(&missing.reason.as_str());
    (!passing).then(|| Routing {
        ready: false,
        reason: match missing.reason.as_str() {
            "Error" => missing.name.clone() + "Failed",
            reason => reason.to_owned(),
        },
        message: missing.message.clone(),
    })
}

/// `status` of this node's BGPNodeStatus. Nothing in it changes by itself.
fn bgp(status: &Status, peers: &[Peer], sessions: &Sessions) -> Value {
    let condition = |c: &Condition| {
        json!({
            "type": c.name,
            "status": if c.met { "True" } else { "False" },
            "reason": c.reason,
            "message": c.message,
        })
    };
    json!({
        "agentVersion": status.version,
        "asn": status.asn,
        "routerID": status.router_id,
        "ready": status.ready,
        "sessions": format!("{}/{}", status.peers.established, status.peers.configured),
        "conditions": status.conditions.iter().map(condition).collect::<Vec<_>>(),
        "peers": listed(peers).map(|p| peer(p, sessions)).collect::<Vec<_>>(),
        "routes": {
            "locRIB": status.routes.loc_rib,
            "wanted": status.routes.wanted,
            "installed": status.routes.installed,
            "failed": status.routes.failed,
        },
        "blocks": status.blocks.iter().map(|b| b.cidr.to_string()).collect::<Vec<_>>(),
    })
}

/// The sessions that are in the status: where not all of them fit, those that are down before the others.
fn listed(peers: &[Peer]) -> impl Iterator<Item = &Peer> {
    let mut listed: Vec<&Peer> = peers.iter().collect();
    if listed.len() > LISTED {
        listed.sort_by_key(|p| p.state == ESTABLISHED);
        listed.truncate(LISTED);
    }
    listed.into_iter()
}

fn peer(p: &Peer, sessions: &Sessions) -> Value {
    let sum = |count: fn(&config::api::peers::PeerFamily) -> u64| p.families.iter().map(count).sum::<u64>();
    let since = sessions.0.get(&p.address).and_then(|s| timestamp(s.since));
    json!({
        "name": p.name,
        "address": p.address,
        "asn": p.remote_as,
        "type": p.kind,
        "state": p.state,
        "since": since,
        "reason": p.last_error.clone().filter(|_| p.state != ESTABLISHED),
        "received": sum(|f| f.received),
        "advertised": sum(|f| f.advertised),
    })
}

/// RFC 3339, whole seconds.
fn timestamp(time: SystemTime) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    let whole = jiff::Timestamp::from_second(time.as_second()).ok()?;
    Some(whole.to_string())
}

/// One session as it was seen last.
struct Session {
    state: String,
    flaps: u64,
    since: SystemTime,
}

/// The sessions as they were seen last, by the peers' addresses.
#[derive(Default)]
struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Takes up the sessions as they are now; what happened to them since the last look.
    fn take(&mut self, peers: &[Peer], now: SystemTime) -> Vec<Note> {
        let mut old = std::mem::take(&mut self.0);
        let mut notes = Vec::new();
        for peer in peers {
            let name = peer.address.clone();
            let was = old.remove(&name);
            notes.extend(happened(was.as_ref(), peer));
            let session = match was {
                Some(was) if was.state == peer.state && was.flaps == peer.flaps => was,
                _ => Session {
                    state: peer.state.clone(),
                    flaps: peer.flaps,
                    since: now
                        .checked_sub(Duration::from_secs(peer.since_seconds))
                        .unwrap_or(now),
                },
            };
            self.0.insert(name, session);
        }
        notes
    }
}

/// A session that came up, went down, or did both between two looks. One that never was up is in the status, and no
/// event.
fn happened(was: Option<&Session>, peer: &Peer) -> Vec<Note> {
    let was_up = was.is_some_and(|s| s.state == ESTABLISHED);
    let is_up = peer.state == ESTABLISHED;
    let flapped = was.is_some_and(|s| s.flaps < peer.flaps);
    let note = |warning: bool, reason: &str, message: String| Note {
        warning,
        reason: reason.into(),
        about: peer.address.clone(),
        message,
    };
    let mut notes = Vec::new();
    if flapped || (was_up && !is_up) {
        let why = peer.last_error.as_deref().unwrap_or("no reason is known");
        notes.push(note(
            true,
            "BGPPeerDown",
            format!(
                "BGP session with {} ({}) went down: {why}",
                peer.address, peer.name
            ),
        ));
    }
    if is_up && (!was_up || flapped) {
        notes.push(note(
            false,
            "BGPPeerUp",
            format!("BGP session with {} ({}) is established", peer.address, peer.name),
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
