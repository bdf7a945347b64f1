//! The body of every answer that is not a success.

use serde::{Deserialize, Serialize};

/// What kind of failure it is; a client decides by this, a person reads the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// Nothing is wrong with the request, but the agent cannot serve it now (HTTP 503; CNI error 11).
    TryLater,
    /// The request itself is wrong (HTTP 400).
    Invalid,
    /// What the request names is not there (HTTP 404).
    NotFound,
    /// The request contradicts what is there (HTTP 409).
    Conflict,
    /// A kind that a newer agent knows, or an unexpected failure (HTTP 500).
    #[serde(other)]
    Internal,
}

impl ErrorKind {
    /// The HTTP status that carries this kind.
    pub fn http_status(self) -> u16 {
        match self {
            ErrorKind::TryLater => 503,
            ErrorKind::Invalid => 400,
            ErrorKind::NotFound => 404,
            ErrorKind::Conflict => 409,
            ErrorKind::Internal => 500,
        }
    }
}

/// A failure as the agent reports it: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}{action}", if .action.is_empty() { "" } else { "; " })]
pub struct ApiError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What is wrong, and where.
    pub message: String,
    /// What the operator can do about it; may be empty.
    #[serde(default)]
    pub action: String,
}

impl ApiError {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>, action: impl Into<String>) -> Self {
        ApiError {
            kind,
            message: message.into(),
            action: action.into(),
        }
    }
}
