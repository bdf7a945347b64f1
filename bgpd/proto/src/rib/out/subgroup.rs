//! Members that were told the same: what that is, what is to be looked at again, and the messages that not all have taken.

use super::chunk::{Chunk, Log, Mention};
use super::sent::{Sent, Told};
use super::several::{Held, Several};
use crate::rib::model::PeerSession;
use crate::rib::slot::Slot;
use crate::rib::store::Queue;
use crate::rib::table::{PrefixId, Table};
use crate::session::AddPathSend;
use crate::types::Family;
use std::sync::Arc;

/// Chunks that the slowest member may be behind the quickest. Tests have few.
pub const LAG: usize = if cfg!(test) { 3 } else { 16 };

/// A subgroup.
#[derive(Clone, Debug)]
pub struct Subgroup {
    /// The policy and form of all members.
    pub key: Arc<PeerSession>,
    /// What is ahead of the walk was sent by this policy.
    pub before: Option<Arc<PeerSession>>,
    /// What is ahead of the walk is to be told anew, whatever it is.
    pub force: bool,
    pub sent: Sent,
    /// The same, of families of which several paths are told.
    pub several: Several,
    /// Prefixes behind the walk that may have to be told anew.
    pub pending: Queue,
    /// How far the table has been looked through for the first time.
    pub walk: Option<PrefixId>,
    /// Families whose End-of-RIB is owed.
    pub unfinished: Vec<Family>,
    pub log: Log,
    /// The octets of a chunk that all have taken: room for the next one.
    pub spare: Vec<u8>,
    pub members: Vec<Slot>,
    /// All that was ever sent is in the log while nothing has left that.
    pub from_nothing: bool,
    /// Where the members came from: the subgroup, and the end of its log.
    pub origin: Option<(usize, u64)>,
}

impl Subgroup {
    /// A subgroup that is to be told everything from the beginning.
    pub fn new(key: Arc<PeerSession>) -> Self {
        let mut unfinished = key.families.clone();
        unfinished.sort_unstable();
        Self {
            key,
            before: None,
            force: false,
            sent: Sent::default(),
            several: Several::default(),
            pending: Queue::default(),
            walk: Some(PrefixId::new(Family::Ipv4Unicast, 0)),
            unfinished,
            log: Log::default(),
            spare: Vec::new(),
            members: Vec::new(),
            from_nothing: true,
            origin: None,
        }
    }

    /// How many paths of a prefix the members are told of a family; [`AddPathSend::None`] for the best one alone.
    pub fn paths_told(&self, family: Family) -> AddPathSend {
        *self.key.features.add_path_out.get(family)
    }

    /// Whether the members are told several paths of any family.
    pub fn tells_several(&self) -> bool {
        let tells = |family: &Family| self.paths_told(*family) != AddPathSend::None;
        Family::ALL.iter().any(tells)
    }

    /// How many routes of a family a member was told of, if those of its own session are not.
    pub fn count(&self, family: Family, but: Slot) -> usize {
        self.sent.count(family, but) + self.several.count(family, but)
    }

    /// Whether a session that comes up can take part from the first message on.
    pub fn is_young(&self) -> bool {
        self.from_nothing && self.log.first() == 0 && self.log.len() < LAG && !self.is_done()
    }

    /// Nothing is to be looked at or said, but for what stands in the log.
    pub fn is_done(&self) -> bool {
        self.pending.is_empty() && self.walk.is_none() && self.unfinished.is_empty()
    }

    /// Whether [`crate::rib::Rib::build`] has anything to do.
    pub fn has_work(&self) -> bool {
        let owed = |family: &Family| self.walk.is_none_or(|walk| walk.family() > *family);
        !self.pending.is_empty() || self.walk.is_some() || self.unfinished.iter().any(owed)
    }

    /// The prefix may have to be told anew; whether there was nothing to do before.
    pub fn mark(&mut self, id: PrefixId, table: &mut Table) -> bool {
        if self.walk.is_some_and(|walk| is_ahead(id, walk)) {
            return false;
        }
        let idle = self.pending.is_empty();
        if self.pending.push(id.0) {
            table.hold(id);
        }
        idle
    }

    /// Notes what the members really have of a prefix that stood in a log which they have left.
    pub fn recall(&mut self, missed: &Mention, told: Told, held: &mut Held<'_>) {
        match self.paths_told(missed.id.family()) {
            AddPathSend::None => self.sent.set(missed.id, told, held.table, held.attrs),
            _ => self.several.set(missed.id, missed.number, told, held),
        }
    }

    /// Looks through the whole table again.
    pub fn walk_again(&mut self, table: &mut Table) {
        self.walk = Some(PrefixId::new(Family::Ipv4Unicast, 0));
        // It comes by all of these.
        while let Some(id) = self.pending.pop() {
            table.release(PrefixId(id));
        }
        self.from_nothing = false;
    }

    /// Drops what all members have taken. While sessions may still join it is kept.
    pub fn trim(&mut self, table: &mut Table) {
        if self.is_young() {
            return;
        }
        while let Some(chunk) = self.log.pop_taken() {
            forget(&chunk, table);
            if let Ok(chunk) = Arc::try_unwrap(chunk) {
                self.spare = chunk.bytes;
            }
        }
        if self.is_done() {
            self.spare = Vec::new();
        }
    }

    /// Whether anything that was sent, or is in the log, names the slot.
    pub fn refers_to(&self, slot: Slot) -> bool {
        let mut pieces = self.log.chunks().flat_map(|chunk| &chunk.pieces);
        let mut mentions = self.log.chunks().flat_map(|chunk| &chunk.prefixes);
        self.sent.refers_to(slot)
            || self.several.refers_to(slot)
            || pieces.any(|piece| piece.whom.names(slot))
            || mentions.any(|mention| mention.before == slot)
    }

    /// Gives back up to `steps` of what it holds; false once nothing is left.
    pub fn dissolve(&mut self, steps: &mut usize, held: &mut Held<'_>) -> bool {
        while let Some(chunk) = self.log.pop() {
            forget(&chunk, held.table);
        }
        while let Some(id) = self.pending.pop() {
            held.table.release(PrefixId(id));
        }
        for family in Family::ALL {
            while let Some(id) = self.sent.last(family) {
                if *steps == 0 {
                    return true;
                }
                *steps -= 1;
                self.sent.set(id, Told::Nothing, held.table, held.attrs);
                self.sent.pop(family);
            }
        }
        let some = self.several.some(*steps);
        *steps -= some.len();
        for id in some {
            for (number, _) in self.several.get(id).to_vec() {
                self.several.set(id, number, Told::Nothing, held);
            }
        }
        !self.several.is_empty()
    }
}

/// Lets go of the prefixes of a chunk.
fn forget(chunk: &Chunk, table: &mut Table) {
    for mention in &chunk.prefixes {
        table.release(mention.id);
    }
}

/// Whether the walk has not come to a prefix.
pub fn is_ahead(id: PrefixId, walk: PrefixId) -> bool {
    (id.family(), id.number()) >= (walk.family(), walk.number())
}
