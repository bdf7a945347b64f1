//! Builds the next chunk of a subgroup: takes prefixes, works out what is to be said of each, and packs it.
//!
//! Prefixes are taken until what they come to fills a chunk, and each is worked out once: what is taken is said. Those that
//! changed and those that the walk comes to take turns, so that neither waits for the other to end.

use super::chunk::{Chunk, Mention, Whom};
use super::form::{Forms, Route, View, encode_context};
use super::sent::Told;
use super::subgroup::Subgroup;
use crate::rib::attrs::{AttrId, Attrs};
use crate::rib::choice::Judge;
use crate::rib::hub::Rib;
use crate::rib::judge;
use crate::rib::model::LocalSettings;
use crate::rib::peers::Peers;
use crate::rib::slot::Slot;
use crate::rib::table::{Path, PrefixId, Table};
use crate::rib::work;
use crate::session::AddPathSend;
use crate::types::{Family, ScopedAddr};
use crate::wire::{self, Form, Nlri};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Octets after which a chunk is full.
const CHUNK: usize = 64 * 1024;
/// Prefixes that are looked at for one chunk at most.
pub const LOOKS: usize = 16 * 1024;
const END: u32 = u32::MAX;

/// What a message says of its prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Says {
    Gone(Family),
    /// Number of the form.
    Is(usize),
}

/// Prefixes of which the same is said to the same members, chained.
#[derive(Clone, Debug)]
struct Bucket {
    says: Says,
    whom: Whom,
    first: u32,
    last: u32,
}

/// What a chunk is going to say.
#[derive(Clone, Debug, Default)]
pub(in crate::rib) struct Batch {
    buckets: Vec<Bucket>,
    places: FxHashMap<(Says, Whom), usize>,
    items: Vec<(Mention, u32)>,
    latest: Option<usize>,
}

impl Batch {
    fn clear(&mut self) {
        self.buckets.clear();
        self.places.clear();
        self.items.clear();
        self.latest = None;
    }

    /// Adds a prefix; whether it is the first one of its bucket.
    pub fn announce(&mut self, mention: Mention, form: usize, whom: Whom) -> bool {
        self.add(mention, Says::Is(form), whom)
    }

    pub fn withdraw(&mut self, mention: Mention, whom: Whom) {
        self.add(mention, Says::Gone(mention.id.family()), whom);
    }

    fn add(&mut self, mention: Mention, says: Says, whom: Whom) -> bool {
        let item = self.items.len() as u32;
        self.items.push((mention, END));
        let latest = self
            .latest
            .filter(|at| (self.buckets[*at].says, self.buckets[*at].whom) == (says, whom));
        let at = latest.or_else(|| self.places.get(&(says, whom)).copied());
        match at {
            Some(at) => {
                let bucket = &mut self.buckets[at];
                self.items[bucket.last as usize].1 = item;
                bucket.last = item;
                self.latest = Some(at);
                false
            }
            None => {
                self.latest = Some(self.buckets.len());
                self.places.insert((says, whom), self.buckets.len());
                self.buckets.push(Bucket {
                    says,
                    whom,
                    first: item,
                    last: item,
                });
                true
            }
        }
    }

    /// Writes everything: withdrawals first, but where several paths are told last, for one that goes leaves others there.
    pub fn write(&self, chunk: &mut Chunk, forms: &Forms, key: &crate::rib::PeerSession, table: &Table) {
        let context = encode_context(key);
        let numbered = |bucket: &Bucket| {
            let first = self.items.get(bucket.first as usize);
            first.is_some_and(|(mention, _)| *context.add_path.get(mention.id.family()))
        };
        let withdraw = |chunk: &mut Chunk, last: bool| {
            for bucket in self.buckets.iter().filter(|bucket| numbered(bucket) == last) {
                if let Says::Gone(family) = bucket.says {
                    let form = Form::withdrawing(&context, family);
                    self.write_bucket(bucket, &form, numbered(bucket), chunk, table);
                }
            }
        };
        withdraw(chunk, false);
        for bucket in &self.buckets {
            if let Says::Is(form) = bucket.says {
                self.write_bucket(bucket, forms.get(form), numbered(bucket), chunk, table);
            }
        }
        withdraw(chunk, true);
    }

