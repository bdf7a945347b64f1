//! Long-lived graceful restart (RFC 9494): what becomes of routes whose peer is away for longer than it said.
//!
//! Each family goes its own way. While its phase is graceful, routes are used as if the peer were there (module
//! `graceful`). When the restart time is over, those families that both sides listed for it go on: their routes are marked, lose
//! against any other, are told only to peers that know the mark, and are dropped where they carry NO_LLGR. The time of that phase
//! began once and is never lengthened: not by a return of the session, which only End-of-RIB completes, and not by its
//! next loss. A restart time of zero begins with this phase at once.

use super::hub::Speaker;
use super::retained::{Phase, Promise, Retained};
use crate::types::{Family, PeerId};
use std::time::Instant;

impl Promise {
    /// What is kept of a session that is lost now, as far as a restart may be expected; `before` is what was kept of the
    /// one before it.
    pub(super) fn phases(&self, before: Option<&Retained>, now: Instant) -> Retained {
        let phase = |family: Family| {
            let running = before.and_then(|before| before.families.get(&family));
            if let Some(Phase::LongLived(until)) = running {
                return Some((family, Phase::LongLived(*until)));
            }
            if self.families.contains(&family) && !self.time.is_zero() {
                return Some((family, Phase::Graceful(now + self.time)));
            }
            let time = (*self.long_lived.get(family)).filter(|time| !time.is_zero())?;
            Some((family, Phase::LongLived(now + time)))
        };
        Retained {
            families: Family::ALL.into_iter().filter_map(phase).collect(),
        }
    }
}

impl Speaker {
    /// Tells the RIB which of the families that were kept just now are long-lived from the start.
    pub(super) fn mark_long_lived(&mut self, id: PeerId) {
        let Some(retained) = self.peers.get(&id).and_then(|peer| peer.retained.as_ref()) else {
            return;
        };
        for (family, phase) in &retained.families {
            if matches!(phase, Phase::LongLived(_)) {
                self.rib.long_lived(id, *family);
            }
        }
    }

    /// The restart time of a family is over and its peer is still away: whether its routes are used on.
    pub(super) fn prolong(&mut self, id: PeerId, family: Family, over: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let time = peer.promise.long_lived.get(family).filter(|time| !time.is_zero());
        let (Some(time), Some(retained)) = (time, &mut peer.retained) else {
            return false;
        };
        retained.families.insert(family, Phase::LongLived(over + time));
        self.rib.long_lived(id, family);
        true
    }
}
