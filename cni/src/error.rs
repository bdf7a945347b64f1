//! Errors as the CNI specification wants them: a code, a message, details; JSON on stdout ("Error").

use serde_json::{Value, json};

/// Error codes 1 to 99 belong to the specification, 100 and up to the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The CNI version is not one of ours, or has no such verb.
    IncompatibleVersion = 1,
    /// The configuration has a field that we do not support; the message has key and value.
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
    /// STATUS: ADD does not work now.
    NotAvailable = 50,
    /// STATUS: nor may pods that run be connected as they should be.
    LimitedConnectivity = 51,
    /// The agent failed in an unexpected way.
    Internal = 100,
    /// What is asked for contradicts what is there.
    Conflict = 101,
    /// Plugin and agent do not understand each other.
    Protocol = 102,
    /// CHECK: something is not as ADD left it.
    Drift = 103,
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

    /// stdin that is not of the form that it has to be.
    pub fn decode(message: impl Into<String>, details: impl Into<String>) -> Self {
        Self::new(Code::Decode, message, details)
    }

    /// A network configuration that is of the right form and says something wrong.
    pub fn config(message: impl std::fmt::Display, details: impl Into<String>) -> Self {
        let message = format!("the network configuration is wrong: {message}");
        Self::new(Code::InvalidConfig, message, details)
    }

    /// A field that cannot be granted, with its value.
    pub fn unsupported(key: &str, value: &Value, details: impl Into<String>) -> Self {
        let message = format!("the network configuration has {key}: {value}, which is not supported");
        Self::new(Code::UnsupportedField, message, details)
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
    fn an_unsupported_field_is_named_with_its_value() {
        let error = CniError::unsupported("ipam", &json!({ "type": "host-local" }), "remove it");
        assert_eq!(error.code as u32, 2);
        assert!(
            error.message.contains(r#"ipam: {"type":"host-local"}"#),
            "{error:?}"
        );
    }
}
