//! The node agent: which parts there are, and what flows between them.
//!
//! ```text
//! store ──Intent──► plan ──┬─ SpeakerConfig, originated ──► bgpd ──Loc-RIB, tracked next hops──┐
//!                          │                                  ▲                               │
//!                          │                                  └──── next hop reachability ────┤
//!                          └────────────► decide (pure) ◄──── KernelView ◄── routesync        │
//! Kubernetes ── Services, wishes of pods ──►  │  ▲                                             │
//! CNI ADD ► pods (ledger, veth) ──────────►  │  │                                             │
//!              ▲ blocks                      │  └──────────────────────────────────────────────┘
//!            keeper ⇄ store (claims, mirror) │
//!                       desired FIB ► routesync; desired tunnels ► tunnel; sysctls, NAT ► hostnet
//!                       native ways ► probes ─ verdicts ─► decide
//! ```
//!
//! One task, [`reconcile`], takes whatever changed, decides everything anew and hands complete desired state on.
//! The socket API reads its latest [`snapshot::Snapshot`] and asks the parts for the rest.

mod api;
mod drain;
mod flows;
mod guard;
mod host;
mod ownership;
mod parts;
mod passwords;
mod pods;
mod probes;
mod reconcile;
mod report;
mod running;
mod services;
mod snapshot;
mod upkeep;

use std::os::fd::AsFd;

use anyhow::Context;
use config::agent_file::AgentConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use api::State;
use parts::Parts;

pub use running::{refuse_if_running, stop};

/// Runs the agent until SIGTERM or SIGINT. The data plane stays as it is when it returns.
pub async fn run(config: AgentConfig) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    match hostnet::open_sysctls() {
        Ok(true) => tracing::info!("/proc/sys was read-only in this container and is writable now"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "/proc/sys is read-only in this container and stays so"),
    }
    let socket = api::bind(&config.socket)?;
    // Until the very end somebody holds the socket: whoever finds nobody there owns the node's kernel state.
    let held = socket
        .as_fd()
        .try_clone_to_owned()
        .context("cannot hold the socket")?;
    let parts = Parts::start(&config).await?;
    let pods = parts.pods.clone();
    let leaving = parts.leaving.clone();
    let mut asked = leaving.subscribe();
    let (mut reconciler, snapshots) = reconcile::Reconciler::new(parts.clone(), &config);
    let api = State::new(&config, parts, snapshots);
    tracing::info!(node = %config.node_name, socket = %config.socket.display(), "roadbed agent started");

    // Each is a task of its own, so that one that wakes does not have all the others look whether they have to do something.
    let mut tasks = JoinSet::new();
    let (stop, stopped) = oneshot::channel::<()>();
    tasks.spawn(async move {
        let outcome = tokio::select! {
            outcome = reconciler.run() => outcome,
            _ = stopped => Ok(()),
        };
        reconciler.leave().await;
        outcome
    });
    let mut others = JoinSet::new();
    others.spawn(async move {
        pods.attend_queue().await;
        Ok(())
    });
    others.spawn(api::serve(socket, api.clone()));
    others.spawn(api::serve_metrics(config.metrics, api.clone()));
    others.spawn(async move {
        report::run(api).await;
        Ok(())
    });
    let outcome = tokio::select! {
        Some(ended) = tasks.join_next() => ended.context("the reconciler failed").flatten(),
        Some(ended) = others.join_next() => ended.context("a task of the agent failed").flatten(),
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        _ = asked.changed() => Ok(()),
    };
    // Nobody is answered any more; then the sessions are closed.
    others.shutdown().await;
    drop(stop);
    let outcome = match tasks.join_next().await {
        Some(left) => outcome.and(left.context("the reconciler failed").flatten()),
        None => outcome,
    };
    // A socket file without a listener makes a client wait for nothing.
    let _ = std::fs::remove_file(&config.socket);
    drop(held);
    tracing::info!("roadbed agent ends; routes and devices stay in place");
    outcome
}
