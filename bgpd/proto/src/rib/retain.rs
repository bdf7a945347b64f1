//! Routes that outlive their session: the receiving role of graceful restart (RFC 4724 §4.2).
//!
//! A peer that restarts keeps forwarding, so what it taught stays in use, marked as stale. What it says again in its next
//! session is fresh; what is still stale at its End-of-RIB goes. How long all this may take is for the speaker to decide.

use super::hub::Rib;
use super::model::PeerSession;
use crate::types::{Family, PeerId};

impl Rib {
    /// The session has ended, and the peer keeps forwarding in the families `keep`: their routes stay in use and count as
    /// stale; all else that it taught and was told is forgotten.
    pub fn peer_retained(&mut self, peer: PeerId, keep: &[Family]) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let lost: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|family| !keep.contains(family))
            .collect();
        self.clear(slot, &lost);
        for prefix in self.prefixes_where(|entry| entry.of(slot).is_some()) {
            if let Some(entry) = self.table.get_mut(&prefix) {
                entry.set_stale(slot, true);
            }
        }
        if let Some(state) = self.peers.get_mut(slot) {
            state.retain();
        }
    }

    /// Removes what is still stale of one family of a peer: it has said all that it has.
    pub fn sweep_stale(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let mut prefixes = self.prefixes_where(|entry| entry.of(slot).is_some_and(|(route, _)| route.stale));
        prefixes.retain(|prefix| Family::of(prefix) == family);
        for prefix in prefixes {
            self.withdraw(slot, prefix);
        }
        self.interner.sweep();
    }

    /// Lets a new session take up the routes that were retained; false where there are none.
    pub(super) fn resume(&mut self, peer: PeerId, session: &PeerSession) -> bool {
        let Some(slot) = self.peers.slot(peer) else {
            return false;
        };
        if !self.peers.get(slot).is_some_and(|state| state.retained) {
            return false;
        }
        let lost: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|f| !session.families.contains(f))
            .collect();
        self.clear(slot, &lost);
        if let Some(state) = self.peers.get_mut(slot) {
            state.resume(session.clone());
        }
        // The import policy looks at the session too.
        self.judge_all(|route| route.slot == slot, false);
        self.mark_all_for(slot);
        true
    }
}
