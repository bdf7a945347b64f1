//! `GET` and `POST /v1/drain`.

use axum::Json;
use axum::extract::State as Extract;
use config::api::ErrorKind;
use config::api::drain::Drain;

use super::answer::Failure;
use super::state::State;

pub async fn show(Extract(state): Extract<State>) -> Json<Drain> {
    Json(state.parts.drain.watch().borrow().clone())
}

pub async fn say(Extract(state): Extract<State>, Json(drain): Json<Drain>) -> Result<Json<Drain>, Failure> {
    let said = state.parts.drain.say(drain.clone());
    said.map_err(|error| Failure::new(ErrorKind::Invalid, format!("{error:#}"), ""))?;
    Ok(Json(drain))
}
