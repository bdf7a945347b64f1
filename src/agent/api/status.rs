//! `GET /v1/status`.

use std::time::Instant;

use axum::Json;
use axum::extract::State as Extract;
use bgpd_proto::speaker::PeerStatus;
use config::api::drain::DrainState;
use config::api::status::{
    Block, Datastore, NodePath, Offload, PeerCounts, ProbeCounts, RouteCounts, Status, Tunnel,
};

use routesync::NexthopForm;
use store::Origin;
use tunnel::probe::{ProbeKey, Proof, Verdicts};

use super::conditions::{self, Facts};
use super::state::State;
use super::{bgp_text, issues};
use crate::agent::probes::{Finding, Tested};
use crate::agent::snapshot::Snapshot;
use crate::plan::Plan;

pub async fn get(Extract(state): Extract<State>) -> Json<Status> {
    Json(of(&state).await)
}

/// The whole status.
pub async fn of(state: &State) -> Status {
    let now = Instant::now();
    let snapshot = state.snapshot();
    let plan = snapshot.plan.as_deref();
    let sessions = bgp_text::sessions(state).await;
    let established = sessions
        .iter()
        .filter(|s| s.state == bgpd_proto::session::State::Established)
        .count();
    let problems = issues::all(state, &snapshot, &sessions, now);
    let (in_step, held_back) = {
        let fib = state.parts.fib.status();
        let fib = fib.borrow();
        (fib.in_sync_with == snapshot.fib_generation, fib.held_back)
    };
    let verdicts = state.parts.probes.verdicts();
    let datastore = datastore(state, &snapshot, now);
    let kubernetes = state.parts.kubernetes.as_ref();
    let conditions = conditions::of(Facts {
        configured: snapshot.decisions.is_some(),
        fed: snapshot.fully_fed,
        in_step,
        held_back,
        sessions: (established, sessions.len()),
        datastore: datastore.away_seconds.is_none(),
        kubernetes: kubernetes.map(|k| k.problems().borrow().is_empty()),
        issues: &problems,
    });
    Status {
        node: state.node.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_seconds: now.duration_since(state.started).as_secs(),
        asn: plan.map_or(0, |p| p.speaker.asn.0),
        router_id: plan.map_or_else(String::new, |p| p.speaker.router_id.to_string()),
        ready: conditions::ready(&conditions),
        conditions,
        problems,
        datastore,
        peers: PeerCounts {
            configured: sessions.len(),
            established,
            fully_fed: snapshot.fully_fed,
            unfiltered: sessions.iter().filter_map(unfiltered).collect(),
        },
        routes: routes(state, &snapshot),
        tunnels: tunnels(state),
        nodes: nodes(&snapshot, &verdicts),
        blocks: plan.map_or_else(Vec::new, |plan| blocks(state, plan)),
        probes: plan.filter(|plan| has_auto(plan)).map(|_| probes(&verdicts)),
        offloads: offloads(state),
        drain: Some(state.parts.drain.watch().borrow().clone()).filter(|d| d.state != DrainState::InService),
        advice: snapshot.host_advice.clone(),
    }
}

/// A peer for which nobody has said what may pass. The mesh is the cluster's own.
fn unfiltered(session: &PeerStatus) -> Option<String> {
    let open = super::peers::unfiltered(session);
    let named = session.name.strip_prefix("BGPPeer/")?;
    (!open.is_empty()).then(|| format!("{} ({named}): {}", session.id, open.join(", ")))
}

fn datastore(state: &State, snapshot: &Snapshot, now: Instant) -> Datastore {
    let contact = state.parts.store.contact().borrow().clone();
    let keeper = state.parts.keeper.status().borrow().clone();
    let store = state.parts.store.state().borrow().clone();
    let applied = match (&store.intent, store.is_bad()) {
        (None, _) => "empty",
        (Some(_), true) => "stale",
        (Some(_), false) => "ok",
    };
    let origin = match store.origin {
        Origin::Live => "live",
        Origin::LastGood { .. } => "last-good",
    };
    Datastore {
        kind: contact.kind.into(),
        location: contact.location,
        state: applied.into(),
        origin: origin.into(),
        away_seconds: contact.away_since.map(issues::ago),
        problem: contact
            .problem
            .or_else(|| keeper.waiting.as_ref().map(|s| s.text.clone())),
        revision: store.revision,
        applied_seconds: snapshot.applied.map(|since| now.duration_since(since).as_secs()),
    }
}

