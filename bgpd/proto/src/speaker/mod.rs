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
//! RFCs: 4271 (BGP-4), 4760 (multiprotocol), 6793 (4-octet AS), 2918 and 7313 (route refresh), 8654 (extended messages),
//! 4724 (both roles; see `graceful`), 9494 (see `long_lived`), 8538 (NOTIFICATIONs that are restarts), 4486 (limits of prefixes), 7606 (error handling), 9003 (shutdown communication), 9687 (send hold timer).

mod action;
mod bfd;
mod config;
mod dynamic;
mod faults;
mod feed;
mod graceful;
mod hub;
mod limits;
mod long_lived;
mod looking_glass;
mod neighbours;
mod outputs;
mod peer;
mod preview;
mod reconfigure;
mod refresh;
mod retained;
mod status;
#[cfg(test)]
mod tests;
mod timers;

pub use crate::session::{AddPathOffer, AddPathSend, Graceful, Offer};
pub use action::{Action, Event};
pub use bfd::{BfdConfig, BfdHops, BfdWish, PathChange};
pub use config::{ListenRange, PeerConfig, SpeakerConfig, Transport};
pub use faults::Faults;
pub use hub::Speaker;
pub use limits::{MaxPrefix, MaxPrefixAction};
pub use status::{FamilyStatus, NegotiatedStatus, PeerStatus, Unfiltered};
