//! Routes that outlive their session: the receiving role of graceful restart (RFC 4724 §4.2), and of its long-lived form
//! (RFC 9494 §4.2).
//!
//! A peer that restarts keeps forwarding, so what it taught stays in use, marked as stale. What it says again in its next
//! session is fresh; what is still stale at its End-of-RIB goes. How long all this may take is for the speaker to decide. The
//! mark is the number of a round: to mark all routes of a peer is to count on, and costs nothing.

use super::hub::Rib;
use super::model::PeerSession;
use super::peers::Phase;
use super::slot::Slot;
use super::walk::What;
use crate::types::{Family, PeerId, PeerKind, PerFamily};

impl Rib {
    /// The session has ended, and the peer keeps forwarding in the families `keep`: their routes stay in use and count as
    /// stale; all else that it taught and was told is forgotten, and so is what was stale already.
    pub fn peer_retained(&mut self, peer: PeerId, keep: &[Family]) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.leave(slot);
        self.drop_latest(slot);
        // What was not said again since the loss before this one goes now (RFC 4724 §4.2): else a peer that comes and goes
        // would keep it in use for ever. Long-lived ones have a time of their own (RFC 9494 §4.2).
        if let Some(state) = self.peers.get_mut(slot)
            && Family::ALL
                .into_iter()
                .any(|family| state.rounds.get(family).stale)
        {
            state.todo.expire = PerFamily {
                ipv4: true,
                ipv6: true,
            };
            self.look_through(What::Slot(slot));
        }
        // Rounds can be told apart as long as there are two.
        self.finish(slot);
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        state.phase = Phase::Retained;
        state.disabled.clear();
        keep.iter()
            .for_each(|family| state.rounds.get_mut(*family).restart());
        let lost: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|family| !keep.contains(family))
            .collect();
        self.clear(slot, &lost);
    }

    /// The peer is away for longer than a graceful restart takes: its stale routes of the family are used where nothing better
    /// is known, and told to others as such; those that forbid that go (RFC 9494 §4.2). What they say has one community more
    /// from then on, until the peer says it again.
    pub fn long_lived(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        if state.rounds.get(family).stale {
            *state.todo.long_lived.get_mut(family) = true;
            self.look_through(What::Slot(slot));
        }
    }

    /// Removes what is still stale of one family of a peer: it has said all that it has.
    pub fn sweep_stale(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        if std::mem::take(&mut state.rounds.get_mut(family).stale) {
            *state.todo.sweep.get_mut(family) = true;
            self.look_through(What::Slot(slot));
        }
    }

    /// Lets a new session take up the routes that were retained; false where there are none.
    pub(super) fn resume(&mut self, peer: PeerId, session: &PeerSession) -> bool {
        let Some(slot) = self.peers.slot(peer) else {
            return false;
        };
        if !self
            .peers
            .get(slot)
            .is_some_and(|state| state.phase == Phase::Retained)
        {
            return false;
        }
        self.finish(slot);
        self.forget_memo();
        let lost: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|f| !session.families.contains(f))
            .collect();
        self.clear(slot, &lost);
        let mut somebody_else = false;
        if let Some(state) = self.peers.get_mut(slot) {
            let who = |session: &PeerSession| (session.kind, session.remote_router_id);
            somebody_else = who(&state.session) != who(session);
            state.todo.select |= somebody_else;
            state.session = session.clone();
            state.phase = Phase::Up;
            // The import policy looks at the session too; and whose routes are passed on may hang on it.
            state.todo.judge = true;
            (state.todo.tell, state.todo.note) = (true, true);
        }
        self.join(slot);
        self.look_through(What::Slot(slot));
        if somebody_else && session.kind == PeerKind::Internal {
            self.tell_inside_again(slot);
        }
        true
    }

    /// Peers inside were told by identifier who had brought a route into the AS (RFC 4456 §8). What is on record of them does
    /// not hold it: where one comes back under another identifier, all others are told again. That is rare.
    fn tell_inside_again(&mut self, but: Slot) {
        let others = self.peers.iter().filter(|(slot, _)| *slot != but);
        let inside = others.filter(|(_, peer)| peer.session.kind == PeerKind::Internal);
        let inside: Vec<(PeerId, Family)> = inside
            .flat_map(|(_, peer)| peer.session.families.iter().map(|family| (peer.id, *family)))
            .collect();
        for (peer, family) in inside {
            self.refresh(peer, family);
        }
    }
}
