//! `Auto`: whether the fabric carries pod addresses to each peer node, proven by probes.
//!
//! A request goes from this node's own pod address to the peer's over the native path: it is marked, and a rule sends
//! what is marked to a table of its own, so that it never takes a tunnel. The peer says to the node's address whether
//! it came, and by which kind of link; so the answer depends on nothing but the underlay, and each side's verdict is about what it sends
//! itself. Requests are small, and now and then as large as pods' packets get, with DF.
//!
//! ```text
//! DesiredProbes ──watch──► task ── kernel: rule and table ── socket: requests, answers
//!                           │  ▲        Peers: who may ask and answer
//!                           ▼  │
//!                        Schedule (whose turn it is) ── Machine for each peer ──► Verdicts ──watch──► choose
//! ```
//!
//! Pure: `wire`, `machine`, `schedule`, `peers`, `verdict`. IO: `kernel`, `socket`, `task`. The manual is `docs/auto.md`.

mod handle;
mod kernel;
mod machine;
mod model;
mod peers;
mod schedule;
pub(crate) mod socket;
mod task;
mod tuning;
mod verdict;
pub(crate) mod wire;

pub use handle::{Handle, Settings, Verdicts};
pub use model::{
    DEFAULT_PORT, DesiredProbes, LocalEnd, MARK, NativeHop, ProbeKey, ProbePeer, ROUTE_PROTOCOL,
    RULE_PRIORITY, RULE_PROTOCOL, TABLE,
};
pub use task::{cleanup, start};
pub use tuning::Tuning;
pub use verdict::{ProbeVerdict, Proof, Seen, Silence, Taken, Way};
