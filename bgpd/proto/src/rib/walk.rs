//! Work that concerns paths wherever they are in the table, done a slice at a time: the end of a session, a change of policy, next
//! hops that have moved. One pass does it for all that ask, however many they are; whoever asks while a pass is under way
//! is served from there round to the same place.
//!
//! Until the walk has come by, a path stands as it did: those of a session that has ended are not chosen any more.

use super::attrs::AttrId;
use super::hub::Rib;
use super::peers::{Phase, Todo};
use super::reselect::Touched;
use super::slot::Slot;
use super::table::{Path, PrefixId};
use super::work;
use crate::types::{Family, PerFamily};
use crate::wire::canonical::Says;
use crate::wire::{Community, Said};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Prefixes that are looked at in one go, and at once when something changes: small tables know no delay.
pub(super) const SLICE: usize = 16 * 1024;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What the session's list says: [`super::peers::Peer::todo`].
    Slot(Slot),
    /// Every route is judged.
    Judge,
    /// The decision is run for every prefix.
    Select,
    /// The decision is run where a next hop has moved.
    Hops,
}

/// One who asked.
#[derive(Clone, Copy, Debug)]
struct Job {
    what: What,
    /// Where the walk was.
    start: PrefixId,
    /// It has come to the end of the table since.
    wrapped: bool,
}

/// The walk through the table.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    at: PrefixId,
    jobs: Vec<Job>,
    /// What sets say that were asked for in this slice.
    known: FxHashMap<AttrId, Arc<Said>>,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            at: PrefixId::new(Family::Ipv4Unicast, 0),
            jobs: Vec::new(),
            known: FxHashMap::default(),
        }
    }
}

impl Walker {
    fn has(&self, what: What) -> bool {
        self.jobs.iter().any(|job| job.what == what)
    }

    /// Nothing is left to do for a slot, which may stand for another session next.
    pub fn forget(&mut self, slot: Slot) {
        self.jobs.retain(|job| job.what != What::Slot(slot));
    }
}

fn place(id: PrefixId) -> (Family, u32) {
    (id.family(), id.number())
}

impl Rib {
    /// Whether [`Rib::work`] has anything to do.
    pub fn has_work(&self) -> bool {
        !self.walker.jobs.is_empty() || !self.out.graves.is_empty()
    }

    /// Does the next slice of what is left to do in the table; whether more is left.
    pub fn work(&mut self) -> bool {
        let mut steps = SLICE;
        while steps > 0 && !self.walker.jobs.is_empty() {
            steps -= 1;
            self.step();
        }
        self.forget_known();
        self.bury(&mut steps);
        self.has_work()
    }

    /// Has the table looked through for something, and begins with it.
    pub(super) fn look_through(&mut self, what: What) {
        let walker = &mut self.walker;
        walker.jobs.retain(|job| job.what != what);
        if walker.jobs.is_empty() {
            walker.at = PrefixId::new(Family::Ipv4Unicast, 0);
        }
        let start = walker.at;
        walker.jobs.push(Job {
            what,
            start,
            wrapped: false,
        });
        self.work();
    }

    /// Does all that is left to do for a session, before something else begins that must not be mixed up with it.
    pub(super) fn finish(&mut self, slot: Slot) {
        while self.walker.has(What::Slot(slot)) {
            self.work();
        }
    }

    fn step(&mut self) {
        work::note(1);
        let at = self.walker.at;
        if at.number() < self.table.end(at.family()) {
            if self.table.is_live(at) {
                self.visit(at);
            }
            self.walker.at = PrefixId::new(at.family(), at.number() + 1);
        } else if at.family() == Family::Ipv4Unicast {
            self.walker.at = PrefixId::new(Family::Ipv6Unicast, 0);
        } else {
            self.walker.at = PrefixId::new(Family::Ipv4Unicast, 0);
            self.walker.jobs.iter_mut().for_each(|job| job.wrapped = true);
        }
        let now = place(self.walker.at);
        if self
            .walker
            .jobs
            .iter()
            .any(|job| job.wrapped && now >= place(job.start))
        {
            self.end_jobs();
        }
    }

    fn end_jobs(&mut self) {
        let now = place(self.walker.at);
        let jobs = std::mem::take(&mut self.walker.jobs);
        let (done, left): (Vec<Job>, Vec<Job>) = jobs
            .into_iter()
            .partition(|job| job.wrapped && now >= place(job.start));
        self.walker.jobs = left;
        for job in done {
            match job.what {
                What::Slot(slot) => {
                    if let Some(peer) = self.peers.get_mut(slot) {
                        peer.todo = Todo::default();
                        if peer.phase == Phase::Gone {
                            self.peers.remove(slot);
                        }
                    }
                }
                What::Hops => self.attrs.hops.settle(),
                What::Judge | What::Select => {}
            }
        }
    }

