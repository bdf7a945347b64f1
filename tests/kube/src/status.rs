//! The `Status` bodies in which an API server says no.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::path::Target;

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), json!({}));
        Refusal {
            code,
            reason,
            message,
            details,
        }
    }

    /// About one object.
    pub fn about(mut self, target: &Target) -> Self {
        self.details = json!({
            "name": target.name.clone().unwrap_or_default(), "group": target.group, "kind": target.plural,
        });
        self
    }

    pub fn not_found(target: &Target) -> Self {
        let name = target.name.clone().unwrap_or_default();
        Refusal::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", target.resource()),
        )
        .about(target)
    }

    pub fn exists(target: &Target, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", target.resource());
        Refusal::new(409, "AlreadyExists", message).about(target)
    }

    pub fn conflict(target: &Target, why: &str) -> Self {
        let name = target.name.clone().unwrap_or_default();
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            target.resource()
        );
        Refusal::new(409, "Conflict", message).about(target)
    }

    pub fn gone(message: &str) -> Self {
        Refusal::new(410, "Expired", message)
    }

    pub fn invalid(target: &Target, message: &str) -> Self {
        Refusal::new(422, "Invalid", message).about(target)
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(400, "BadRequest", message)
    }

    /// The object, as in a body or in an `ERROR` event.
    pub fn body(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details, "code": self.code,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, Json(self.body())).into_response()
    }
}

/// What the server's router says to a path that it does not serve: not a `Status`.
pub fn no_such_path() -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, kind)],
        "404 page not found\n",
    )
        .into_response()
}
