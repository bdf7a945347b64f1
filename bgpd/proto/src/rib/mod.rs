//! The routing information bases, and the way of a route through them (RFC 4271 §3.2 and §9).
//!
//! ```text
//!  update ─► Adj-RIB-In ─► import policy ─► decision ─► Loc-RIB ─► (marked prefixes) ─► next_updates
//!            as received    a verdict byte     ▲        best path     export policy         UPDATEs for a peer,
//!            (`entry`)      (`policy`)         │        + ECMP        Adj-RIB-Out           packed by attributes
//!                                         next hops                   (`adj_out`)           (`transmit`)
//! ```
//!
//! There is one table, from prefix to all routes that anybody has for it (`entry`), the selected ones in front: each
//! Adj-RIB-In and the Loc-RIB are views of it. Routes are stored as received and judged by a pure function, so that a
//! change of policy needs no new session, and what they say is shared (`intern`). A change runs the decision for its
//! prefix alone; the result is the same as computing everything from nothing, which the property test in `tests`
//! holds it to. [`Rib::explain`] runs the same decision with a trace.
//!
//! RFCs: 4271 (decision, policy, UPDATE packing), 4456 (loops and tie-breaks of reflected routes), 1997 (well-known
//! communities), 2918 (route refresh), 4724 (End-of-RIB), 7606 (families that are switched off).

mod adj_out;
mod changes;
pub mod decision;
mod entry;
mod explain;
mod hub;
mod intern;
mod model;
mod peers;
pub mod policy;
mod query;
mod retain;
mod select;
#[cfg(test)]
mod tests;
mod transmit;
mod view;

pub use changes::LocRibChanges;
pub use decision::Step;
pub use explain::{Explained, Explanation, Outcome};
pub use hub::Rib;
pub use model::{
    ImportRules, LocalSettings, NextHopState, NextHopTable, NodeOnly, Originated, PathKind, PeerPolicy,
    PeerSession,
};
pub use policy::{ExportRefusal, RejectReason};
pub use view::{AdvertisedView, BestRoute, ExportView, PathView, ReceivedView, RejectedView, RouteCounts};
