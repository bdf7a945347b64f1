//! The decision as the table runs it: the same choice as [`super::decision::decide`], on numbers that were worked out when the
//! attributes came (`attrs`). The one explains, this one is quick; the law test holds them to each other.
//!
//! Invariant: the result depends on the set of paths alone, not on their order.

use super::attrs::{Attrs, HopId, LEARNED};
use super::decision::Multipath;
use super::model::{LocalSettings, PathKind};
use super::peers::{Peers, Phase};
use super::select;
use super::slot::Slot;
use super::table::{Entry, Path, Table};
use crate::session::AddPathSend;
use crate::types::RouterId;
use crate::wire::canonical::Says;
use std::cmp::Ordering;

/// What paths are compared by, apart from themselves.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub attrs: &'a Attrs,
    pub peers: &'a Peers,
    pub router_id: RouterId,
    pub multipath: Multipath,
}

/// What a path that has just come, and stands behind all others, changes in what was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// Nothing.
    Nothing,
    /// It is used beside the others, at this place.
    Joins(usize),
    /// It stands by, where none did.
    StandsBy,
    /// Only the whole decision can tell.
    Unclear,
}

/// How a newcomer compares with one that was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    /// It is out of the race, and all others are where they were.
    Out,
    /// It comes to the last step of merit, and is worse there.
    Worse,
    /// It is as good; the tie-breaks are left.
    Even,
    /// It may be better, or throw others out.
    Unclear,
}

/// One path in the race.
#[derive(Clone, Copy, Debug)]
struct Runner {
    position: usize,
    slot: Slot,
    kind: PathKind,
    rank: u64,
    med: u32,
    first_as: u32,
    metric: u32,
    hop: HopId,
}

/// Runs the decision; keeps its lists for the next time.
#[derive(Clone, Debug, Default)]
pub(super) struct Chooser {
    runners: Vec<Runner>,
    left: Vec<Runner>,
    used: Vec<Runner>,
    order: Vec<Path>,
    /// Positions of the paths that were chosen, best first.
    pub selected: Vec<usize>,
}

impl Chooser {
    /// Puts the places of the best path and its companions into `selected`; the answer is the place of the one that stands by
    /// for them: which would be chosen if all paths with their next hops were gone.
    pub fn choose(&mut self, paths: &[Path], judge: &Judge<'_>) -> Option<usize> {
        self.selected.clear();
        self.runners.clear();
        let runners = paths
            .iter()
            .enumerate()
            .filter_map(|(at, path)| judge.runner(at, path));
        self.runners.extend(runners);
        self.left.clone_from(&self.runners);
        judge.race(paths, &mut self.left);
        judge.pair(paths, &self.left, &mut self.used);
        self.selected
            .extend(self.used.iter().map(|runner| runner.position));
        if self.selected.len() == self.runners.len() {
            return None;
        }
        // What is originated here needs no other way.
        if self.used.iter().all(|runner| runner.hop == HopId::NONE) {
            return None;
        }
        let used = &self.used;
        let is_other = |runner: &&Runner| {
            runner.hop != HopId::NONE && !used.iter().any(|used| judge.same_address(used.hop, runner.hop))
        };
        self.left.clear();
        self.left.extend(self.runners.iter().filter(is_other));
        judge.race(paths, &mut self.left);
        self.left.first().map(|runner| runner.position)
    }
}

impl Chooser {
    /// The choice where there is one path alone.
    pub fn one(&mut self, usable: bool) {
        self.selected.clear();
        self.selected.extend(usable.then_some(0));
    }

    /// Puts the chosen paths to the front, in order, then the one that stands by; the others stay in the order that they have.
    pub fn arrange(&mut self, paths: &mut [Path], backup: Option<usize>) {
        self.order.clear();
        let front = self.selected.iter().copied().chain(backup);
        self.order.extend(front.map(|at| paths[at]));
        let is_front = |at: usize| self.selected.contains(&at) || backup == Some(at);
        for (at, path) in paths.iter().enumerate() {
            if !is_front(at) {
                self.order.push(*path);
            }
        }
        paths.copy_from_slice(&self.order);
    }
}

