//! `/v1/cni/...`: one CNI verb each.
//!
//! What changes something runs in a task of its own: a plugin that goes away in the middle must not leave half a pod
//! behind. One that has gone before its call is read is not served: its runtime has gone on.

use std::os::fd::AsFd;

use axum::Json;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State as Extract};
use axum::serve::IncomingStream;
use config::api::cni::{
    CniAdd, CniAdded, CniCheck, CniChecked, CniCollected, CniDel, CniDeleted, CniGc, CniIpamAdd,
    CniIpamAdded, CniReadiness,
};
use config::api::{ApiError, ErrorKind};
use tokio::net::UnixListener;

use super::answer::Failure;
use super::limits::Bounded;
use super::state::State;
use super::status;
use crate::agent::pods::{Around, Caller};

pub async fn add(
    Extract(state): Extract<State>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<CniAdd>,
) -> Result<Json<CniAdded>, Failure> {
    let (pods, around) = (state.parts.pods.clone(), around(&state));
    finish(tokio::spawn(
        async move { pods.add(request, around, &caller).await },
    ))
    .await
}

pub async fn del(
    Extract(state): Extract<State>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<CniDel>,
) -> Result<Json<CniDeleted>, Failure> {
    caller.refuse_if_gone("DEL").map_err(Failure)?;
    let pods = state.parts.pods.clone();
    finish(tokio::spawn(async move { pods.del(request).await })).await
}

pub async fn check(
    Extract(state): Extract<State>,
    Json(request): Json<CniCheck>,
) -> Result<Json<CniChecked>, Failure> {
    let found = state.parts.pods.check(request, around(&state)).await;
    found.map(Json).map_err(Failure)
}

pub async fn gc(
    Extract(state): Extract<State>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<CniGc>,
) -> Result<Json<CniCollected>, Failure> {
    caller.refuse_if_gone("GC").map_err(Failure)?;
    let pods = state.parts.pods.clone();
    finish(tokio::spawn(async move { pods.gc(request).await })).await
}

pub async fn ipam_add(
    Extract(state): Extract<State>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<CniIpamAdd>,
) -> Result<Json<CniIpamAdded>, Failure> {
    let pods = state.parts.pods.clone();
    finish(tokio::spawn(async move { pods.ipam_add(request, &caller).await })).await
}

/// An ADD can succeed where there is a plan, an address and someone who writes routes; pods are connected where the
/// node is ready.
pub async fn readiness(Extract(state): Extract<State>) -> Json<CniReadiness> {
    let status = status::of(&state).await;
    let mut missing = state
        .parts
        .pods
        .not_available(status.datastore.away_seconds.is_some());
    if state.snapshot().decisions.is_none() && missing.is_empty() {
        missing.push("the agent has decided nothing yet; see `roadbed status`".into());
    }
    if state.parts.fib.status().has_changed().is_err() {
        missing.push("nobody writes routes into the kernel any more; see the agent's log".into());
    }
    let available = missing.is_empty();
    let mut reasons = missing;
    if !status.ready {
        let unmet = status.conditions.iter().filter(|c| c.required && !c.met);
        reasons.extend(unmet.map(|c| format!("{}: {}", c.name, c.message)));
    }
    Json(CniReadiness {
        available,
        connected: status.ready,
        reasons,
    })
}

impl Connected<IncomingStream<'_, Bounded<UnixListener>>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Bounded<UnixListener>>) -> Self {
        Caller::at(stream.io().inner().as_fd())
    }
}

fn around(state: &State) -> Around {
    Around {
        fib: state.parts.fib.clone(),
        snapshots: state.snapshots.clone(),
        bgp: state.parts.bgp.clone(),
        route_protocol: state.route_protocol,
    }
}

async fn finish<T>(work: tokio::task::JoinHandle<Result<T, ApiError>>) -> Result<Json<T>, Failure> {
    match work.await {
        Ok(answer) => answer.map(Json).map_err(Failure),
        Err(error) => Err(Failure::new(
            ErrorKind::Internal,
            format!("the agent failed inside: {error}"),
            "this is a defect: please report it with the agent's log",
        )),
    }
}
