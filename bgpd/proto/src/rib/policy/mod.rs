//! Policy by default: what is believed ([`import`]) and what is told to whom ([`export`]). Pure functions of a route
//! and the two ends of a session, so that a change of rules is one more pass over the stored routes, and the answer
//! can be asked for again with its reason.

pub mod export;
pub mod import;
mod martian;
#[cfg(test)]
mod tests;

pub use export::ExportRefusal;
pub use import::RejectReason;