impl<'a> Judge<'a> {
    /// By the settings in force.
    pub fn new(attrs: &'a Attrs, peers: &'a Peers, local: &LocalSettings) -> Self {
        Self {
            attrs,
            peers,
            router_id: local.router_id,
            multipath: select::multipath(local),
        }
    }
}

impl Judge<'_> {
    /// Whether the path may be chosen at all.
    fn runner(&self, position: usize, path: &Path) -> Option<Runner> {
        if !path.verdict.is_accepted() {
            return None;
        }
        let peer = self.peers.get(path.slot);
        if peer.is_some_and(|peer| peer.phase == Phase::Gone) {
            return None;
        }
        let head = self.attrs.head(path.attr);
        Some(Runner {
            position,
            slot: path.slot,
            kind: peer.map_or(PathKind::Local, super::peers::Peer::kind),
            rank: self.rank(path),
            med: head.med,
            first_as: head.first_as,
            metric: self.attrs.hops.metric(head.hop)?,
            hop: head.hop,
        })
    }

    /// The steps up to ORIGIN in one number, the smaller the better.
    pub fn rank(&self, path: &Path) -> u64 {
        let rank = self.attrs.head(path.attr).rank;
        match path.slot {
            Slot::LOCAL => rank & !LEARNED,
            _ => rank,
        }
    }

    /// Whether it may be chosen, were there no other.
    pub fn is_usable(&self, path: &Path) -> bool {
        self.runner(0, path).is_some()
    }

    /// What the last path of a prefix changes; the others were chosen among before it came. Most that come later than others
    /// are worse than those that were chosen, or equal and used beside them.
    pub fn newcomer(&self, entry: &Entry<'_>) -> Newcomer {
        let (paths, chosen) = (entry.paths(), entry.selected().len());
        let Some(last) = paths.len().checked_sub(1).filter(|_| chosen > 0) else {
            return Newcomer::Unclear;
        };
        let Some(new) = self.runner(last, &paths[last]) else {
            return Newcomer::Nothing;
        };
        let Some(best) = self.runner(0, &paths[0]) else {
            return Newcomer::Unclear;
        };
        let against = new.against(&best);
        if against == Against::Unclear {
            return Newcomer::Unclear;
        }
        let (mut even, mut local) = (against == Against::Even, best.hop == HopId::NONE);
        let mut same_hop = self.same_address(new.hop, best.hop).then_some(0);
        // What was chosen beside the best is as good, and differs in where it comes from.
        for (at, path) in entry.selected().iter().enumerate().skip(1) {
            let head = self.attrs.head(path.attr);
            let other = Runner {
                position: at,
                slot: path.slot,
                rank: self.rank(path),
                med: head.med,
                first_as: head.first_as,
                hop: head.hop,
                metric: match self.attrs.hops.metric(head.hop) {
                    Some(metric) => metric,
                    None => return Newcomer::Unclear,
                },
                kind: best.kind,
            };
            match new.against(&other) {
                Against::Unclear => return Newcomer::Unclear,
                Against::Out | Against::Worse => even = false,
                Against::Even => {}
            }
            local &= other.hop == HopId::NONE;
            if self.same_address(new.hop, other.hop) {
                same_hop = Some(at);
            }
        }
        // A path that was not chosen may be the one of its neighbouring AS that MED leaves.
        let thrown_out = |path: &Path| {
            let head = self.attrs.head(path.attr);
            self.rank(path) == new.rank
                && (head.first_as == new.first_as && head.med < new.med)
                && self.is_usable(path)
        };
        if even && !(new.med > 0 && paths[chosen..last].iter().any(thrown_out)) {
            let place = self.place(entry, &new);
            match self.joins(paths, &new, place, chosen, same_hop) {
                Newcomer::Nothing => {}
                Newcomer::Joins(_) if self.takes_hop(&paths[chosen..last], &new) => return Newcomer::Unclear,
                other => return other,
            }
        }
        // What is originated here needs no other way, nor is it one.
        if local || new.hop == HopId::NONE || same_hop.is_some() {
            return Newcomer::Nothing;
        }
        let Some(backup) = entry.backup() else {
            return Newcomer::StandsBy;
        };
        let Some(backup) = self.runner(chosen, backup) else {
            return Newcomer::Unclear;
        };
        match new.against(&backup) {
            Against::Out | Against::Worse => Newcomer::Nothing,
            Against::Even if self.tie_break(paths, &new, &backup).is_gt() => Newcomer::Nothing,
            Against::Even | Against::Unclear => Newcomer::Unclear,
        }
    }

    /// The place of a newcomer in the order of the chosen ones, from behind: mostly it is the last.
    fn place(&self, entry: &Entry<'_>, new: &Runner) -> usize {
        let chosen = entry.selected();
        let is_before = |at: &usize| {
            let other = Runner {
                position: *at,
                slot: chosen[*at].slot,
                ..*new
            };
            self.tie_break(entry.paths(), new, &other).is_gt()
        };
        (0..chosen.len()).rev().find(is_before).map_or(0, |at| at + 1)
    }

    /// Whether a newcomer that is as good as the chosen ones is used beside them, at this place of their order. `same_hop` is the
    /// last of them that has its next hop.
    fn joins(
        &self,
        paths: &[Path],
        new: &Runner,
        place: usize,
        chosen: usize,
        same_hop: Option<usize>,
    ) -> Newcomer {
        let behind = place == chosen;
        if let Some(same) = same_hop {
            // The first of them is used.
            return if same < place {
                Newcomer::Nothing
            } else {
                Newcomer::Unclear
            };
        }
        let most = self.multipath.most.clamp(1, Table::MOST_SELECTED);
        if chosen >= most {
            return if behind {
                Newcomer::Nothing
            } else {
                Newcomer::Unclear
            };
        }
        if !self.multipath.relax && new.kind == PathKind::External {
            let as_path = |at: usize| self.attrs.canonical(paths[at].attr).as_path();
            if place == 0 {
                return Newcomer::Unclear;
            }
            if as_path(new.position) != as_path(0) {
                return Newcomer::Nothing;
            }
        }
        Newcomer::Joins(place)
    }

    /// Whether a path that was not chosen has the same next hop: one that may not stand by any more, or keep others from it.
    fn takes_hop(&self, others: &[Path], new: &Runner) -> bool {
        let hop = |path: &Path| self.attrs.head(path.attr).hop;
        others.iter().any(|path| self.same_address(hop(path), new.hop))
    }

    /// The paths that a peer is told which takes several: the chosen ones, and then, again and again, what is best of the rest.
    /// All of them come in no order.
    pub fn leading(&self, entry: Entry<'_>, send: AddPathSend) -> Vec<Path> {
        let (paths, chosen) = (entry.paths(), entry.selected());
        let most = send.most();
        let rest = (chosen.len()..).zip(&paths[chosen.len()..]);
        let mut rest: Vec<Runner> = rest.filter_map(|(at, path)| self.runner(at, path)).collect();
        let mut leading: Vec<Path> = chosen.iter().take(most).copied().collect();
        if rest.len() <= most - leading.len() {
            leading.extend(rest.iter().map(|runner| paths[runner.position]));
            return leading;
        }
        let mut left = Vec::new();
        while leading.len() < most {
            left.clone_from(&rest);
            self.race(paths, &mut left);
            let Some(best) = left.first() else { break };
            leading.push(paths[best.position]);
            rest.retain(|runner| runner.position != best.position);
        }
        leading
    }

    /// Leaves those that no other one is better than, in the order of the tie-breaks.
    fn race(&self, paths: &[Path], left: &mut Vec<Runner>) {
        if left.len() < 2 {
            return;
        }
        keep_least(left, |runner| runner.rank);
        if left.iter().any(|runner| runner.med != left[0].med) {
            // Only among paths of one neighbouring AS.
            left.sort_unstable_by_key(|runner| (runner.first_as, runner.med));
            let mut group = None;
            left.retain(|runner| {
                let least = *group.get_or_insert((runner.first_as, runner.med));
                if least.0 != runner.first_as {
                    group = Some((runner.first_as, runner.med));
                    return true;
                }
                least.1 == runner.med
            });
        }
        keep_least(left, |runner| runner.kind == PathKind::Internal);
        keep_least(left, |runner| runner.metric);
        if left.len() > 1 {
            left.sort_unstable_by(|a, b| self.tie_break(paths, a, b));
        }
    }

    /// Identifier, CLUSTER_LIST, peer.
    fn tie_break(&self, paths: &[Path], a: &Runner, b: &Runner) -> Ordering {
        let key = |runner: &Runner| {
            let path = &paths[runner.position];
            let peer = self.peers.get(runner.slot);
            let remote = peer.map_or(self.router_id, |peer| peer.session.remote_router_id);
            let (originator, clusters) = match self.attrs.head(path.attr).reflected {
                true => {
                    let says = self.attrs.canonical(path.attr);
                    let originator = says.originator();
                    let originator = originator.filter(|_| runner.kind == PathKind::Internal);
                    (originator, says.clusters())
                }
                false => (None, 0),
            };
            (originator.unwrap_or(remote), clusters)
        };
        // Two sessions with one speaker are rare.
        let name = |runner: &Runner| {
            let id = self.peers.get(runner.slot).map(|peer| peer.id);
            (id, paths[runner.position].path_id)
        };
        key(a).cmp(&key(b)).then_with(|| name(a).cmp(&name(b)))
    }

    /// The first of equals, and those that may be used beside it.
    fn pair(&self, paths: &[Path], equal: &[Runner], used: &mut Vec<Runner>) {
        used.clear();
        let most = self.multipath.most.clamp(1, Table::MOST_SELECTED);
        let as_path = |runner: &Runner| self.attrs.canonical(paths[runner.position].attr).as_path();
        for runner in equal {
            let Some(best) = used.first() else {
                used.push(*runner);
                continue;
            };
            if used.len() >= most {
                return;
            }
            let other_path = !self.multipath.relax
                && runner.kind == PathKind::External
                && as_path(runner) != as_path(best);
            if !other_path && !used.iter().any(|used| self.same_address(used.hop, runner.hop)) {
                used.push(*runner);
            }
        }
    }

    #[inline]
    fn same_address(&self, a: HopId, b: HopId) -> bool {
        self.attrs.hops.is_same_address(a, b)
    }
}

impl Runner {
    /// Compares step by step, as far as two paths alone can be compared: MED is for paths of one neighbouring AS.
    fn against(&self, other: &Runner) -> Against {
        match self.rank.cmp(&other.rank) {
            Ordering::Greater => return Against::Out,
            Ordering::Less => return Against::Unclear,
            Ordering::Equal => {}
        }
        if self.first_as == other.first_as && self.med != other.med {
            return if self.med > other.med {
                Against::Out
            } else {
                Against::Unclear
            };
        }
        let key = |runner: &Runner| (runner.kind == PathKind::Internal, runner.metric);
        match key(self).cmp(&key(other)) {
            Ordering::Greater => Against::Worse,
            Ordering::Less => Against::Unclear,
            Ordering::Equal => Against::Even,
        }
    }
}

fn keep_least<K: Ord>(runners: &mut Vec<Runner>, key: impl Fn(&Runner) -> K) {
    if let Some(least) = runners.iter().map(&key).min() {
        runners.retain(|runner| key(runner) == least);
    }
}
