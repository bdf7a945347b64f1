//! What was sent of prefixes of which members are told several paths (RFC 7911), and what of them is to be said now.
//!
//! A path that is told has a number that follows from whose it is (`rib::path_ids`), and keeps it wherever it comes in the
//! order: a path that comes, goes or changes says nothing about the others, and a peer that loses one path has the next
//! one before it hears so. Subgroups number alike.

use super::build::Builder;
use super::chunk::{Mention, Whom};
use super::form::Route;
use super::sent::{Counts, Told};
use crate::rib::attrs::Attrs;
use crate::rib::peers::Peers;
use crate::rib::slot::Slot;
use crate::rib::table::{PrefixId, Table};
use crate::session::AddPathSend;
use crate::types::Family;
use rustc_hash::FxHashMap;

/// By prefix: each path that was sent, by its number. What is out of date is [`Told::Something`]; nothing is not there.
#[derive(Clone, Debug, Default)]
pub struct Several {
    told: FxHashMap<PrefixId, Vec<(u32, Told)>>,
    counts: Counts,
}

/// What is held of what was sent: the prefix, and of each path its set and its number.
pub struct Held<'a> {
    pub table: &'a mut Table,
    pub attrs: &'a mut Attrs,
    pub peers: &'a mut Peers,
}

impl Held<'_> {
    fn hold(&mut self, number: u32, told: Told) {
        if let Told::Route(attr, slot) = told {
            self.attrs.hold(attr);
            self.peers.hold_number(slot, number);
        }
    }

    fn release(&mut self, number: u32, told: Told) {
        if let Told::Route(attr, slot) = told {
            self.attrs.release(attr);
            self.peers.release_number(slot, number);
        }
    }
}

impl Several {
    /// All that was sent of a prefix.
    pub fn get(&self, id: PrefixId) -> &[(u32, Told)] {
        self.told.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Notes what is sent now of one path; holds it, and lets go of what was sent before.
    pub fn set(&mut self, id: PrefixId, number: u32, told: Told, held: &mut Held<'_>) {
        if told == Told::Nothing && !self.told.contains_key(&id) {
            return;
        }
        let paths = self.told.entry(id).or_insert_with(|| {
            held.table.hold(id);
            Vec::new()
        });
        held.hold(number, told);
        let at = paths.iter().position(|(known, _)| *known == number);
        let before = at.map_or(Told::Nothing, |at| paths[at].1);
        match (at, told) {
            (Some(at), Told::Nothing) => {
                paths.swap_remove(at);
            }
            (Some(at), told) => paths[at].1 = told,
            (None, Told::Nothing) => {}
            (None, told) => paths.push((number, told)),
        }
        self.counts.change(id.family(), before, told);
        held.release(number, before);
        if paths.is_empty() {
            self.told.remove(&id);
            held.table.release(id);
        }
    }

    /// A copy, which holds all that is in it.
    pub fn fork(&self, held: &mut Held<'_>) -> Self {
        for (id, paths) in &self.told {
            held.table.hold(*id);
            paths.iter().for_each(|(number, told)| held.hold(*number, *told));
        }
        self.clone()
    }

    /// So many prefixes of which a path was sent, or all of them.
    pub fn some(&self, most: usize) -> Vec<PrefixId> {
        self.told.keys().take(most).copied().collect()
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// All prefixes with what was sent of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (PrefixId, &[(u32, Told)])> {
        self.told.iter().map(|(id, paths)| (*id, paths.as_slice()))
    }

    /// How many paths of a family a member was told of, if those of its own session are not.
    pub fn count(&self, family: Family, but: Slot) -> usize {
        self.counts.but(family, but)
    }

    /// Whether anything is of this session.
    pub fn refers_to(&self, slot: Slot) -> bool {
        self.counts.refer_to(slot)
    }
}

impl Builder<'_> {
    /// Works out what is to be said of the paths of a prefix, and takes it as said; returns about how many octets that takes.
    pub(super) fn look_at_several(
        &mut self,
        id: PrefixId,
        send: AddPathSend,
        (old, force): (bool, bool),
    ) -> usize {
        let mut told = self.subgroup.several.get(id).to_vec();
        let paths = self.judge().leading(self.table.entry(id), send);
        let mut octets = 0;
        for path in paths {
            let route = self.route(id, &path);
            let Some(form) = self.form(id, route, false) else {
                continue;
            };
            let Some(number) = self.peers.path_number(path.slot, path.path_id) else {
                continue;
            };
            let known = told.iter().position(|(known, _)| *known == number);
            let was = known.map_or(Told::Nothing, |at| told.swap_remove(at).1);
            octets += self.say(id, number, (was, route), form, (old, force));
        }
        // After the others, that a peer which loses one has another one: see `Batch::write`.
        for (number, was) in told {
            let before = whose(was);
            self.table.hold(id);
            self.batch
                .withdraw(Mention { id, before, number }, Whom::AllBut(before));
            self.note_path(id, number, Told::Nothing);
            octets += 8;
        }
        octets
    }

    /// Says one path, unless its listeners know it as it is.
    fn say(
        &mut self,
        id: PrefixId,
        number: u32,
        (was, route): (Told, Route),
        form: usize,
        (old, force): (bool, bool),
    ) -> usize {
        let now = Told::Route(route.attr, route.slot);
        if was == now && !old && !force {
            return 0;
        }
        let looked = match was {
            Told::Route(attr, slot) => self.form_told(id, (attr, slot), old),
            Told::Nothing | Told::Something => None,
        };
        self.note_path(id, number, now);
        if !force && looked.is_some_and(|was| self.forms.get(was) == self.forms.get(form)) {
            return 0;
        }
        let before = whose(was);
        self.announce(Mention { id, before, number }, form, Whom::AllBut(route.slot))
    }

    fn note_path(&mut self, id: PrefixId, number: u32, told: Told) {
        let mut held = Held {
            table: self.table,
            attrs: self.attrs,
            peers: self.peers,
        };
        self.subgroup.several.set(id, number, told, &mut held);
    }
}

/// Whose path the members have: of nobody among them, where that is not known.
fn whose(told: Told) -> Slot {
    match told {
        Told::Nothing => Slot::NONE,
        Told::Something => Slot::LOCAL,
        Told::Route(_, slot) => slot,
    }
}
