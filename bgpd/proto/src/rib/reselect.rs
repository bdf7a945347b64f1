//! The decision for one prefix, when something about one of its paths has changed, and whom the outcome concerns.
//!
//! The paths of a prefix stand in the order of the last decision. A path that comes new mostly changes nothing, or finds its
//! place among the chosen ones at once ([`Rib::welcome`]); for all else the decision runs over all paths ([`Rib::reselect`]).

use super::choice::{Judge, Newcomer};
use super::hub::Rib;
use super::table::{Path, PrefixId};
use super::work;

/// What a change of one path means for what was chosen before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Touched {
    /// The best path has changed or is gone.
    pub best: bool,
    /// A selected one has.
    pub selected: bool,
    /// The one that stood by has.
    pub backup: bool,
}

impl Touched {
    /// The path at this place is another one, or gone.
    pub fn at(position: usize, selected: usize, backup: bool) -> Self {
        Touched {
            best: position == 0 && selected > 0,
            selected: position < selected,
            backup: backup && position == selected,
        }
    }

    pub fn and(self, other: Touched) -> Self {
        Touched {
            best: self.best || other.best,
            selected: self.selected || other.selected,
            backup: self.backup || other.backup,
        }
    }
}

impl Rib {
    /// Does what the last path of a prefix, which has just come, means for what was chosen.
    pub(super) fn welcome(&mut self, id: PrefixId) {
        let entry = self.table.entry(id);
        let (last, chosen) = (entry.paths().len() - 1, entry.selected().len());
        let backup = entry.backup().is_some();
        if last == 0 {
            let usable = self.judge().is_usable(&entry.paths()[0]);
            if usable {
                self.first(id);
            }
            return;
        }
        let newcomer = self.judge().newcomer(&entry);
        self.mark_several(id);
        let (place, chosen, backup) = match newcomer {
            Newcomer::Nothing => return,
            Newcomer::Unclear => return self.reselect(id, Touched::default()),
            Newcomer::Joins(place) => (place, chosen + 1, backup),
            Newcomer::StandsBy => (chosen, chosen, true),
        };
        self.table.paths_mut(id)[place..=last].rotate_right(1);
        self.table.select(id, chosen, backup);
        self.changed = true;
        self.log.note(id, &mut self.table);
        if place == 0 {
            self.mark(id);
        }
    }

    /// A prefix that had no path has one.
    fn first(&mut self, id: PrefixId) {
        self.table.select(id, 1, false);
        self.changed = true;
        self.log.note(id, &mut self.table);
        self.mark(id);
    }

    /// Runs the decision for a prefix and tells whom it may concern.
    pub(super) fn reselect(&mut self, id: PrefixId, touched: Touched) {
        let entry = self.table.entry(id);
        let name = |path: &Path| (path.slot, path.path_id);
        let before = (
            entry.selected().len(),
            entry.best().map(name),
            entry.backup().map(name),
        );
        let judge = Judge::new(&self.attrs, &self.peers, &self.local);
        let backup = match entry.paths() {
            [path] => {
                self.chooser.one(judge.is_usable(path));
                None
            }
            paths => {
                work::note(paths.len());
                self.chooser.choose(paths, &judge)
            }
        };
        let selected = &self.chooser.selected;
        let same = selected.len() == before.0 && selected.iter().enumerate().all(|(n, at)| n == *at);
        let in_place = same && backup.is_none_or(|at| at == selected.len());
        let count = selected.len();
        if !in_place {
            self.chooser.arrange(self.table.paths_mut(id), backup);
        }
        self.table.select(id, count, backup.is_some());
        let entry = self.table.entry(id);
        let after = (entry.best().map(name), entry.backup().map(name));
        if !same || touched.selected || touched.backup || after.1 != before.2 {
            self.changed = true;
            self.log.note(id, &mut self.table);
        }
        // Most peers are told the best path alone.
        if touched.best || after.0 != before.1 {
            self.mark(id);
        } else {
            self.mark_several(id);
        }
        self.table.remove_unused(id);
    }

    pub(super) fn judge(&self) -> Judge<'_> {
        Judge::new(&self.attrs, &self.peers, &self.local)
    }
}
