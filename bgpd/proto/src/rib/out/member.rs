//! One session in its subgroup: how it has its turn and takes what was built. How it comes there, and goes, is in `regroup`.

use super::resend::Resend;
use super::several::Held;
use super::subgroup::{LAG, Subgroup};
use crate::rib::hub::Rib;
use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::session::AddPathSend;
use crate::types::{Family, PeerId, PerFamily};
use crate::wire;

/// Prefixes that are looked at for one member before others have their turn.
pub(super) const LOOKS: usize = 64 * 1024;

/// Where a session stands.
#[derive(Clone, Debug)]
pub(in crate::rib) struct Member {
    pub subgroup: usize,
    /// The chunk that it takes next, or is in the middle of.
    pub chunk: u64,
    /// The message of that chunk that it takes next.
    pub piece: usize,
    /// What was sent is being sent again (RFC 2918).
    pub(super) resend: PerFamily<Option<Resend>>,
    /// End-of-RIB is kept back: this speaker has restarted and has not been told everything itself (RFC 4724 §4.1).
    held: bool,
    /// What was kept back.
    owed: Vec<Family>,
    /// It is in the list of those that may have something to take.
    ready: bool,
}

impl Member {
    pub(super) fn new(subgroup: usize, chunk: u64) -> Self {
        Self {
            subgroup,
            chunk,
            piece: 0,
            resend: PerFamily::default(),
            held: false,
            owed: Vec::new(),
            ready: false,
        }
    }

    /// A family to be sent again: after its End-of-RIB only (RFC 7313 §4).
    fn resending(&self, subgroup: &Subgroup) -> Option<Family> {
        let told = |family: &Family| !subgroup.unfinished.contains(family) && !self.owed.contains(family);
        let is_wanted = |family: &Family| self.resend.get(*family).is_some();
        Family::ALL.into_iter().filter(is_wanted).find(told)
    }

    /// Whether End-of-RIB was kept back, and may be sent now.
    fn owes(&self) -> bool {
        !self.held && !self.owed.is_empty()
    }
}

impl Rib {
    /// Whether [`Rib::next_updates`] has anything to do for the peer.
    pub fn has_pending(&self, peer: PeerId) -> bool {
        self.peers.slot(peer).is_some_and(|slot| self.may_take(slot))
    }

    /// Peers for which there may be something to send: a peer is named until it has taken all.
    pub fn ready(&mut self) -> Vec<PeerId> {
        self.prepare();
        let mut ready = std::mem::take(&mut self.out.ready);
        ready.retain(|slot| {
            let stays = self.may_take(*slot);
            if !stays && let Some(member) = self.peers.get_mut(*slot).and_then(|peer| peer.out.as_mut()) {
                member.ready = false;
            }
            stays
        });
        let peers = ready
            .iter()
            .filter_map(|slot| Some(self.peers.get(*slot)?.id))
            .collect();
        self.out.ready = ready;
        peers
    }

