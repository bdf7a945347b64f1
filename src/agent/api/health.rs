//! `/healthz`, `/readyz` and `/metrics` on the metrics address.
//!
//! The metrics are few and their label sets bounded by the number of peers; the text is the Prometheus
//! exposition format 0.0.4, written by hand because a handful of gauges needs no registry.

use std::fmt::Write;

use axum::extract::State as Extract;
use axum::http::StatusCode;

use super::state::State;
use super::status;

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// The process runs and its tasks answer.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Ready, or each condition that is not met, a line each.
pub async fn ready(Extract(state): Extract<State>) -> (StatusCode, String) {
    let status = status::of(&state).await;
    if status.ready {
        return (StatusCode::OK, "ready\n".into());
    }
    let mut text = String::from("not ready\n");
    for c in &status.conditions {
        let mark = match (c.met, c.required) {
            (true, _) => "[+]",
            (false, true) => "[-]",
            (false, false) => "[ ]",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark}{} {} {}", c.name, c.reason, c.message);
    }
    for p in &status.problems {
        let _ = writeln!(text, "{} {}: {}", p.severity, p.part, p.message);
    }
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Gauges and counters.
pub async fn metrics(Extract(state): Extract<State>) -> String {
    let status = status::of(&state).await;
    let (peers, routes) = (&status.peers, &status.routes);
    let (datastore, keeper) = (&status.datastore, state.parts.keeper.status().borrow().clone());
    let used = |blocks: &[config::api::status::Block]| blocks.iter().map(|b| b.used).sum();
    let probes = status.probes.clone().unwrap_or_default();
    let rows: [(&str, &str, &str, u64); 26] = [
        ("ready", GAUGE, "1 when the node is ready.", status.ready.into()),
        ("peers", GAUGE, "BGP peers configured.", peers.configured as u64),
        (
            "peers_established",
            GAUGE,
            "BGP sessions established.",
            peers.established as u64,
        ),
        (
            "loc_rib_prefixes",
            GAUGE,
            "Prefixes in the Loc-RIB.",
            routes.loc_rib as u64,
        ),
        (
            "fib_routes_wanted",
            GAUGE,
            "Routes that the kernel should have.",
            routes.wanted as u64,
        ),
        (
            "fib_routes_installed",
            GAUGE,
            "Routes that the kernel has.",
            routes.installed as u64,
        ),
        (
            "fib_routes_failed",
            GAUGE,
            "Routes that the kernel refused.",
            routes.failed as u64,
        ),
        (
            "fib_repairs_total",
            COUNTER,
            "Routes put right after a change by others.",
            routes.repaired,
        ),
        (
            "fib_routes_drifted",
            GAUGE,
            "Routes changed by others and left so, because `repair` is off.",
            routes.drifted as u64,
        ),
        (
            "fib_routes_held_back",
            GAUGE,
            "Learned routes kept out of the kernel by maxRoutes.",
            routes.held_back as u64,
        ),
        (
            "fib_nexthop_objects",
            GAUGE,
            "Nexthop objects in the kernel.",
            routes.nexthop_objects as u64,
        ),
        (
            "paths_proven",
            GAUGE,
            "Nodes, by family, to which probes prove the direct path.",
            probes.carries as u64,
        ),
        (
            "paths_silent",
            GAUGE,
            "Nodes, by family, to which probes of the direct path are lost.",
            probes.silent as u64,
        ),
        (
            "paths_unknown",
            GAUGE,
            "Nodes, by family, of whose direct path nothing is known yet.",
            probes.unknown as u64,
        ),
        (
            "probes_sent_total",
            COUNTER,
            "Probes of direct paths sent.",
            probes.sent,
        ),
        (
            "probes_answered_total",
            COUNTER,
            "Those of them that arrived without a tunnel; the others are lost, or on their way.",
            probes.answered,
        ),
        (
            "problems",
            GAUGE,
            "Things that are wrong, as `roadbed status` lists them.",
            status.problems.len() as u64,
        ),
        (
            "datastore_up",
            GAUGE,
            "1 while the datastore is in reach.",
            datastore.away_seconds.is_none().into(),
        ),
        (
            "datastore_away_seconds",
            GAUGE,
            "For how long the datastore has been away; 0 while it is in reach.",
            datastore.away_seconds.unwrap_or(0),
        ),
        (
            "datastore_intent_live",
            GAUGE,
            "1 when the resources in force came from the datastore in this run, 0 when from the node's disk.",
            (datastore.origin == "live").into(),
        ),
        (
            "ipam_blocks",
            GAUGE,
            "Pod blocks that this node announces.",
            status.blocks.len() as u64,
        ),
        (
            "ipam_addresses_used",
            GAUGE,
            "Addresses in use in them, the node's own included.",
            used(&status.blocks),
        ),
        (
            "ipam_commits_total",
            COUNTER,
            "Transactions about blocks, loans and sticky addresses that were carried out.",
            keeper.commits,
        ),
        (
            "ipam_conflicts_total",
            COUNTER,
            "Such transactions that were refused because something had moved.",
            keeper.conflicts,
        ),
        (
            "ipam_mirror_behind",
            GAUGE,
            "Records of addresses that the datastore does not have yet.",
            keeper.mirror.behind as u64,
        ),
        (
            "pod_packets_refused_total",
            COUNTER,
            "Packets of pods with forged sources, router advertisements or redirects that were dropped.",
            state.parts.guard.dropped(),
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP roadbed_{name} {help}\n# TYPE roadbed_{name} {kind}\nroadbed_{name} {value}"
        );
    }
    text
}