    fn write_bucket(&self, bucket: &Bucket, form: &Form, numbered: bool, chunk: &mut Chunk, table: &Table) {
        let mut prefixes = chunk.prefixes.len();
        let Chunk {
            bytes,
            pieces,
            prefixes: mentions,
        } = chunk;
        let mut next = bucket.first;
        let nlri = std::iter::from_fn(|| {
            let (mention, after) = self.items.get(next as usize)?;
            next = *after;
            mentions.push(*mention);
            Some(Nlri {
                prefix: table.prefix(mention.id),
                path_id: numbered.then_some(mention.number),
            })
        });
        form.write(bytes, nlri, |end, count| {
            prefixes += count;
            pieces.push(super::chunk::Piece {
                end: end as u32,
                prefixes: prefixes as u32,
                whom: bucket.whom,
                end_of_rib: None,
            });
        });
    }
}

/// What it takes to look at a prefix.
pub(super) struct Builder<'a> {
    at: usize,
    pub subgroup: &'a mut Subgroup,
    pub table: &'a mut Table,
    pub attrs: &'a mut Attrs,
    pub peers: &'a mut Peers,
    local: &'a LocalSettings,
    interfaces: &'a BTreeMap<ScopedAddr, Arc<str>>,
    as_received: &'a HashMap<(PrefixId, Slot, u32), AttrId>,
    pub forms: &'a mut Forms,
    pub batch: &'a mut Batch,
    /// Export filters look at priorities.
    priorities: bool,
    /// They look at what is not to be seen in a set: a route may be another one with the same set.
    volatile: bool,
    /// The prefix that is looked at is held still, since it was marked: whoever keeps it next takes that over.
    held: Option<PrefixId>,
}

impl Rib {
    /// Builds the next chunk of a subgroup, if there is anything to say; returns how many prefixes were looked at.
    pub(in crate::rib) fn build(&mut self, at: usize) -> usize {
        let Some(subgroup) = self.out.subgroups.get_mut(at).and_then(Option::as_mut) else {
            return 0;
        };
        subgroup.origin = None;
        work::note(1);
        self.forms.clear();
        self.batch.clear();
        let filters = &subgroup.key.export.filters;
        let priorities = filters.looks_at_priorities();
        let mut builder = Builder {
            at,
            priorities,
            volatile: priorities || filters.looks_at_interfaces(),
            held: None,
            subgroup,
            table: &mut self.table,
            attrs: &mut self.attrs,
            peers: &mut self.peers,
            local: &self.local,
            interfaces: &self.interfaces,
            as_received: &self.as_received,
            forms: &mut self.forms,
            batch: &mut self.batch,
        };
        let looks = builder.collect();
        let mut chunk = Chunk {
            bytes: std::mem::take(&mut builder.subgroup.spare),
            ..Chunk::default()
        };
        chunk.bytes.clear();
        builder
            .batch
            .write(&mut chunk, builder.forms, &builder.subgroup.key, builder.table);
        builder.end_of_rib(&mut chunk);
        if chunk.bytes.is_empty() {
            return looks;
        }
        let Some(subgroup) = self.out.get_mut(at) else {
            return looks;
        };
        if subgroup.members.len() > 1 || subgroup.is_young() {
            // They stay held as long as the chunk.
            chunk.prefixes.shrink_to_fit();
        } else {
            // One member alone misses nothing; and nobody joins any more who might, had it more to say some time.
            subgroup.from_nothing = false;
            let prefixes = std::mem::take(&mut chunk.prefixes);
            prefixes.iter().for_each(|mention| self.table.release(mention.id));
            chunk.pieces.iter_mut().for_each(|piece| piece.prefixes = 0);
        }
        let members = subgroup.members.len();
        subgroup.log.push(chunk, members);
        looks
    }
}

