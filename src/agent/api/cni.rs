//! `POST /v1/cni/add` and `/v1/cni/del`.

use axum::Json;
use axum::extract::State as Extract;
use config::api::cni::{CniAdd, CniAdded, CniDel, CniDeleted};

use super::answer::Failure;
use super::state::State;

pub async fn add(
    Extract(state): Extract<State>,
    Json(request): Json<CniAdd>,
) -> Result<Json<CniAdded>, Failure> {
    let pods = state.parts.pods.clone();
    let (fib, snapshots) = (state.parts.fib.clone(), state.snapshots.clone());
    // A task of its own: a plugin that goes away in the middle must not leave half a pod behind.
    let work = tokio::spawn(async move { pods.add(request, fib, snapshots).await });
    finish(work.await).map(Json)
}

pub async fn del(
    Extract(state): Extract<State>,
    Json(request): Json<CniDel>,
) -> Result<Json<CniDeleted>, Failure> {
    let pods = state.parts.pods.clone();
    let work = tokio::spawn(async move { pods.del(request).await });
    finish(work.await).map(Json)
}

fn finish<T>(
    outcome: Result<Result<T, config::api::ApiError>, tokio::task::JoinError>,
) -> Result<T, Failure> {
    match outcome {
        Ok(answer) => answer.map_err(Failure),
        Err(error) => Err(Failure::new(
            config::api::ErrorKind::Internal,
            format!("the agent failed inside: {error}"),
            "this is a defect: please report it with the agent's log",
        )),
    }
}
