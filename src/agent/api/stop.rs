//! `POST /v1/stop`.

use axum::Json;
use axum::extract::State as Extract;
use config::api::ErrorKind;
use config::api::stop::Stop;

use super::answer::Failure;
use super::state::State;
use crate::agent::drain;

pub async fn stop(Extract(state): Extract<State>, Json(stop): Json<Stop>) -> Result<Json<Stop>, Failure> {
    drain::short_enough(stop.message.as_deref())
        .map_err(|error| Failure::new(ErrorKind::Invalid, format!("{error:#}"), ""))?;
    state.parts.leaving.send_replace(Some(stop.clone()));
    Ok(Json(stop))
}
