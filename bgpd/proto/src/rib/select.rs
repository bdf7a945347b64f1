//! From stored paths to the decision as it explains itself, and to export policy: looks up what both need to know of a
//! path's session and next hop.

use super::decision::{self, Candidate, Fate, Multipath};
use super::hub::Rib;
use super::model::{LocalSettings, PathKind};
use super::peers::{Peer, Phase};
use super::policy::import::DEFAULT_LOCAL_PREF;
use super::slot::Slot;
use super::table::{Path, Table};
use crate::types::PeerId;
use crate::wire::{Community, PathAttributes};

impl Rib {
    /// Positions of the selected paths, best first, and how each fared. What each says is given beside it.
    pub(super) fn decide(
        &self,
        paths: &[(&Path, &PathAttributes)],
        fate: impl FnMut(usize, Fate),
    ) -> Vec<usize> {
        let candidates: Vec<Candidate<'_>> = paths
            .iter()
            .map(|(path, attributes)| self.candidate(path, attributes))
            .collect();
        decision::decide(&candidates, multipath(&self.local), fate)
    }

    /// What the decision compares of a path.
    pub(super) fn candidate<'r>(&self, path: &Path, attributes: &'r PathAttributes) -> Candidate<'r> {
        let kind = self.kind(path.slot);
        let peer = self.peers.get(path.slot);
        let head = self.attrs.head(path.attr);
        let reachable = peer.is_none_or(|peer| peer.phase != Phase::Gone);
        let remote = peer.map_or(self.local.router_id, |peer| peer.session.remote_router_id);
        Candidate {
            kind,
            metric: self.attrs.hops.metric(head.hop).filter(|_| reachable),
            stale: attributes.has(Community::LLGR_STALE),
            local_pref: attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
            as_path: &attributes.as_path,
            origin: attributes.origin,
            med: attributes.med.unwrap_or(0),
            router_id: attributes
                .originator_id
                .filter(|_| kind == PathKind::Internal)
                .unwrap_or(remote),
            cluster_list_length: attributes.cluster_list.len(),
            peer: peer.map(|peer| peer.id),
            next_hop: self.attrs.hops.get(head.hop).map(crate::wire::NextHop::scoped),
        }
    }

    /// How the paths of a slot were learned.
    pub(super) fn kind(&self, slot: Slot) -> PathKind {
        self.peers.get(slot).map_or(PathKind::Local, Peer::kind)
    }

    /// Whose the paths of a slot are.
    pub(super) fn peer_id(&self, slot: Slot) -> Option<PeerId> {
        self.peers.get(slot).map(|peer| peer.id)
    }
}

/// How many equals of a best path are used, and which.
pub(super) fn multipath(local: &LocalSettings) -> Multipath {
    Multipath {
        most: local.multipath.clamp(1, Table::MOST_SELECTED),
        relax: local.multipath_relax,
    }
}
