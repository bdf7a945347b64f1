//! What the RIB shows: plain values that own or share what they show.

use super::model::PathKind;
use super::policy::filter::{Looked, Origin};
use super::policy::{ExportRefusal, RejectReason};
use crate::types::{PeerId, ScopedAddr};
use crate::wire::PathAttributes;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// One path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathView {
    /// Who taught it; `None`: originated here.
    pub peer: Option<PeerId>,
    /// How it was learned.
    pub kind: PathKind,
    /// NEXT_HOP as received; `None`: originated here.
    pub next_hop: Option<ScopedAddr>,
    /// Path attributes, shared by all routes that have the same: after import policy, but in a view of an Adj-RIB-In.
    pub attributes: Arc<PathAttributes>,
    /// Since when it has been as it is (the same again does not count); `None`: originated here.
    pub learned: Option<Instant>,
    /// The metric that a filter gives it in the kernel.
    pub priority: Option<u32>,
}

/// A route of the Loc-RIB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestRoute {
    /// Destination.
    pub prefix: IpNet,
    /// The best path first, then its ECMP companions; never empty.
    pub paths: Vec<PathView>,
    /// NEXT_HOP of the path that is best without these, where it has another one: where packets can go at once when they
    /// are lost.
    pub backup: Option<ScopedAddr>,
}

/// A route of an Adj-RIB-In.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedView {
    /// Destination.
    pub prefix: IpNet,
    /// The path as received.
    pub path: PathView,
    /// Why the import policy refuses it, if it does.
    pub rejected: Option<RejectReason>,
    /// The rule of a filter that decided on it.
    pub rule: Option<Origin>,
    /// What import policy made of the attributes, where that is something else.
    pub changed: Option<Arc<PathAttributes>>,
    /// It is the best path or one of its ECMP companions.
    pub selected: bool,
}

/// A route of an Adj-RIB-Out: as it was last sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedView {
    /// Destination.
    pub prefix: IpNet,
    /// The path identifier that it was sent with, to a peer that is told several paths of a prefix (RFC 7911).
    pub path_id: Option<u32>,
    /// NEXT_HOP as sent.
    pub next_hop: IpAddr,
    /// Path attributes as sent.
    pub attributes: Arc<PathAttributes>,
    /// The rule of a filter that accepted it.
    pub rule: Option<Origin>,
}

/// A route that the import policy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedView {
    /// Destination.
    pub prefix: IpNet,
    /// Who sent it, and what.
    pub path: PathView,
    /// Why it is refused.
    pub reason: RejectReason,
    /// The rule of a filter that did it.
    pub rule: Option<Origin>,
}

/// How a prefix stands towards one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportView {
    /// The peer.
    pub peer: PeerId,
    /// What keeps the best path from it, and all others that it might be told of; `None`: it is (or is about to be) told of one.
    pub refused: Option<ExportRefusal>,
    /// The rules of its filters that are looked at.
    pub filters: Vec<Looked>,
}

/// Prefix counts of one family of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
    /// In Adj-RIB-In.
    pub received: usize,
    /// Of those, accepted by the import policy.
    pub accepted: usize,
    /// Of those, refused.
    pub rejected: usize,
    /// In Adj-RIB-Out.
    pub advertised: usize,
}
