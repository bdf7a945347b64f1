//! YAML text as a tree in which everything knows its line and column.
//!
//! Scalars keep their text and whether they were quoted; what type they are is decided by the field that
//! reads them, so `1.10` stays an AS number and does not become a float. [`documents`] reads all documents
//! of a source: a syntax error costs the document that has it, and reading resumes at the next `---`.
//! Depth, size and the growth through aliases are limited; no text makes it panic or run away.

mod build;
#[cfg(test)]
mod tests;
mod tree;

pub use build::documents;
pub use tree::{Entry, Kind, MAX_DEPTH, MAX_KEYS, MAX_VALUES, Value, plain_type};
