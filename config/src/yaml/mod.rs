//! YAML text as a tree in which everything knows its line and column.
//!
//! Scalars keep their text and whether they were quoted; what type they are is decided by the field that
//! reads them, so `1.10` stays an AS number and does not become a float. A source is cut into its
//! documents first, [`documents`] reads them all: a syntax error costs the document that has it.
//! Depth, size and the growth through aliases are limited; no text makes it panic or run away.

mod build;
mod json;
mod pieces;
#[cfg(test)]
mod tests;
mod tree;

pub use build::{Documents, documents};
pub use json::to_json;
pub use pieces::Piece;
pub use tree::{Entry, Kind, MAX_DEPTH, MAX_DOCUMENT, MAX_KEYS, MAX_VALUES, Value, plain_type};
