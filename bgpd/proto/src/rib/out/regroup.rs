//! Who is told together with whom: a session that comes joins or starts a subgroup, one whose policy changes or that falls behind
//! leaves into one of its own, and subgroups that have said all that they have to say become one.

use super::chunk::Mention;
use super::member::Member;
use super::sent::Told;
use super::several::Held;
use super::subgroup::Subgroup;
use super::template;
use crate::rib::hub::Rib;
use crate::rib::model::PeerSession;
use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::types::Family;
use rustc_hash::FxHashSet;
use std::sync::Arc;

impl Rib {
    /// A session is told everything, from the beginning.
    pub(in crate::rib) fn join(&mut self, slot: Slot) {
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        let key = template(&peer.session);
        let young = self
            .out
            .iter()
            .find(|(_, subgroup)| subgroup.is_young() && *subgroup.key == *key);
        let at = match young.map(|(at, _)| at) {
            Some(at) => at,
            None => self.out.add(Subgroup::new(key)),
        };
        peer.out = Some(Member::new(at, 0));
        if let Some(subgroup) = self.out.get_mut(at) {
            subgroup.log.enter(0);
            subgroup.members.push(slot);
            self.out.dirty.push(at);
        }
    }

    /// A session is told nothing any more.
    pub(in crate::rib) fn leave(&mut self, slot: Slot) {
        let Some(member) = self.peers.get_mut(slot).and_then(|peer| peer.out.take()) else {
            return;
        };
        self.go(slot, member.subgroup, member.chunk);
    }

    /// Takes a member out of its subgroup, which goes if it was the last.
    fn go(&mut self, slot: Slot, at: usize, chunk: u64) {
        let Some(subgroup) = self.out.get_mut(at) else {
            return;
        };
        subgroup.members.retain(|member| *member != slot);
        if subgroup.members.is_empty() {
            self.out.bury(at);
            for subgroup in self.out.subgroups.iter_mut().flatten() {
                subgroup.origin = subgroup.origin.filter(|(from, _)| *from != at);
            }
        } else {
            subgroup.log.leave(chunk);
            subgroup.trim(&mut self.table);
        }
    }

    /// The policy of a session has changed: it is told the difference between what it was told and what it should be told.
    pub(in crate::rib) fn change_policy(&mut self, slot: Slot) {
        let Some(peer) = self.peers.get(slot) else { return };
        let Some(member) = &peer.out else { return };
        let (key, from, chunk) = (template(&peer.session), member.subgroup, member.chunk);
        let Some(subgroup) = self.out.get(from) else {
            return;
        };
        if *subgroup.key == *key {
            return;
        }
        let alone = subgroup.members.len() == 1;
        let end = subgroup.log.end();
        // Others that changed with it, from the same place.
        let start = Some(PrefixId::new(Family::Ipv4Unicast, 0));
        let like = |subgroup: &Subgroup| {
            subgroup.origin == Some((from, end)) && subgroup.walk == start && *subgroup.key == *key
        };
        let companions = self
            .out
            .iter()
            .find(|(_, subgroup)| like(subgroup))
            .map(|(at, _)| at);
        if let Some(at) = companions.filter(|_| chunk == end) {
            self.go(slot, from, chunk);
            self.enter(slot, at);
            return;
        }
        let at = if alone { from } else { self.fork(from, &[slot]) };
        let Some(subgroup) = self.out.get_mut(at) else {
            return;
        };
        let old = std::mem::replace(&mut subgroup.key, key);
        // By two policies ago, some of it: there is no telling what it looked like.
        subgroup.force |= subgroup.before.is_some();
        subgroup.before = Some(old).filter(|_| !subgroup.force);
        subgroup.walk_again(&mut self.table);
        subgroup.origin = (!alone && chunk == end).then_some((from, end));
        self.out.dirty.push(at);
    }

    /// Everything is told again to whom it concerns: what was told cannot be worked out any more.
    pub(in crate::rib) fn tell_all_again(&mut self, whom: impl Fn(&PeerSession) -> bool) {
        for (at, subgroup) in self.out.subgroups.iter_mut().enumerate() {
            if let Some(subgroup) = subgroup.as_mut().filter(|subgroup| whom(&subgroup.key)) {
                (subgroup.force, subgroup.before) = (true, None);
                subgroup.walk_again(&mut self.table);
                self.out.dirty.push(at);
            }
        }
    }

