//! The socket API: HTTP/1.1 and JSON under `/v1` on a Unix socket of mode 0600, and health and readiness
//! on the metrics address. Handlers read the latest snapshot and ask the parts; they decide nothing.

mod answer;
mod bfd;
mod bgp_text;
mod cni;
mod conditions;
mod drain;
mod explain;
mod health;
mod ipam;
mod issues;
mod limits;
mod peers;
mod plan;
mod routes;
mod state;
mod status;
mod stop;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::routing::{get, post};
use tokio::net::UnixListener;

use self::limits::{Bounded, LIFETIME};
use super::pods::Caller;
use super::running::refuse_if_running;

pub use peers::all as peers_of;
pub use state::State;
pub use status::of as status_of;

/// Connections at once on the socket: runtimes start pods in parallel, and each waits for its route.
const SOCKET_CONNECTIONS: usize = 256;
/// Connections at once on the metrics address, which every user of the host can open.
const METRICS_CONNECTIONS: usize = 32;

/// Binds the socket: the directory is made, and what a dead agent left there is replaced.
pub fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    refuse_if_running(path)?;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot replace the old socket {}", path.display()));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", path.display()))?;
    Ok(listener)
}

/// Serves the socket for ever.
pub async fn serve(listener: UnixListener, state: State) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/v1/status", get(status::get))
        .route("/v1/peers", get(peers::list))
        .route("/v1/peers/{peer}", get(peers::one))
        .route("/v1/peers/{peer}/refresh", post(peers::refresh))
        .route("/v1/routes", get(routes::get))
        .route("/v1/explain", get(explain::get))
        .route("/v1/ipam", get(ipam::show))
        .route("/v1/ipam/check", post(ipam::check))
        .route("/v1/ipam/release", post(ipam::release))
        .route("/v1/plan", post(plan::post))
        .route("/v1/drain", get(drain::show).post(drain::say))
        .route("/v1/stop", post(stop::stop))
        .route("/v1/cni/add", post(cni::add))
        .route("/v1/cni/del", post(cni::del))
        .route("/v1/cni/check", post(cni::check))
        .route("/v1/cni/gc", post(cni::gc))
        .route("/v1/cni/status", get(cni::readiness))
        .route("/v1/cni/ipam/add", post(cni::ipam_add))
        .fallback(answer::no_such_path)
        .layer(axum::middleware::map_response(answer::as_json))
        .with_state(state);
    let service = router.into_make_service_with_connect_info::<Caller>();
    axum::serve(Bounded::new(listener, SOCKET_CONNECTIONS, LIFETIME), service)
        .await
        .context("the socket API ended")
}

/// Serves health and readiness for ever; without an address it waits for ever.
pub async fn serve_metrics(address: Option<SocketAddr>, state: State) -> anyhow::Result<()> {
    let Some(address) = address else {
        return std::future::pending().await;
    };
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; set `metrics` in the agent's file to a free address")
    })?;
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(state);
    axum::serve(Bounded::new(listener, METRICS_CONNECTIONS, LIFETIME), router)
        .await
        .context("the metrics server ended")
}
