//! What the decision compares of one path.

use crate::rib::model::PathKind;
use crate::types::{PeerId, RouterId, ScopedAddr};
use crate::wire::{AsPath, Origin};

/// One path in the race.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Where it comes from.
    pub kind: PathKind,
    /// Distance of the next hop; `None` where it cannot be reached. Zero for what is originated here.
    pub metric: Option<u32>,
    /// Used on although its speaker is long gone (RFC 9494).
    pub stale: bool,
    /// Degree of preference.
    pub local_pref: u32,
    /// The ASes that it passed.
    pub as_path: &'a AsPath,
    /// ORIGIN.
    pub origin: Origin,
    /// MULTI_EXIT_DISC; zero where there is none.
    pub med: u32,
    /// Identifier of the peer, or of the originator where the path was reflected.
    pub router_id: RouterId,
    /// How many reflectors it passed.
    pub cluster_list_length: usize,
    /// Who taught it; `None` for what is originated here. No two candidates have the same.
    pub peer: Option<PeerId>,
    /// Where packets go; `None` for what is originated here.
    pub next_hop: Option<ScopedAddr>,
}
