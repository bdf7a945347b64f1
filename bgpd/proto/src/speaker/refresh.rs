//! Route refresh (RFC 2918) with begin and end marks (RFC 7313): asked for, answered, and swept after.
//!
//! Our answer to a request is the RIB's work: the marks stand around the routes that it sends again. The peer's marks are
//! carried out here. At its begin mark all of its routes of the family are outdated until they are said again; at its
//! end mark, or in time, those that were not go. That is apart from the stale routes of graceful restart, which only
//! End-of-RIB ends: a begin mark before the End-of-RIB that a peer has promised is ignored (§4).

use super::feed::Feed;
use super::hub::Speaker;
use crate::types::{Family, PeerId};
use crate::wire::RefreshKind;
use std::time::{Duration, Instant};

/// The longest wait for the end mark.
const REFRESH_TIME: Duration = Duration::from_secs(360);

impl Speaker {
    /// Asks a peer for all its routes again (RFC 2918); false where it cannot.
    pub fn request_refresh(&mut self, id: PeerId, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let families = peer.config.families.clone();
        let mut asked = false;
        for family in families {
            asked |= peer.session.request_refresh(family, now);
        }
        self.schedule(id);
        asked
    }

    /// A ROUTE-REFRESH came.
    pub(super) fn refresh(&mut self, id: PeerId, family: Family, kind: RefreshKind, now: Instant) {
        match kind {
            RefreshKind::Request => self.rib.refresh(id, family),
            RefreshKind::Begin => self.begin_refresh(id, family, now),
            RefreshKind::End => self.end_refresh(id, family, now),
            RefreshKind::Unknown(code) => {
                self.note_fault(
                    id,
                    format!("ROUTE-REFRESH of unknown subtype {code}: ignored"),
                    now,
                );
            }
        }
    }

    fn begin_refresh(&mut self, id: PeerId, family: Family, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let promised = peer
            .session
            .agreed()
            .is_some_and(|agreed| agreed.graceful_restart);
        let ended = (peer.feed.as_ref()).is_some_and(|feed: &Feed| feed.markers().contains(&family));
        if promised && !ended {
            let what = format!("begin of a refresh of {family} before its End-of-RIB: ignored");
            return self.note_fault(id, what, now);
        }
        peer.refreshing.insert(family, now + REFRESH_TIME);
        self.rib.begin_refresh(id, family);
    }

    fn end_refresh(&mut self, id: PeerId, family: Family, now: Instant) {
        let begun = (self.peers.get_mut(&id)).is_some_and(|peer| peer.refreshing.remove(&family).is_some());
        if begun {
            self.rib.end_refresh(id, family);
        } else {
            let what = format!("end of a refresh of {family} that has not begun: ignored");
            self.note_fault(id, what, now);
        }
    }

    /// A peer that never ends what it has begun is not waited for any longer.
    pub(super) fn expire_refresh(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let due = |at: &Instant| *at <= now;
        let over: Vec<Family> = (peer.refreshing.iter())
            .filter(|(_, at)| due(at))
            .map(|(family, _)| *family)
            .collect();
        for family in over {
            peer.refreshing.remove(&family);
            self.rib.end_refresh(id, family);
        }
    }
}
