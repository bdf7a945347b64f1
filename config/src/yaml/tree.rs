//! The tree itself, and its limits.

use crate::problem::Place;

/// Nesting deeper than this is refused.
pub const MAX_DEPTH: usize = 32;

/// More values than this in one source, aliases written out, are refused.
pub const MAX_VALUES: usize = 1_000_000;

/// A mapping with more keys than this is refused: duplicates are looked for one by one.
pub const MAX_KEYS: usize = 1024;

/// A document with more bytes than this is refused unread.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// A text that is repeated by an alias counts as one more value for each so many bytes: a long text repeated
/// often must not fill the memory.
pub(super) const TEXT_PER_VALUE: usize = 32;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Where it begins.
    pub at: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, a number or a truth value.
    Scalar {
        /// The text, escapes resolved.
        text: String,
        /// Whether it was written without quotes, and so may be a number or a truth value.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Value>),
    /// A mapping, in the order of writing, without duplicate keys.
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Place,
    /// Its value.
    pub value: Value,
}

impl Value {
    /// The value under a key; none where this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What this is, as an operator would say it.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { text, plain: true } => plain_type(text).unwrap_or("text"),
            Kind::Scalar { .. } => "text in quotes",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Whether an unquoted scalar is a truth value or a number to YAML 1.2 (core schema) instead of text.
pub fn plain_type(text: &str) -> Option<&'static str> {
    if matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
        return Some("a truth value");
    }
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    let hex = text
        .strip_prefix("0x")
        .is_some_and(|rest| u64::from_str_radix(rest, 16).is_ok());
    let octal = text
        .strip_prefix("0o")
        .is_some_and(|rest| u64::from_str_radix(rest, 8).is_ok());
    if (digits && text.parse::<f64>().is_ok()) || hex || octal {
        Some("a number")
    } else {
        None
    }
}
