//! `GET /v1/ipam`, `POST /v1/ipam/check` and `POST /v1/ipam/release`.

use axum::Json;
use axum::extract::State as Extract;
use config::api::ErrorKind;
use config::api::ipam::{IpamCheck, IpamCheckRequest, IpamRelease, IpamReleased, IpamShow};

use super::answer::Failure;
use super::state::State;
use crate::agent::upkeep;

pub async fn show(Extract(state): Extract<State>) -> Result<Json<IpamShow>, Failure> {
    upkeep::show(&state.parts, state.route_protocol)
        .await
        .map(Json)
        .map_err(later)
}

pub async fn check(
    Extract(state): Extract<State>,
    Json(request): Json<IpamCheckRequest>,
) -> Result<Json<IpamCheck>, Failure> {
    // A task of its own: a client that goes away in the middle must not leave half a repair behind.
    let work =
        tokio::spawn(async move { upkeep::check(&state.parts, state.route_protocol, request.fix).await });
    finished(work.await).map_err(later)
}

pub async fn release(
    Extract(state): Extract<State>,
    Json(request): Json<IpamRelease>,
) -> Result<Json<IpamReleased>, Failure> {
    let work =
        tokio::spawn(async move { upkeep::release(&state.parts, state.route_protocol, &request).await });
    finished(work.await).map_err(|why| Failure::new(ErrorKind::Conflict, why, ""))
}

fn finished<T>(outcome: Result<Result<T, String>, tokio::task::JoinError>) -> Result<Json<T>, String> {
    outcome
        .map_err(|e| format!("the agent failed inside: {e}"))?
        .map(Json)
}

fn later(why: String) -> Failure {
    Failure::new(ErrorKind::TryLater, why, "")
}
