//! The receiving role of graceful restart (RFC 4724 §4.2): what a peer taught outlives its session while it restarts.
//!
//! A peer that announced a restart time and listed families, and whose TCP connection ends without a NOTIFICATION, is
//! taken to restart. Its routes of those families stay in use until it is back and has sent End-of-RIB,
//! or until time is up. A hold timer that expires or a NOTIFICATION is no restart: then the routes go at once (RFC 8538
//! lets them stay where both sides announce its N bit; we do not, because the hold timer is what tells us of a dead link).
//!
//! **A deviation from RFC 4724 §4.2.** When the session is back, the RFC wants the stale routes of every family removed at once
//! whose F bit is not set in the new OPEN. The bit says whether forwarding was kept "during the previous BGP restart"
//! (§3), and a speaker that has not restarted has nothing to say by it: BIRD sets R and F only in the OPEN after a restart
//! of its own, so that each loss of a mere TCP connection (a reset by a firewall, a changed address of the other end)
//! would cost all routes until they are announced again, while the switch forwards all the time. Therefore:
//!
//! | in the OPEN of the new session | stale routes of the family |
//! |---|---|
//! | no capability, or the family is not listed | go at once |
//! | R set, F clear: restarted, and forwarding was lost | go at once |
//! | R set, F set: restarted, and forwarding was kept | stay until End-of-RIB or [`STALE_TIME`] |
//! | R clear, F clear or set: not restarted | stay until End-of-RIB or [`STALE_TIME`] |
//!
//! The risk is a peer that has restarted and does not say so (BIRD started without `-R`): its routes are used on from the
//! return of its session to its End-of-RIB, which such a peer sends at once because it waits for nobody, after they
//! were used for the whole time of its absence anyway. BIRD, FRR and GoBGP themselves go by the F bit alone when it is
//! they who receive; our own OPEN always sets it, so that they keep our routes.

use super::action::Event;
use super::hub::Speaker;
use super::retained::{Promise, Retained};
use crate::session::Negotiated;
use crate::types::{Family, PeerId};
use std::time::{Duration, Instant};

/// The longest wait for End-of-RIB of a peer that is back (RFC 4724 §4.2 wants an upper bound).
const STALE_TIME: Duration = Duration::from_secs(360);

impl Speaker {
    /// A session that was Established has ended.
    pub(super) fn lost(&mut self, id: PeerId, reason: String, silent: bool, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.feed = None;
        peer.disabled.clear();
        peer.reported = Some(reason.clone());
        let promise = &peer.promise;
        if silent && !promise.time.is_zero() && !promise.families.is_empty() {
            let families = promise.families.clone();
            let until = now + promise.time;
            peer.retained = Some(Retained {
                families: families.iter().copied().collect(),
                until,
            });
            self.rib.peer_retained(id, &families);
        } else {
            peer.retained = None;
            self.rib.peer_down(id);
        }
        self.events.push_back(Event::Down { peer: id, reason });
    }

    /// A session is up. Of what was retained only those families stay whose forwarding the peer cannot have lost.
    pub(super) fn resumed(&mut self, id: PeerId, negotiated: &Negotiated, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.promise = Promise {
            time: negotiated.restart_time,
            families: negotiated.restarting_families.clone(),
        };
        let Some(retained) = &mut peer.retained else {
            return;
        };
        retained.until = now + STALE_TIME;
        let gone: Vec<Family> = retained
            .families
            .iter()
            .copied()
            .filter(|f| !negotiated.kept_families.contains(f))
            .collect();
        for family in gone {
            self.refreshed(id, family);
        }
    }

    /// The peer has said all that it has of a family: what is still stale is no more.
    pub(super) fn refreshed(&mut self, id: PeerId, family: Family) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(retained) = &mut peer.retained else {
            return;
        };
        if retained.families.remove(&family) {
            self.rib.sweep_stale(id, family);
        }
        if retained.families.is_empty() {
            peer.retained = None;
        }
    }

    /// Drops what has been kept long enough.
    pub(super) fn expire_retained(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(retained) = peer.retained.take_if(|retained| retained.until <= now) else {
            return;
        };
        if peer.session.established().is_none() {
            self.rib.peer_down(id);
        } else {
            retained
                .families
                .iter()
                .for_each(|family| self.rib.sweep_stale(id, *family));
        }
    }

    /// The peer is no longer what it was: nothing is kept for its return.
    pub(super) fn forget_retained(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let away = peer.session.established().is_none();
        if peer.retained.take().is_some() && away {
            self.rib.peer_down(id);
        }
    }
}
