//! Errors as the CNI specification wants them: a code, a message, details; JSON on stdout ("Error").

use config::api::{ApiError, ClientError, ErrorKind};
use serde_json::{Value, json};

/// Error codes 1 to 99 belong to the specification, 100 and up to the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The CNI version is not one of ours.
    IncompatibleVersion = 1,
    /// The configuration has a field that we do not support.
    UnsupportedField = 2,
    /// The container is not there; nothing has to be cleaned up.
    UnknownContainer = 3,
    /// An environment variable is missing or wrong.
    InvalidEnvironment = 4,
    /// stdin, stdout or the like failed.
    Io = 5,
    /// stdin is not what it should be.
    Decode = 6,
    /// The configuration, or what it asks for, is wrong.
    InvalidConfig = 7,
    /// Nothing is wrong with the request; try again later.
    TryAgainLater = 11,
    /// The agent failed in an unexpected way.
    Internal = 100,
    /// What is asked for contradicts what is there.
    Conflict = 101,
    /// Plugin and agent do not understand each other.
    Protocol = 102,
}

/// A failed verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CniError {
    pub code: Code,
    /// What is wrong, in a few words.
    pub message: String,
    /// Where, and what to do.
    pub details: String,
}

impl CniError {
    pub fn new(code: Code, message: impl Into<String>, details: impl Into<String>) -> Self {
        CniError {
            code,
            message: message.into(),
            details: details.into(),
        }
    }

    /// A wrong or missing environment variable.
    pub fn env(message: impl Into<String>) -> Self {
        Self::new(
            Code::InvalidEnvironment,
            message,
            "the container runtime sets it; see its log",
        )
    }

    /// Input or output that failed.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Code::Io, message, "")
    }

    /// The error object; a runtime reads it from stdout.
    pub fn to_json(&self, version: &str) -> Value {
        json!({
            "cniVersion": version,
            "code": self.code as u32,
            "msg": self.message,
            "details": self.details,
        })
    }
}

impl From<ClientError> for CniError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(ApiError {
                kind,
                message,
                action,
            }) => {
                let code = match kind {
                    ErrorKind::TryLater => Code::TryAgainLater,
                    ErrorKind::Invalid => Code::InvalidConfig,
                    ErrorKind::NotFound => Code::UnknownContainer,
                    ErrorKind::Conflict => Code::Conflict,
                    ErrorKind::Internal => Code::Internal,
                };
                CniError::new(code, message, action)
            }
            absent @ ClientError::Absent { .. } => CniError::new(
                Code::TryAgainLater,
                "the Roadbed agent does not answer",
                absent.to_string(),
            ),
            broken @ ClientError::Broken { .. } => CniError::new(
                Code::TryAgainLater,
                "the Roadbed agent did not finish its answer",
                broken.to_string(),
            ),
            other @ ClientError::Malformed { .. } => CniError::new(
                Code::Protocol,
                "the Roadbed agent answered in an unknown way",
                other.to_string(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_object_of_the_specification() {
        let error = CniError::env("CNI_NETNS is not set");
        let json = error.to_json("1.0.0");
        assert_eq!(json["code"], 4);
        assert_eq!(json["cniVersion"], "1.0.0");
        assert_eq!(json["msg"], "CNI_NETNS is not set");
        assert!(json["details"].is_string());
    }

    #[test]
    fn each_kind_of_refusal_has_a_code() {
        let code = |kind| CniError::from(ClientError::from(ApiError::new(kind, "m", "a"))).code as u32;
        assert_eq!(code(ErrorKind::TryLater), 11);
        assert_eq!(code(ErrorKind::Invalid), 7);
        assert_eq!(code(ErrorKind::NotFound), 3);
        assert_eq!(code(ErrorKind::Conflict), 101);
        assert_eq!(code(ErrorKind::Internal), 100);
    }
}