impl Builder<'_> {
    /// Looks at prefixes until a chunk is full.
    fn collect(&mut self) -> usize {
        let (mut octets, mut looks) = (0, 0);
        while octets < CHUNK && looks < LOOKS {
            let mut any = false;
            if let Some(id) = self.subgroup.pending.pop().map(PrefixId) {
                self.held = Some(id);
                octets += self.look(id, false);
                if let Some(id) = self.held.take() {
                    self.table.release(id);
                }
                any = true;
            }
            if let Some(id) = self.step() {
                if self.table.is_live(id) {
                    octets += self.look(id, true);
                }
                any = true;
            }
            if !any {
                break;
            }
            looks += 1;
        }
        looks
    }

    /// The next prefix of the walk.
    fn step(&mut self) -> Option<PrefixId> {
        loop {
            let at = self.subgroup.walk?;
            let family = at.family();
            if at.number() < self.table.end(family) && self.subgroup.key.families.contains(&family) {
                self.subgroup.walk = Some(PrefixId::new(family, at.number() + 1));
                return Some(at);
            }
            self.subgroup.walk = match family {
                Family::Ipv4Unicast => Some(PrefixId::new(Family::Ipv6Unicast, 0)),
                Family::Ipv6Unicast => {
                    self.subgroup.before = None;
                    self.subgroup.force = false;
                    None
                }
            };
        }
    }

    /// Works out what is to be said of a prefix, and takes it as said; returns about how many octets that takes.
    fn look(&mut self, id: PrefixId, walked: bool) -> usize {
        work::note(1);
        let key = &self.subgroup.key;
        let old = walked && self.subgroup.before.is_some();
        let force = (walked && self.subgroup.force) || self.volatile;
        let send = *key.features.add_path_out.get(id.family());
        if send != AddPathSend::None {
            return self.look_at_several(id, send, (old, force));
        }
        let told = self.subgroup.sent.get(id);
        let best = self
            .table
            .entry(id)
            .best()
            .copied()
            .map(|path| self.route(id, &path));
        if told == Told::Nothing && best.is_none() {
            return 0;
        }
        let wanted = best.and_then(|route| Some((route, self.form(id, route, false)?)));
        match (told, wanted) {
            (Told::Nothing, None) => 0,
            (_, None) => self.withdraw(id, told),
            (Told::Nothing, Some((route, form))) => {
                let octets = self.announce(mention(id, Slot::NONE), form, Whom::AllBut(route.slot));
                self.note(id, Told::Route(route.attr, route.slot));
                octets
            }
            // The same set of the same session looks the same, if it may be told at all.
            (Told::Route(attr, slot), Some((route, _)))
                if !old && !force && (attr, slot) == (route.attr, route.slot) =>
            {
                0
            }
            (Told::Something, Some((route, form))) => self.change(id, Slot::LOCAL, route, Some(form)),
            (Told::Route(attr, slot), Some((route, form))) => {
                let was = self.form_told(id, (attr, slot), old);
                let same = !force && was.is_some_and(|was| self.forms.get(was) == self.forms.get(form));
                let octets = self.change(id, slot, route, (!same).then_some(form));
                if same && slot != route.slot && self.counts(slot) {
                    return octets + self.announce(mention(id, Slot::NONE), form, Whom::Only(slot));
                }
                octets
            }
        }
    }

    pub(super) fn judge(&self) -> Judge<'_> {
        Judge::new(self.attrs, self.peers, self.local)
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            local: self.local,
            peers: self.peers,
            attrs: self.attrs,
            interfaces: self.interfaces,
        }
    }

    /// The path as export policy begins with it.
    pub(super) fn route(&self, id: PrefixId, path: &Path) -> Route {
        let kept = || self.as_received.get(&(id, path.slot, path.path_id)).copied();
        let priority = self.priorities.then(|| {
            let received = kept().unwrap_or(path.attr);
            judge::priority(self.view(), &self.table.prefix(id), received, path.slot)
        });
        Route {
            attr: path.attr,
            slot: path.slot,
            family: id.family(),
            priority: priority.flatten(),
        }
    }

    pub(super) fn form(&mut self, id: PrefixId, route: Route, old: bool) -> Option<usize> {
        let Subgroup { key, before, .. } = &*self.subgroup;
        let policy = before.as_ref().filter(|_| old).unwrap_or(key);
        let table = &*self.table;
        let view = View {
            local: self.local,
            peers: self.peers,
            attrs: self.attrs,
            interfaces: self.interfaces,
        };
        self.forms.of(route, || table.prefix(id), (policy, old), view)
    }

    /// What a route looked like to the members that was told; what filters looked at beside the set is not known any more.
    pub(super) fn form_told(
        &mut self,
        id: PrefixId,
        (attr, slot): (AttrId, Slot),
        old: bool,
    ) -> Option<usize> {
        let family = id.family();
        let told = Route {
            attr,
            slot,
            family,
            priority: None,
        };
        self.form(id, told, old)
    }

    fn withdraw(&mut self, id: PrefixId, told: Told) -> usize {
        let before = match told {
            Told::Route(_, slot) => slot,
            Told::Nothing | Told::Something => Slot::LOCAL,
        };
        // Until it is written, and longer if the chunk keeps record of it.
        self.hold(id);
        self.batch.withdraw(mention(id, before), Whom::AllBut(before));
        self.note(id, Told::Nothing);
        8
    }

    /// What a session taught was told; now another route is. The new teacher loses what it had of others.
    fn change(&mut self, id: PrefixId, before: Slot, route: Route, form: Option<usize>) -> usize {
        let mut octets = 0;
        if let Some(form) = form {
            octets += self.announce(mention(id, before), form, Whom::AllBut(route.slot));
        }
        if before != route.slot && self.counts(route.slot) {
            self.hold(id);
            self.batch.withdraw(mention(id, before), Whom::Only(route.slot));
            octets += 8;
        }
        self.note(id, Told::Route(route.attr, route.slot));
        octets
    }

    pub(super) fn announce(&mut self, mention: Mention, form: usize, whom: Whom) -> usize {
        self.hold(mention.id);
        match self.batch.announce(mention, form, whom) {
            true => self.forms.get(form).overhead() + 8,
            false => 5,
        }
    }

    fn hold(&mut self, id: PrefixId) {
        if self.held.take_if(|held| *held == id).is_none() {
            self.table.hold(id);
        }
    }

    fn note(&mut self, id: PrefixId, told: Told) {
        self.subgroup.sent.set(id, told, self.table, self.attrs);
    }

    /// Whether what is said to one session alone is said to a member, or to one that may become one and hear all of this.
    fn counts(&self, slot: Slot) -> bool {
        let member = |slot| Some(self.peers.get(slot)?.out.as_ref()?.subgroup == self.at);
        slot.0 < Slot::NONE.0 && (self.subgroup.from_nothing || member(slot).unwrap_or(false))
    }

    /// Says that the first table of a family is out, where it is.
    fn end_of_rib(&mut self, chunk: &mut Chunk) {
        let walk = self.subgroup.walk;
        let Subgroup { unfinished, .. } = &mut *self.subgroup;
        unfinished.retain(|family| {
            let out = walk.is_none_or(|walk| walk.family() > *family);
            if out {
                wire::encode_end_of_rib(&mut chunk.bytes, *family);
                chunk.close_piece(Whom::AllBut(Slot::NONE), Some(*family));
            }
            !out
        });
    }
}

/// A prefix of which one path is told.
fn mention(id: PrefixId, before: Slot) -> Mention {
    Mention {
        id,
        before,
        number: 0,
    }
}
