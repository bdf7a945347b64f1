//! The sessions that take part, by peer and by slot.

use super::attrs::AttrId;
use super::model::{PathKind, PeerSession};
use super::out::Member;
use super::path_ids::Numbers;
use super::policy::import::Verdict;
use super::slot::Slot;
use super::table::Flags;
use crate::types::{Family, PeerId, PerFamily};
use crate::wire::{NextHop, Said};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// One session and what it counts.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub id: PeerId,
    pub session: PeerSession,
    /// What it is told; `None` while it is not Established.
    pub out: Option<Member>,
    /// Families that nothing is taken from any more (RFC 7606 §2).
    pub disabled: BTreeSet<Family>,
    pub tally: PerFamily<Tally>,
    /// How many prefixes it may send.
    pub limits: PerFamily<Option<u32>>,
    /// The family of which it has sent more.
    pub over_limit: Option<Family>,
    pub phase: Phase,
    /// What is still to be done to its paths, wherever they are in the table.
    pub todo: Todo,
    /// Which round of each family counts as fresh.
    pub rounds: PerFamily<Rounds>,
    /// The latest set that it announced: the next UPDATE very often has the same.
    pub latest: Option<Latest>,
    /// What others are told its path identifiers as.
    pub numbers: Numbers,
}

/// Whether a slot stands for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does.
    Up,
    /// The session has ended; what it taught is kept for a while (RFC 4724 §4.2).
    Retained,
    /// The session has ended, and its paths are on their way out of the table.
    Gone,
}

/// What a walk through the table does to a peer's paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Todo {
    /// All of the family go.
    pub clear: PerFamily<bool>,
    /// Those go that were not said again after a restart.
    pub sweep: PerFamily<bool>,
    /// Those go that were stale before the session ended again, but for long-lived ones.
    pub expire: PerFamily<bool>,
    /// Stale ones are used as long-lived from now on.
    pub long_lived: PerFamily<bool>,
    /// Those go that were not said again after a refresh.
    pub refresh: PerFamily<bool>,
    /// The import policy judges anew.
    pub judge: bool,
    /// The decision is run anew: who the peer is counts in it.
    pub select: bool,
    /// Prefixes that it has the best path of are to be told anew.
    pub tell: bool,
    /// Who reads the Loc-RIB is to look at its prefixes again.
    pub note: bool,
}

/// Rounds of a family of a session: a path that was not said in the one that counts is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rounds {
    restart: u8,
    refresh: u8,
    /// Some paths may be of the restart round before.
    pub stale: bool,
    /// How often the refresh that is under way has begun; zero for none.
    begun: u8,
}

const ROUNDS: u8 = 4;

impl Rounds {
    /// The session has ended: what is there is of an earlier round now.
    pub fn restart(&mut self) {
        self.restart = (self.restart + 1) % ROUNDS;
        self.stale = true;
        self.begun = 0;
    }

    /// The peer says everything again. A beginning that repeats itself without an end is heard twice: more rounds cannot be
    /// told apart.
    pub fn refresh(&mut self) {
        if self.begun < 2 {
            self.begun += 1;
            self.refresh = (self.refresh + 1) % ROUNDS;
        }
    }

    /// The peer has said everything; whether it had said that it would.
    pub fn end_refresh(&mut self) -> bool {
        std::mem::take(&mut self.begun) > 0
    }

    /// Marks of a path that is said now.
    pub fn flags(&self) -> Flags {
        Flags::of(self.restart | self.refresh << 2)
    }

    /// It was not said since the last restart.
    pub fn is_stale(&self, flags: Flags) -> bool {
        flags.is_long_lived() || flags.round() & 3 != self.restart
    }

    /// It was not said since the last refresh began.
    pub fn is_unrefreshed(&self, flags: Flags) -> bool {
        flags.round() >> 2 & 3 != self.refresh
    }
}

/// A set that was announced, as it came and as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    pub said: Arc<Said>,
    pub next_hop: NextHop,
    /// As received.
    pub attr: AttrId,
}

/// Counts of an Adj-RIB-In.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub received: usize,
    pub accepted: usize,
}

impl Tally {
    pub fn come(&mut self, verdict: Verdict) {
        self.received += 1;
        self.accepted += usize::from(verdict.is_accepted());
    }

    pub fn gone(&mut self, verdict: Verdict) {
        self.received -= 1;
        self.accepted -= usize::from(verdict.is_accepted());
    }
}

impl Peer {
    fn new(id: PeerId, session: PeerSession) -> Self {
        Self {
            id,
            session,
            out: None,
            disabled: BTreeSet::new(),
            tally: PerFamily::default(),
            limits: PerFamily::default(),
            over_limit: None,
            phase: Phase::Up,
            todo: Todo::default(),
            rounds: PerFamily::default(),
            latest: None,
            numbers: Numbers::default(),
        }
    }

    /// Whether routes of a family are taken from it.
    pub fn takes(&self, family: Family) -> bool {
        self.phase == Phase::Up && self.session.families.contains(&family) && !self.disabled.contains(&family)
    }

    pub fn kind(&self) -> PathKind {
        self.session.path_kind()
    }
}

/// All sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    slots: Vec<Option<Box<Peer>>>,
    by_id: BTreeMap<PeerId, Slot>,
    /// Slots that were used, the earliest freed first.
    free: VecDeque<Slot>,
}

impl Peers {
    /// Takes a session in; the peer must have none. `is_used` says whether anything still refers to a slot that was freed.
    /// `None` where there are as many sessions as slots.
    pub fn insert(
        &mut self,
        id: PeerId,
        session: PeerSession,
        is_used: impl Fn(Slot) -> bool,
    ) -> Option<Slot> {
        let slot = match self.free.iter().position(|slot| !is_used(*slot)) {
            Some(position) => self.free.remove(position)?,
            None if self.slots.len() < Slot::COUNT => {
                self.slots.push(None);
                // Fewer than 16 bits can count, as checked.
                Slot(self.slots.len() as u16 - 1)
            }
            None => return None,
        };
        self.slots[usize::from(slot.0)] = Some(Box::new(Peer::new(id, session)));
        self.by_id.insert(id, slot);
        Some(slot)
    }

    /// The peer has no session any more; its slot stays until its paths are gone.
    pub fn detach(&mut self, id: PeerId) {
        if let Some(slot) = self.by_id.remove(&id)
            && let Some(peer) = self.get_mut(slot)
        {
            peer.phase = Phase::Gone;
        }
    }

    /// Forgets a slot: no path refers to it any more.
    pub fn remove(&mut self, slot: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(slot.0))
            && place.take().is_some()
        {
            self.free.push_back(slot);
        }
    }

    pub fn slot(&self, id: PeerId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    pub fn get(&self, slot: Slot) -> Option<&Peer> {
        self.slots.get(usize::from(slot.0))?.as_deref()
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Peer> {
        self.slots.get_mut(usize::from(slot.0))?.as_deref_mut()
    }

    /// All sessions, in the order of their peers.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Peer)> {
        self.by_id
            .values()
            .filter_map(|slot| Some((*slot, self.get(*slot)?)))
    }

    /// All slots that stand for a session, or did until a moment ago.
    pub fn occupied(&self) -> impl Iterator<Item = Slot> {
        let all = (0..self.slots.len()).map(|n| Slot(n as u16));
        all.filter(|slot| self.get(*slot).is_some())
    }
}
