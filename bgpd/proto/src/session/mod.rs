//! Sessions with peers, without IO (RFC 4271 §6 and §8).
//!
//! From the inside out: [`fsm`] is the machine of one connection, a table of states and events; `connection` gives it
//! bytes; [`Session`] owns up to two connections of one peer and decides between them (`collision`), starts again after
//! failures (`backoff`) and counts. [`open`] knows what an OPEN says, after what the [`Offer`] wants, and what two of them
//! agree on, [`messages`] the NOTIFICATIONs that are ours to choose.
//!
//! ```text
//!  bytes ─► Connection ─Message─► Session ─Event─► Fsm
//!                ▲                  │ ◄──Effect────┘
//!                └── control bytes ─┴──► Output: connect, close, up, lost, update, refresh
//! ```

mod backoff;
pub mod collision;
mod connection;
pub mod fsm;
pub(crate) mod jitter;
pub mod messages;
mod offer;
pub mod open;
mod outcome;
mod output;
mod path;
mod peering;
mod receiving;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod timers;

pub use offer::{AddPathOffer, AddPathSend, Graceful, Offer};
pub use open::Negotiated;
pub use output::{Counters, End, Output};
pub use peering::Session;
pub use receiving::Piece;
pub use settings::Settings;
pub use state::State;