fn routes(state: &State, snapshot: &Snapshot) -> RouteCounts {
    let sync = state.parts.fib.status().borrow().clone();
    RouteCounts {
        loc_rib: snapshot.loc_rib,
        wanted: sync.wanted,
        installed: sync.installed,
        failed: sync.failed.len(),
        repaired: sync.repaired,
        drifted: sync.drifted,
        held_back: sync.held_back,
        nexthop_form: nexthop_form(sync.nexthop_form).into(),
        nexthop_objects: sync.nexthop_objects,
        nexthops_failed: sync.failed_nexthops.len(),
    }
}

fn nexthop_form(form: NexthopForm) -> &'static str {
    match form {
        NexthopForm::Unknown => "unknown",
        NexthopForm::Objects => "objects",
        NexthopForm::PlainByChoice => "plain",
        NexthopForm::PlainByKernel => "unsupported",
    }
}

fn has_auto(plan: &Plan) -> bool {
    plan.pools.iter().any(|pool| pool.is_auto())
}

fn probes(verdicts: &Verdicts) -> ProbeCounts {
    let mut counts = ProbeCounts {
        sent: verdicts.sent,
        answered: verdicts.answered,
        ..ProbeCounts::default()
    };
    for verdict in verdicts.peers.values() {
        match verdict.proof() {
            Proof::Carries => counts.carries += 1,
            Proof::Silent(_) => counts.silent += 1,
            Proof::Unknown => counts.unknown += 1,
        }
    }
    counts
}

fn offloads(state: &State) -> Vec<Offload> {
    let offload = |(device, tested): (tunnel::Device, Tested)| Offload {
        device: device.name().into(),
        finding: match tested.finding {
            Finding::Sound => "sound",
            Finding::TurnedOff => "turned-off",
            Finding::Undecided => "undecided",
            Finding::Failed => "failed",
        }
        .into(),
        detail: tested.text,
        age_seconds: issues::ago(tested.at),
    };
    state.parts.probes.tested().into_iter().map(offload).collect()
}

fn tunnels(state: &State) -> Vec<Tunnel> {
    let status = state.parts.tunnels.status().borrow().clone();
    let tunnel = |d: &tunnel::DeviceStatus| Tunnel {
        name: d.name.clone(),
        mtu: d.mtu,
        remotes: d.remotes,
        up: d.up,
    };
    status.devices.iter().map(tunnel).collect()
}

fn nodes(snapshot: &Snapshot, verdicts: &Verdicts) -> Vec<NodePath> {
    let path = |p: &crate::decide::NodePath| NodePath {
        node: p.node.to_string(),
        address: p.endpoint.to_string(),
        pool: p.pool.clone(),
        encapsulation: bgp_text::encapsulation(p.choice.encapsulation).into(),
        reason: p.choice.reason.to_string(),
        probe: probed(snapshot, verdicts, p),
    };
    snapshot
        .decisions
        .iter()
        .flat_map(|d| d.outline.paths.iter().map(path))
        .collect()
}

/// What the probe has found, where the pool's mode asks for it.
fn probed(snapshot: &Snapshot, verdicts: &Verdicts, path: &crate::decide::NodePath) -> Option<String> {
    let mut pools = snapshot.plan.as_ref()?.pools.iter();
    let pool = pools.find(|pool| pool.name == path.pool)?;
    let key = ProbeKey::new(path.node.as_str(), path.endpoint.into());
    pool.is_auto().then(|| verdicts.of(&key).to_string())
}

fn blocks(state: &State, plan: &Plan) -> Vec<Block> {
    let used = state.parts.pods.addresses_in_use();
    let block = |b: &crate::plan::OwnBlock| {
        let host_bits = u32::from(b.cidr.max_prefix_len() - b.cidr.prefix_len());
        Block {
            cidr: b.cidr,
            pool: b.pool.clone(),
            used: used.iter().filter(|a| b.cidr.contains(*a)).count() as u64,
            size: 1u64.checked_shl(host_bits).unwrap_or(u64::MAX),
        }
    };
    plan.blocks.iter().map(block).collect()
}