    /// Does at one prefix what is to be done.
    fn visit(&mut self, id: PrefixId) {
        let (judge_all, select_all) = (self.walker.has(What::Judge), self.walker.has(What::Select));
        let moved = self.walker.has(What::Hops);
        let mut touched = None;
        let (mut tell, mut tell_several, mut note) = (false, false, false);
        for position in (0..self.table.entry(id).paths().len()).rev() {
            let entry = self.table.entry(id);
            let (path, selected) = (entry.paths()[position], entry.selected().len());
            let todo = self
                .peers
                .get(path.slot)
                .map(|peer| peer.todo)
                .unwrap_or_default();
            if todo != Todo::default() && self.is_to_go(id.family(), &path, &todo) {
                touched = Some(self.take_out(id, position).and(touched.unwrap_or_default()));
                continue;
            }
            if *todo.long_lived.get(id.family()) && self.make_long_lived(id, position) {
                touched = Some(Touched::at(position, selected, false).and(touched.unwrap_or_default()));
                continue;
            }
            let entry = self.table.entry(id);
            tell |= todo.tell && position == 0 && !entry.selected().is_empty();
            tell_several |= todo.tell;
            note |= todo.note;
            if todo.select {
                touched = Some(touched.unwrap_or_default());
            }
            if (judge_all || todo.judge)
                && let Some(other_words) = self.judge_again(id, position, &path)
            {
                let at = match other_words {
                    true => Touched::at(position, selected, false),
                    false => Touched::default(),
                };
                touched = Some(at.and(touched.unwrap_or_default()));
            }
            if moved && self.attrs.hops.is_moved(self.attrs.head(path.attr).hop) {
                touched = Some(touched.unwrap_or_default());
            }
        }
        if tell_several {
            self.mark_several(id);
        }
        if note {
            self.changed = true;
            self.log.note(id, &mut self.table);
        }
        match touched.or(select_all.then(Touched::default)) {
            Some(touched) => {
                if tell {
                    self.mark(id);
                }
                self.reselect(id, touched);
            }
            None if tell => self.mark(id),
            None => {}
        }
    }

    /// Marks a stale path as long-lived; whether it was none before.
    fn make_long_lived(&mut self, id: PrefixId, position: usize) -> bool {
        let path = self.table.entry(id).paths()[position];
        let rounds = self
            .peers
            .get(path.slot)
            .map(|peer| *peer.rounds.get(id.family()))
            .unwrap_or_default();
        if path.flags.is_long_lived() || !rounds.is_stale(path.flags) {
            return false;
        }
        let received = self.as_came(id, &path);
        let attr = self.marked(path.attr);
        self.set_words(id, position, attr, received);
        let place = &mut self.table.paths_mut(id)[position];
        place.flags = place.flags.long_lived();
        true
    }

    /// Puts other words into a path, for which the caller holds the set; what came stays what it is.
    fn set_words(&mut self, id: PrefixId, position: usize, attr: AttrId, received: AttrId) {
        let path = self.table.entry(id).paths()[position];
        // Not let go of before it is held anew.
        self.attrs.hold(received);
        self.forget_received(id, &path);
        let place = &mut self.table.paths_mut(id)[position];
        (place.attr, place.flags) = (attr, path.flags.changed(attr != received));
        if attr != received {
            self.keep_received(id, &path, received);
        }
        self.attrs.release(received);
        self.attrs.release(path.attr);
    }

    fn is_to_go(&self, family: Family, path: &Path, todo: &Todo) -> bool {
        let on = |flags: &PerFamily<bool>| *flags.get(family);
        let rounds = self
            .peers
            .get(path.slot)
            .map(|peer| *peer.rounds.get(family))
            .unwrap_or_default();
        let stale = rounds.is_stale(path.flags);
        let long_lived = path.flags.is_long_lived();
        let forbidden = || self.attrs.canonical(path.attr).has(Community::NO_LLGR);
        on(&todo.clear)
            || (on(&todo.sweep) && stale)
            || (on(&todo.expire) && stale && !long_lived)
            || (on(&todo.long_lived) && stale && !long_lived && forbidden())
            || (on(&todo.refresh) && !stale && rounds.is_unrefreshed(path.flags))
    }

    /// Judges a path anew. `None` where nothing has changed, else whether it says something else now.
    fn judge_again(&mut self, id: PrefixId, position: usize, path: &Path) -> Option<bool> {
        self.peers.get(path.slot)?;
        let received = self.as_came(id, path);
        let says = self.says(received);
        let (verdict, attr) = self.import_again(id, path, &says);
        if verdict == path.verdict && attr == path.attr {
            self.attrs.release(attr);
            return None;
        }
        self.table.paths_mut(id)[position].verdict = verdict;
        if let Some(peer) = self.peers.get_mut(path.slot) {
            let tally = peer.tally.get_mut(id.family());
            tally.gone(path.verdict);
            tally.come(verdict);
        }
        let other_words = attr != path.attr;
        self.set_words(id, position, attr, received);
        Some(other_words)
    }

    /// What a set says, decoded once in a slice; held as long, for its number must not become another one's.
    fn says(&mut self, attr: AttrId) -> Arc<Said> {
        if let Some(says) = self.walker.known.get(&attr) {
            return Arc::clone(says);
        }
        let says = Arc::new(Said::stored(self.attrs.octets(attr)));
        self.attrs.hold(attr);
        self.walker.known.insert(attr, Arc::clone(&says));
        says
    }

    fn forget_known(&mut self) {
        for (attr, _) in std::mem::take(&mut self.walker.known) {
            self.attrs.release(attr);
        }
    }
}
