//! What is believed ([`import`]) and what is told to whom ([`export`]). By default everything that cannot be right is
//! refused and only what this node originates is told; a session's [`ImportPolicy`] and [`ExportPolicy`] change that,
//! with rules of filters (`filter`) among them. All of it is pure functions of a route and the two ends of a session,
//! so that a change of rules is one more pass over the stored routes, and the answer can be asked for again with its
//! reason.

mod as_path;
pub mod export;
pub mod filter;
pub mod import;
mod martian;
mod rules;
#[cfg(test)]
mod tests;

pub use export::ExportRefusal;
pub use import::RejectReason;
pub use rules::{AsRules, ExportPolicy, ImportPolicy, NextHopMode, RemovePrivate};
