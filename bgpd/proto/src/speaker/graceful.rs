//! The receiving role of graceful restart (RFC 4724 §4.2): what a peer taught outlives its session while it restarts.
//!
//! A peer that announced a restart time and listed families, and whose TCP connection ends without a NOTIFICATION, is
//! taken to restart. Its routes of those families stay in use until it is back and has sent End-of-RIB,
//! or until time is up: what the peer asked for, at most the `restart_limit` of its configuration.
//!
//! A hold timer that expires or a NOTIFICATION is no restart, and the routes go at once, because the hold timer is what
//! tells us of a dead link. Where both sides set the N bit (RFC 8538), something faster does, and both are restarts too.
//! Then only a Hard Reset ends it all: a shutdown, a peer that is removed, too many prefixes. So does a peer that is another
//! one after a change of configuration.
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
use super::peer::Peer;
use super::retained::{Phase, Promise};
use crate::session::{End, Negotiated};
use crate::types::{Family, PeerId, PerFamily};
use std::time::{Duration, Instant};

/// The longest wait for End-of-RIB of a peer that is back (RFC 4724 §4.2 wants an upper bound).
const STALE_TIME: Duration = Duration::from_secs(360);

/// The time of long-lived restart in a family, as the peer's OPEN says it.
fn seconds(agreed: Option<(u32, bool)>) -> Option<Duration> {
    agreed.map(|(time, _)| Duration::from_secs(u64::from(time)))
}

impl Speaker {
    /// A session that was Established has ended.
    pub(super) fn lost(&mut self, id: PeerId, reason: String, end: End, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.feed = None;
        peer.rests_until = None;
        peer.disabled.clear();
        peer.refreshing.clear();
        peer.reported = Some(reason.clone());
        let promise = &peer.promise;
        let restarts = match end {
            End::Transport => true,
            End::Notification => promise.notification,
            End::HardReset => false,
        };
        let kept = promise.phases(peer.retained.as_ref(), now);
        if restarts && !kept.families.is_empty() {
            let families: Vec<Family> = kept.families.keys().copied().collect();
            peer.retained = Some(kept);
            self.rib.peer_retained(id, &families);
            self.mark_long_lived(id);
        } else {
            peer.retained = None;
            self.rib.peer_down(id);
        }
        self.events.push_back(Event::Down { peer: id, reason });
    }

    /// A session is up. While we are restarting ourselves and pass routes on, End-of-RIB has to wait until those who teach us
    /// have ended theirs: the peer would sweep what we have not learned again yet (RFC 4724 §4.1).
    pub(super) fn hold_end_of_rib(&mut self, id: PeerId) {
        if !self.fully_fed && self.config.passes_on() {
            self.rib.hold_end_of_rib(id, true);
            self.holding = true;
        }
    }

    /// Lets End-of-RIB go as soon as all have said what they have, but those that are restarting as we are: they may wait
    /// for us.
    pub(super) fn release_end_of_rib(&mut self, now: Instant) {
        let told = |peer: &Peer| peer.is_fed() || (peer.restarting && peer.feed.is_some());
        let over = self.fully_fed || now >= self.deferral;
        if self.holding && (over || self.peers.values().all(told)) {
            self.holding = false;
            for id in self.peers.keys() {
                self.rib.hold_end_of_rib(*id, false);
            }
        }
    }

    /// A session is up. Of what was retained only those families stay whose forwarding the peer cannot have lost.
    pub(super) fn resumed(&mut self, id: PeerId, negotiated: &Negotiated, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.promise = Promise {
            time: negotiated.restart_time.min(peer.config.restart_limit),
            notification: negotiated.notification_restart,
            families: negotiated.restarting_families.clone(),
            long_lived: PerFamily {
                ipv4: seconds(negotiated.long_lived.ipv4),
                ipv6: seconds(negotiated.long_lived.ipv6),
            },
        };
        let Some(retained) = &mut peer.retained else {
            return;
        };
        let mut gone = Vec::new();
        for (family, phase) in &mut retained.families {
            let kept = match phase {
                Phase::Graceful(until) => {
                    *until = now + STALE_TIME;
                    negotiated.kept_families.contains(family)
                }
                // RFC 9494 §4.2: listed again, with its forwarding kept; the time runs on.
                Phase::LongLived(_) => negotiated.long_lived.get(*family).is_some_and(|(_, kept)| kept),
            };
            if !kept {
                gone.push(*family);
            }
        }
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
        if retained.families.remove(&family).is_some() {
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
        let away = peer.session.established().is_none();
        let Some(retained) = &peer.retained else {
            return;
        };
        let due: Vec<(Family, Phase)> = (retained.families.iter())
            .filter(|(_, phase)| phase.until() <= now)
            .map(|(family, phase)| (*family, *phase))
            .collect();
        for (family, phase) in due {
            let prolonged = match phase {
                Phase::Graceful(until) => away && self.prolong(id, family, until),
                Phase::LongLived(_) => false,
            };
            if !prolonged {
                self.refreshed(id, family);
            }
        }
        let nothing_left = self.peers.get(&id).is_some_and(|peer| peer.retained.is_none());
        if away && nothing_left {
            self.rib.peer_down(id);
        }
    }

    /// The peer that is away is no longer what it was: nothing is kept for its return.
    pub(super) fn forget_retained(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        // One that is back has to end its feed yet: then, or in time, what is still stale goes.
        if peer.session.established().is_none() && peer.retained.take().is_some() {
            self.rib.peer_down(id);
        }
    }
}
