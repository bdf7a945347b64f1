//! Routes come and go: from an UPDATE, whose prefixes have one set of attributes, into the table.
//!
//! The set is looked up by its octets before anything else, and what holds for all prefixes of the UPDATE is worked out once
//! (`judge`); then each prefix takes its path into the table and has the decision look at it (`reselect`).

use super::attrs::AttrId;
use super::hub::Rib;
use super::judge::Arrival;
use super::peers::{Latest, Phase};
use super::reselect::Touched;
use super::slot::Slot;
use super::table::{Path, Paths, PrefixId};
use super::walk::What;
use super::work;
use crate::types::{Family, PeerId};
use crate::wire::{NextHop, Nlri, Routes, RoutesIn, Said};
use std::sync::Arc;
use std::time::Instant;

/// Prefixes that are looked for together: memory answers several questions in the time of one.
const AT_ONCE: usize = 16;

impl Rib {
    /// Takes in the routes of one UPDATE; families in `disable` are dropped, and ignored until the session ends.
    pub fn update(&mut self, peer: PeerId, update: RoutesIn, now: Instant) {
        let Some(slot) = self.established(peer) else {
            return;
        };
        self.disable(slot, &update.disable);
        // Withdrawals first: a prefix that is in both is announced (RFC 4271 §4.3).
        for nlri in update.withdrawn.iter().flat_map(|w| &w.nlri) {
            self.withdraw(slot, nlri);
        }
        let says = Arc::new(Said::from(update.attributes));
        for announcement in update.announced {
            let (family, hop) = (announcement.family, announcement.next_hop);
            self.receive(slot, family, hop, &says, announcement.nlri, now);
        }
    }

    /// The same, with the prefixes as they came.
    pub(crate) fn take_in(&mut self, peer: PeerId, routes: &Routes<'_>, now: Instant) {
        let Some(slot) = self.established(peer) else {
            return;
        };
        self.disable(slot, routes.disable);
        for nlri in routes
            .withdrawn
            .iter()
            .flatten()
            .flat_map(|prefixes| prefixes.iter())
        {
            self.withdraw(slot, &nlri);
        }
        for (next_hop, prefixes) in routes.announced.iter().flatten() {
            self.receive(
                slot,
                prefixes.family,
                *next_hop,
                routes.said,
                prefixes.iter(),
                now,
            );
        }
    }

    /// Takes in routes of one family that have one next hop and one set of attributes.
    pub(super) fn receive(
        &mut self,
        slot: Slot,
        family: Family,
        next_hop: NextHop,
        says: &Arc<Said>,
        nlri: impl IntoIterator<Item = Nlri>,
        now: Instant,
    ) {
        if !self.peers.get(slot).is_some_and(|peer| peer.takes(family)) {
            return;
        }
        let learned = self.ticks(now);
        let Some(received) = self.adopt(slot, next_hop, says) else {
            return;
        };
        let arrival = self.arrival(slot, family, received, says, learned);
        let mut nlri = nlri.into_iter();
        let mut some = std::mem::take(&mut self.arriving);
        loop {
            some.clear();
            let hashed = nlri.by_ref().map(|nlri| (nlri, self.table.hash(&nlri.prefix)));
            some.extend(hashed.take(AT_ONCE));
            if some.is_empty() {
                break;
            }
            self.table.warm(family, some.iter().map(|(_, hash)| *hash));
            for (nlri, hash) in &some {
                self.announce(nlri, *hash, &arrival);
            }
        }
        self.arriving = some;
    }

    /// The slot of a peer whose session stands.
    fn established(&self, peer: PeerId) -> Option<Slot> {
        let slot = self.peers.slot(peer)?;
        (self.peers.get(slot)?.phase == Phase::Up).then_some(slot)
    }

    /// The set as it is stored, held by the session as its latest.
    fn adopt(&mut self, slot: Slot, next_hop: NextHop, says: &Arc<Said>) -> Option<AttrId> {
        let peer = self.peers.get(slot)?;
        let next_hop = peer.id.interface().map_or(next_hop, |zone| next_hop.on(zone));
        if let Some(latest) = &peer.latest
            && Arc::ptr_eq(&latest.said, says)
            && latest.next_hop == next_hop
        {
            return Some(latest.attr);
        }
        let attr = self.attrs.intern(Some(next_hop), says.octets());
        self.drop_latest(slot);
        self.peers.get_mut(slot)?.latest = Some(Latest {
            said: Arc::clone(says),
            next_hop,
            attr,
        });
        Some(attr)
    }

