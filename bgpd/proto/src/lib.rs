//! BGP-4 without IO: wire codec, sessions, RIBs, decision, policy, speaker.
//!
//! ```text
//!  bytes ─► wire ─► session ─► speaker ─► rib (Adj-RIB-In → decision → Loc-RIB → Adj-RIB-Out) ─► wire ─► bytes
//! ```
//!
//! Nothing here reads a clock, opens a socket or starts a thread: time and bytes are arguments, wishes and news are
//! return values. So a whole fabric of speakers runs in one test, on virtual time, and every run can be repeated. The
//! crate `bgpd` next door adds the sockets. Start reading at [`speaker`].

pub mod rib;
pub mod session;
pub mod speaker;
pub mod types;
pub mod wire;