    /// Members that are as far behind as a log may be long leave it.
    pub(super) fn shed(&mut self, at: usize) {
        let Some(subgroup) = self.out.get(at) else { return };
        let first = subgroup.log.first();
        let mut behind: Vec<(usize, Slot)> = subgroup
            .members
            .iter()
            .filter_map(|slot| {
                Some((
                    self.member(*slot).filter(|member| member.chunk == first)?.piece,
                    *slot,
                ))
            })
            .collect();
        behind.sort_unstable();
        while let Some((piece, slot)) = behind.last().copied() {
            let same: Vec<Slot> = behind
                .iter()
                .filter(|(other, _)| *other == piece)
                .map(|(_, slot)| *slot)
                .collect();
            // What they have missed is the same for all, unless it was their own.
            if self
                .missed(at, first, piece)
                .iter()
                .any(|mention| same.contains(&mention.before))
            {
                self.fork(at, &[slot]);
                behind.pop();
            } else {
                self.fork(at, &same);
                behind.retain(|(other, _)| *other != piece);
            }
        }
    }

    /// What stands in the log from a message on.
    fn missed(&self, at: usize, chunk: u64, piece: usize) -> Vec<Mention> {
        let Some(subgroup) = self.out.get(at) else {
            return Vec::new();
        };
        let piece_of = |number| if number == chunk { piece } else { 0 };
        (chunk..subgroup.log.end())
            .filter_map(|number| Some(subgroup.log.get(number)?.prefixes_from(piece_of(number))))
            .flatten()
            .copied()
            .collect()
    }

    /// Members that stand at one place leave into a subgroup of their own, which knows what they were told and what they have
    /// missed.
    fn fork(&mut self, at: usize, slots: &[Slot]) -> usize {
        let place = slots
            .first()
            .and_then(|slot| self.member(*slot))
            .map(|member| (member.chunk, member.piece));
        let (chunk, piece) = place.unwrap_or_default();
        let missed = self.missed(at, chunk, piece);
        let Some(subgroup) = self.out.get(at) else {
            return at;
        };
        let pieces = (chunk..subgroup.log.end()).filter_map(|number| {
            let from = if number == chunk { piece } else { 0 };
            subgroup.log.get(number)?.pieces.get(from..)
        });
        let mut unfinished: Vec<Family> = pieces.flatten().filter_map(|piece| piece.end_of_rib).collect();
        unfinished.extend(&subgroup.unfinished);
        let mut held = Held {
            table: &mut self.table,
            attrs: &mut self.attrs,
            peers: &mut self.peers,
        };
        let mut own = Subgroup {
            before: subgroup.before.clone(),
            force: subgroup.force,
            sent: subgroup.sent.fork(held.table, held.attrs),
            several: subgroup.several.fork(&mut held),
            pending: subgroup.pending.clone(),
            walk: subgroup.walk,
            unfinished,
            from_nothing: false,
            ..Subgroup::new(Arc::clone(&subgroup.key))
        };
        own.pending.iter().for_each(|id| held.table.hold(PrefixId(id)));
        let mut seen = FxHashSet::default();
        for mention in missed {
            if seen.insert((mention.id, mention.number)) {
                let had = mention.before != Slot::NONE && !slots.contains(&mention.before);
                let told = if had { Told::Something } else { Told::Nothing };
                own.recall(&mention, told, &mut held);
                if own.pending.push(mention.id.0) {
                    held.table.hold(mention.id);
                }
            }
        }
        let to = self.out.add(own);
        for slot in slots {
            self.go(*slot, at, chunk);
            self.enter(*slot, to);
        }
        to
    }

    /// A member goes on in another subgroup, whose members were told the same.
    fn enter(&mut self, slot: Slot, at: usize) {
        let Some(subgroup) = self.out.get_mut(at) else {
            return;
        };
        subgroup.members.push(slot);
        let end = subgroup.log.end();
        if let Some(member) = self.member_mut(slot) {
            (member.subgroup, member.chunk, member.piece) = (at, end, 0);
        }
        self.out.dirty.push(at);
    }

    /// A subgroup that has said everything, and whose members have taken it all, goes up in another such one.
    pub(super) fn merge(&mut self, at: usize) {
        let Some(subgroup) = self.out.get_mut(at).filter(|subgroup| subgroup.is_done()) else {
            return;
        };
        subgroup.trim(&mut self.table);
        let Some(subgroup) = self.out.get(at).filter(|subgroup| subgroup.log.is_empty()) else {
            return;
        };
        // What waits there may be on no record, for one member alone: it would be missed if that one fell behind.
        let rests = |other: &Subgroup| other.is_done() && other.log.is_empty();
        let like =
            |(to, other): &(usize, &Subgroup)| *to != at && rests(other) && *other.key == *subgroup.key;
        let to = self.out.iter().find(like).map(|(to, _)| to);
        let members = subgroup.members.clone();
        if let Some(to) = to {
            for slot in members {
                self.go(slot, at, 0);
                self.enter(slot, to);
            }
        }
    }
}
