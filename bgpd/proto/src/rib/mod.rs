//! The routing information bases, and the way of a route through them (RFC 4271 §3.2 and §9).
//!
//! ```text
//!  update ─► import policy ─► table ─► decision ─► best path, ECMP ─► mark ─► subgroups ─► next_updates
//!            a verdict byte   (`table`)  (`choice`)   Loc-RIB                  (`out`)       UPDATEs for a peer
//!            (`policy`)           ▲          ▲
//!                          sets (`attrs`)  next hops
//! ```
//!
//! There is one table, from prefix to all paths that anybody has for it (`table`), the selected ones in front: each
//! Adj-RIB-In and the Loc-RIB are views of it. Paths are stored as received and judged by a pure function, so that a
//! change of policy needs no new session, and what they say is shared (`attrs`). A change runs the decision for its
//! prefix alone; the result is the same as computing everything from nothing, which the property test in `tests`
//! holds it to. Peers to which the same policy gives the same UPDATEs are told together (`out`). What concerns many prefixes,
//! the end of a session first of all, is done in slices ([`Rib::work`]). [`Rib::explain`] runs the decision with a trace.
//!
//! RFCs: 4271 (decision, policy, UPDATE packing), 4456 (loops and tie-breaks of reflected routes), 1997 (well-known
//! communities), 2918 (route refresh), 4724 (End-of-RIB), 7606 (families that are switched off).

mod attrs;
mod changes;
#[cfg(any(test, feature = "check"))]
mod check;
mod choice;
pub mod decision;
mod explain;
mod hub;
mod intake;
mod judge;
mod limit;
mod model;
mod originate;
mod out;
mod path_ids;
mod peers;
pub mod policy;
mod query;
#[cfg(any(test, feature = "check"))]
mod reference;
mod refresh;
mod reselect;
mod retain;
mod select;
mod slot;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod view;
mod walk;
mod work;

pub use changes::LocRibChanges;
#[cfg(any(test, feature = "check"))]
pub use check::Held;
pub use decision::Step;
pub use explain::{Explained, Explanation, Outcome};
pub use hub::Rib;
pub use model::{
    Features, ImportRules, LocalSettings, NextHopState, NextHopTable, NodeOnly, Originated, PathKind,
    PeerPolicy, PeerSession,
};
pub use policy::{
    AsRules, ExportPolicy, ExportRefusal, ImportPolicy, NextHopMode, RejectReason, RemovePrivate, filter,
};
pub use view::{AdvertisedView, BestRoute, ExportView, PathView, ReceivedView, RejectedView, RouteCounts};
#[cfg(any(test, feature = "check"))]
pub use work::work;
