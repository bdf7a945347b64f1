//! Bidirectional Forwarding Detection (RFC 5880) without IO: asynchronous mode, single hop (RFC 5881) and multihop
//! (RFC 5883), no authentication, no echo.
//!
//! ```text
//!  complete set of sessions ─► want ────────┐             ┌─► poll_transmit  (24 bytes for a session)
//!  datagram, source, TTL, port ─► receive ──┼─► Session ──┼─► poll_event     (Up, Down and why)
//!  now ─► handle_timeout ───────────────────┘             └─► statuses       (looking glass)
//! ```
//!
//! [`Table`] is the whole of it: the driver brings datagrams and the time, and sends what it is given. Sessions are only
//! ever those that are wanted; no packet makes one. Nothing is allocated for a packet, sent or received.
//!
//! What is BFD's and what is its client's: this crate says that a session went Down and why; what a routing protocol
//! makes of it (RFC 5882) is that protocol's matter.

mod heap;
mod packet;
mod reject;
mod rng;
mod session;
mod settings;
mod state;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod timing;

pub use packet::{ControlPacket, Diag, PACKET_LEN, State};
pub use reject::{Reject, Rejects};
pub use settings::{Hops, Key, MIN_INTERVAL, Settings};
pub use state::next;
pub use status::SessionStatus;
pub use table::{Arrival, Event, Table, Why};