    /// The session holds on to its latest set no more.
    pub(super) fn drop_latest(&mut self, slot: Slot) {
        if let Some(latest) = self.peers.get_mut(slot).and_then(|peer| peer.latest.take()) {
            self.attrs.release(latest.attr);
        }
    }

    /// Takes one route in, whose prefix has this hash.
    pub(super) fn announce(&mut self, nlri: &Nlri, hash: u32, arrival: &Arrival<'_>) {
        let (prefix, path_id) = (&nlri.prefix, nlri.path_id.unwrap_or(0));
        let (slot, received) = (arrival.slot, arrival.received);
        let id = self.table.find_or_add(prefix, hash);
        let entry = self.table.entry(id);
        work::note(1 + entry.paths().len());
        let position = entry.position(slot, path_id);
        if let Some(position) = position {
            let old = entry.paths()[position];
            if self.as_came(id, &old) == received && !old.flags.is_long_lived() {
                // Nothing new: it stays as old as it is.
                self.table.paths_mut(id)[position].flags = arrival.flags.changed(old.flags.is_changed());
                return;
            }
        }
        let (selected, backup) = (entry.selected().len(), entry.backup().is_some());
        let full = position.is_none() && entry.paths().len() >= Paths::MOST;
        if full || self.is_one_too_many(slot, id, position.is_none()) {
            self.table.remove_unused(id);
            return;
        }
        let (verdict, attr) = self.import_arrival(prefix, arrival);
        let path = Path {
            attr,
            path_id,
            learned: arrival.learned,
            slot,
            verdict,
            flags: arrival.flags.changed(attr != received),
        };
        self.attrs.hops.route_came(self.attrs.head(attr).hop);
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.tally.get_mut(id.family()).come(verdict);
        }
        let replaced =
            position.map(|position| std::mem::replace(&mut self.table.paths_mut(id)[position], path));
        if let Some(old) = &replaced {
            self.forget(id, old);
        }
        if attr != received {
            self.keep_received(id, &path, received);
        }
        match position {
            Some(position) => self.reselect(id, Touched::at(position, selected, backup)),
            None => {
                self.table.push(id, path);
                self.welcome(id);
            }
        }
    }

    pub(super) fn withdraw(&mut self, slot: Slot, nlri: &Nlri) {
        let Some(id) = self.table.find(&nlri.prefix) else {
            return;
        };
        if let Some(position) = self.table.entry(id).position(slot, nlri.path_id.unwrap_or(0)) {
            let touched = self.take_out(id, position);
            self.reselect(id, touched);
        }
    }

    /// Takes a path out of the table; to be followed by [`Rib::reselect`].
    pub(super) fn take_out(&mut self, id: PrefixId, position: usize) -> Touched {
        let entry = self.table.entry(id);
        let touched = Touched::at(position, entry.selected().len(), entry.backup().is_some());
        let old = self.table.remove(id, position);
        self.forget(id, &old);
        touched
    }

    /// Lets go of what a path held that is not in the table any more.
    fn forget(&mut self, id: PrefixId, path: &Path) {
        if let Some(peer) = self.peers.get_mut(path.slot) {
            peer.tally.get_mut(id.family()).gone(path.verdict);
        }
        self.forget_received(id, path);
        self.attrs.hops.route_went(self.attrs.head(path.attr).hop);
        self.attrs.release(path.attr);
    }

    /// A family is switched off once; to say it again costs nothing.
    fn disable(&mut self, slot: Slot, families: &[Family]) {
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        let fresh = families.iter().filter(|family| state.disabled.insert(**family));
        let fresh: Vec<Family> = fresh.copied().collect();
        self.clear(slot, &fresh);
    }

    /// Drops all that a peer taught of some families, of which it teaches nothing any more. The table is looked through only
    /// where there is something.
    pub(super) fn clear(&mut self, slot: Slot, families: &[Family]) {
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        let mut any = false;
        for family in families {
            if state.tally.get(*family).received > 0 {
                *state.todo.clear.get_mut(*family) = true;
                any = true;
            }
        }
        if any {
            self.look_through(What::Slot(slot));
        } else if state.phase == Phase::Gone {
            self.walker.forget(slot);
            self.peers.remove(slot);
        }
    }
}
