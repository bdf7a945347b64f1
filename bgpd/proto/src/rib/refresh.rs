//! The peer's answer to a route refresh (RFC 7313 §4): what it says between its begin and its end mark is all that it has.

use super::hub::Rib;
use super::walk::What;
use crate::types::{Family, PeerId};

impl Rib {
    /// The peer begins to say all that it has of a family again (BoRR): from now on what it has not said is noted.
    pub fn begin_refresh(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.finish(slot);
        if let Some(state) = self.peers.get_mut(slot) {
            state.rounds.get_mut(family).refresh();
        }
    }

    /// The peer has said it all (EoRR): what it has not said goes, but for what waits for the end of a restart. Without a
    /// beginning it means nothing.
    pub fn end_refresh(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        if state.rounds.get_mut(family).end_refresh() {
            *state.todo.refresh.get_mut(family) = true;
            self.look_through(What::Slot(slot));
        }
    }
}
