//! Errors as HTTP answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use config::api::{ApiError, ErrorKind};

/// A refused request.
#[derive(Debug)]
pub struct Failure(pub ApiError);

impl Failure {
    /// A failure of the given kind, with what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>, action: impl Into<String>) -> Self {
        Failure(ApiError::new(kind, message, action))
    }

    /// The agent has no configuration yet.
    pub fn no_plan() -> Self {
        Failure::new(
            ErrorKind::TryLater,
            "the agent has no configuration for this node yet",
            "see `roadbed status` for what is wrong with the resources",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}

impl From<bgpd::Error> for Failure {
    fn from(error: bgpd::Error) -> Self {
        Failure::new(
            ErrorKind::TryLater,
            format!("the BGP speaker does not answer: {error}"),
            "try again",
        )
    }
}

/// For paths that this version does not have.
pub async fn no_such_path(uri: axum::http::Uri) -> Failure {
    Failure::new(
        ErrorKind::NotFound,
        format!("this agent (version {}) has no {uri}", env!("CARGO_PKG_VERSION")),
        "the client may be newer than the agent",
    )
}
