//! Errors as HTTP answers.

use axum::Json;
use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
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

/// The longest text of a refusal that is carried over.
const LONGEST_TEXT: usize = 4096;

/// A request that was refused before it reached a handler (not JSON, a field missing, too long) is refused in
/// words of the framework's: they become the message of an error like all others.
pub async fn as_json(response: Response) -> Response {
    let status = response.status();
    let json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|t| t == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let body = to_bytes(response.into_body(), LONGEST_TEXT)
        .await
        .unwrap_or_default();
    let text = match body.is_empty() {
        true => format!("the request is refused: {status}"),
        false => String::from_utf8_lossy(&body).into_owned(),
    };
    let error = ApiError::new(
        ErrorKind::Invalid,
        text,
        "are the agent and the client at most one minor version apart?",
    );
    (status, Json(error)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::{Failure, as_json};

    async fn text(response: axum::response::Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_refusal_is_an_api_error_and_nothing_else_is_touched() {
        let refused = as_json((StatusCode::BAD_REQUEST, "missing field `x`").into_response()).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let error: config::api::ApiError = serde_json::from_str(&text(refused).await).unwrap();
        assert_eq!(error.message, "missing field `x`");
        let ours = as_json(Failure::no_plan().into_response()).await;
        assert!(text(ours).await.contains("no configuration"));
        assert_eq!(text(as_json("fine".into_response()).await).await, "fine");
    }
}
