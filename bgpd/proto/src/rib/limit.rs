//! How many prefixes a peer may have in its Adj-RIB-In: counted while they are taken in, so that no message, however long,
//! leads beyond.

use super::hub::Rib;
use super::slot::Slot;
use super::table::PrefixId;
use crate::types::{Family, PeerId, PerFamily};

impl Rib {
    /// Sets how many prefixes of each family the peer may have, accepted or not. Those that it has already stay.
    pub fn set_limits(&mut self, peer: PeerId, limits: PerFamily<Option<u32>>) {
        if let Some(state) = self.peers.slot(peer).and_then(|slot| self.peers.get_mut(slot)) {
            state.limits = limits;
            state.over_limit = None;
        }
    }

    /// The family of which the peer has sent a prefix too many since the limits were set. It was not taken in.
    pub fn over_limit(&self, peer: PeerId) -> Option<Family> {
        self.peers.get(self.peers.slot(peer)?)?.over_limit
    }

    /// Whether a path is new from the peer, and it has as many as it may have.
    pub(super) fn is_one_too_many(&mut self, slot: Slot, id: PrefixId, is_new: bool) -> bool {
        let family = id.family();
        let Some(state) = self.peers.get_mut(slot) else {
            return false;
        };
        let full = |limit: u32| state.tally.get(family).received as u64 >= u64::from(limit);
        if !is_new || !state.limits.get(family).is_some_and(full) {
            return false;
        }
        state.over_limit = Some(family);
        true
    }
}
