//! `/healthz`, `/readyz` and `/metrics` on the metrics address.
//!
//! The metrics are few and their label sets bounded by the number of peers; the text is the Prometheus
//! exposition format 0.0.4, written by hand because a handful of gauges needs no registry.

use std::fmt::Write;

use axum::extract::State as Extract;
use axum::http::StatusCode;

use super::state::State;
use super::status;

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
    let missing = status
        .problems
        .iter()
        .fold(String::from("not ready\n"), |text, p| {
            format!("{text}{} {}: {}\n", p.severity, p.part, p.message)
        });
    (StatusCode::SERVICE_UNAVAILABLE, missing)
}

/// Gauges and counters.
pub async fn metrics(Extract(state): Extract<State>) -> String {
    let status = status::of(&state).await;
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, help: &str, value: u64| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP roadbed_{name} {help}\n# TYPE roadbed_{name} {kind}\nroadbed_{name} {value}"
        );
    };
    put("ready", "gauge", "1 when the node is ready.", status.ready.into());
    put(
        "peers",
        "gauge",
        "BGP peers configured.",
        status.peers.configured as u64,
    );
    put(
        "peers_established",
        "gauge",
        "BGP sessions established.",
        status.peers.established as u64,
    );
    put(
        "loc_rib_prefixes",
        "gauge",
        "Prefixes in the Loc-RIB.",
        status.routes.loc_rib as u64,
    );
    put(
        "fib_routes_wanted",
        "gauge",
        "Routes that the kernel should have.",
        status.routes.wanted as u64,
    );
    put(
        "fib_routes_installed",
        "gauge",
        "Routes that the kernel has.",
        status.routes.installed as u64,
    );
    put(
        "fib_routes_failed",
        "gauge",
        "Routes that the kernel refused.",
        status.routes.failed as u64,
    );
    put(
        "fib_repairs_total",
        "counter",
        "Routes put right after a change by others.",
        status.routes.repaired,
    );
    put(
        "problems",
        "gauge",
        "Things that are wrong, as `roadbed status` lists them.",
        status.problems.len() as u64,
    );
    text
}