    /// Appends UPDATEs for the peer until about `budget` octets are there: whole messages, and at most one too many.
    /// A first table of a family ends with End-of-RIB.
    pub fn next_updates(&mut self, peer: PeerId, out: &mut Vec<u8>, budget: usize) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let limit = out.len().saturating_add(budget);
        let mut looks = 0;
        while out.len() < limit && looks < LOOKS {
            let Some(member) = self.peers.get(slot).and_then(|peer| peer.out.as_ref()) else {
                return;
            };
            let at = member.subgroup;
            let Some(subgroup) = self.out.get(at) else { return };
            if member.chunk < subgroup.log.end() {
                self.take(slot, out, limit);
            } else if member.owes() {
                self.pay(slot, out);
            } else if let Some(family) = member.resending(subgroup) {
                looks += self.resend(slot, family, out, limit);
            } else if subgroup.has_work() {
                if subgroup.log.len() >= LAG {
                    self.shed(at);
                }
                looks += self.build(at) + 1;
            } else {
                break;
            }
        }
        if let Some(at) = self.member(slot).map(|member| member.subgroup) {
            self.merge(at);
        }
    }

    /// Whether End-of-RIB of a session has to wait: we are restarting, and others have to tell us first what there is to pass
    /// on (RFC 4724 §4.1). UPDATEs go out meanwhile.
    pub fn hold_end_of_rib(&mut self, peer: PeerId, hold: bool) {
        let Some(slot) = self.peers.slot(peer) else { return };
        if let Some(member) = self.member_mut(slot) {
            member.held = hold;
            self.make_ready(slot);
        }
    }

    /// Marks a prefix whose best path has changed for all who may have to be told.
    pub(in crate::rib) fn mark(&mut self, id: PrefixId) {
        self.mark_for(id, |_| true);
    }

    /// Marks a prefix of which some other path has changed for those who are told several.
    pub(in crate::rib) fn mark_several(&mut self, id: PrefixId) {
        if self.out.tell_several > 0 {
            self.mark_for(id, |subgroup| {
                subgroup.paths_told(id.family()) != AddPathSend::None
            });
        }
    }

    fn mark_for(&mut self, id: PrefixId, is_meant: impl Fn(&Subgroup) -> bool) {
        for (at, subgroup) in self.out.subgroups.iter_mut().enumerate() {
            if let Some(subgroup) = subgroup.as_mut().filter(|subgroup| is_meant(subgroup))
                && subgroup.mark(id, &mut self.table)
            {
                self.out.dirty.push(at);
            }
        }
    }

    /// Gives back what buried subgroups hold, as far as the steps go.
    pub(in crate::rib) fn bury(&mut self, steps: &mut usize) {
        while let Some(subgroup) = self.out.graves.last_mut() {
            let mut held = Held {
                table: &mut self.table,
                attrs: &mut self.attrs,
                peers: &mut self.peers,
            };
            if subgroup.dissolve(steps, &mut held) {
                return;
            }
            self.out.graves.pop();
        }
    }

    pub(super) fn member(&self, slot: Slot) -> Option<&Member> {
        self.peers.get(slot)?.out.as_ref()
    }

    pub(super) fn member_mut(&mut self, slot: Slot) -> Option<&mut Member> {
        self.peers.get_mut(slot)?.out.as_mut()
    }

    fn may_take(&self, slot: Slot) -> bool {
        let Some(member) = self.member(slot) else {
            return false;
        };
        let Some(subgroup) = self.out.get(member.subgroup) else {
            return false;
        };
        member.chunk < subgroup.log.end()
            || member.owes()
            || member.resending(subgroup).is_some()
            || subgroup.has_work()
    }

    pub(super) fn make_ready(&mut self, slot: Slot) {
        if let Some(member) = self.member_mut(slot)
            && !std::mem::replace(&mut member.ready, true)
        {
            self.out.ready.push(slot);
        }
    }

    /// Sees to it that those have a turn for whom something has changed. Much of what changes is told to nobody: that is
    /// found out once here, and not by each member.
    fn prepare(&mut self) {
        let mut dirty = std::mem::take(&mut self.out.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for at in dirty {
            let Some(subgroup) = self.out.get(at) else {
                continue;
            };
            if subgroup.log.is_empty() && subgroup.has_work() {
                self.build(at);
            }
            let Some(subgroup) = self.out.get(at) else {
                continue;
            };
            if subgroup.log.is_empty() && !subgroup.has_work() {
                self.merge(at);
                continue;
            }
            for slot in subgroup.members.clone() {
                self.make_ready(slot);
            }
        }
    }

    /// Hands a member what it has not taken of the log.
    fn take(&mut self, slot: Slot, out: &mut Vec<u8>, limit: usize) {
        let Some(member) = self.peers.get_mut(slot).and_then(|peer| peer.out.as_mut()) else {
            return;
        };
        let Some(subgroup) = self.out.get_mut(member.subgroup) else {
            return;
        };
        let number = member.chunk;
        let Some(chunk) = subgroup.log.get(number).cloned() else {
            return;
        };
        let mut run = chunk.start(member.piece);
        while let Some(piece) = chunk.pieces.get(member.piece)
            && out.len() + (chunk.start(member.piece) - run) < limit
        {
            let (start, end) = (chunk.start(member.piece), piece.end as usize);
            let kept_back = piece.end_of_rib.filter(|_| member.held);
            member.owed.extend(kept_back);
            if kept_back.is_some() || !piece.whom.includes(slot) {
                out.extend_from_slice(&chunk.bytes[run..start]);
                run = end;
            }
            member.piece += 1;
        }
        out.extend_from_slice(&chunk.bytes[run..chunk.start(member.piece)]);
        if member.piece == chunk.pieces.len() {
            (member.chunk, member.piece) = (number + 1, 0);
            subgroup.log.taken(number);
            drop(chunk);
            subgroup.trim(&mut self.table);
        }
    }

    /// Sends a member the End-of-RIB that was kept back.
    fn pay(&mut self, slot: Slot, out: &mut Vec<u8>) {
        let owed = self
            .member_mut(slot)
            .map(|member| std::mem::take(&mut member.owed));
        for family in owed.into_iter().flatten() {
            wire::encode_end_of_rib(out, family);
        }
    }
}
