//! The sessions that take part, by peer and by slot.

use super::adj_out::AdjOut;
use super::entry::{Route, Slot};
use super::model::{PathKind, PeerSession};
use crate::types::{Family, PeerId, PeerKind, PerFamily};
use std::collections::{BTreeMap, BTreeSet};

/// One session and what it counts.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub id: PeerId,
    pub session: PeerSession,
    pub out: AdjOut,
    /// Families that nothing is taken from any more (RFC 7606 §2).
    pub disabled: BTreeSet<Family>,
    pub tally: PerFamily<Tally>,
    /// The session has ended; what it taught is kept for a while (RFC 4724 §4.2).
    pub retained: bool,
}

/// Counts of an Adj-RIB-In.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub received: usize,
    pub accepted: usize,
}

impl Peer {
    fn new(id: PeerId, session: PeerSession) -> Self {
        let out = AdjOut::new(&session.families);
        Self {
            id,
            session,
            out,
            disabled: BTreeSet::new(),
            tally: PerFamily::default(),
            retained: false,
        }
    }

    /// The session has ended: nothing is said to the peer or taken from it any more.
    pub fn retain(&mut self) {
        self.retained = true;
        self.session.families.clear();
        self.out = AdjOut::new(&[]);
        self.disabled.clear();
    }

    /// A new session of the same peer.
    pub fn resume(&mut self, session: PeerSession) {
        self.retained = false;
        self.out = AdjOut::new(&session.families);
        self.session = session;
    }

    pub fn kind(&self) -> PathKind {
        match self.session.kind {
            PeerKind::Internal => PathKind::Internal,
            PeerKind::External => PathKind::External,
        }
    }

    /// Counts a route that has come.
    pub fn count_in(&mut self, family: Family, route: &Route) {
        let tally = self.tally.get_mut(family);
        tally.received += 1;
        tally.accepted += usize::from(route.verdict.is_accepted());
    }

    /// Counts a route that is gone.
    pub fn count_out(&mut self, family: Family, route: &Route) {
        let tally = self.tally.get_mut(family);
        tally.received -= 1;
        tally.accepted -= usize::from(route.verdict.is_accepted());
    }
}

/// All sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    slots: Vec<Option<Peer>>,
    by_id: BTreeMap<PeerId, Slot>,
}

impl Peers {
    /// Takes a session in; the peer must have none.
    pub fn insert(&mut self, id: PeerId, session: PeerSession) -> Slot {
        let peer = Some(Peer::new(id, session));
        let free = self.slots.iter().position(Option::is_none);
        let position = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[position] = peer;
        // Sessions are TCP connections: far fewer than 32 bits can count.
        let slot = Slot(position as u32);
        self.by_id.insert(id, slot);
        slot
    }

    /// Forgets a session. Its slot is used again: no route may refer to it any more.
    pub fn remove(&mut self, id: PeerId) {
        if let Some(slot) = self.by_id.remove(&id) {
            self.slots[slot.0 as usize] = None;
        }
    }

    pub fn slot(&self, id: PeerId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    pub fn get(&self, slot: Slot) -> Option<&Peer> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Peer> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    pub fn by_id(&self, id: PeerId) -> Option<&Peer> {
        self.get(self.slot(id)?)
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Peer)> {
        self.by_id
            .values()
            .filter_map(|slot| Some((*slot, self.get(*slot)?)))
    }

    /// All slots in use.
    pub fn slots(&self) -> Vec<Slot> {
        self.by_id.values().copied().collect()
    }
}
