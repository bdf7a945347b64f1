//! What a text that is no selector gives.

use thiserror::Error;

/// Why a text is no selector, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {column}: {message}")]
pub struct SelectorError {
    /// Column in the selector, in characters from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
}
