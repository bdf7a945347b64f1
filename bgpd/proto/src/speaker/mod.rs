//! The speaker: all sessions and the RIB behind one interface without IO (the shape is that of sans-IO protocol
//! crates: `handle_*` in, `poll_*` out, time as an argument).
//!
//! ```text
//!  config ─► reconfigure ─┐                                     ┌─► poll_action  (connect, close)
//!  bytes, TCP ─► handle_* ┼─► Session ──routes──► Rib ──────────┼─► poll_event   (up, down, RIB changed)
//!  now ─► handle_timeout ─┘      ▲                 │            └─► rib()        (Loc-RIB, looking glass)
//!                                └── control ──┐   └─ UPDATEs on demand ─┐
//!                                 transmit ◄───┴─────────────────────────┘
//! ```
//!
//! The driver asks [`Speaker::wants_transmit`] which connections have something to say and takes bytes with
//! [`Speaker::transmit`] when a socket is ready for them: control messages first, then UPDATEs that are built in this
//! moment from what has changed since (law: a slow peer costs memory by prefixes, not by events).
//!
//! RFCs: 4271 (BGP-4), 4760 (multiprotocol), 6793 (4-octet AS), 2918 (route refresh), 8654 (extended messages),
//! 4724 (both roles; see `graceful`), 7606 (error handling), 9003 (shutdown communication), 9687 (send hold timer).

mod action;
mod config;
mod feed;
mod graceful;
mod hub;
mod looking_glass;
mod outputs;
mod peer;
mod preview;
mod reconfigure;
mod retained;
mod status;
#[cfg(test)]
mod tests;

pub use action::{Action, Event};
pub use config::{PeerConfig, SpeakerConfig};
pub use hub::Speaker;
pub use status::{FamilyStatus, NegotiatedStatus, PeerStatus};
