//! All routes to one prefix: the slices of every Adj-RIB-In that meet here, with the outcome of the decision.
//!
//! The selected routes stand first, best path first, so that the Loc-RIB costs no memory of its own. A route is 32
//! octets: it points at what it says, and at its peer by [`Slot`].

use super::intern::Body;
use super::policy::import::Verdict;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Place of a peer in the RIB's list of sessions; good as long as the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub u32);

impl Slot {
    /// What is originated here.
    pub const LOCAL: Slot = Slot(u32::MAX);
    /// Nobody's: of the route that stood by until it changed.
    const CHANGED: Slot = Slot(u32::MAX - 1);
}

/// One route.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Whose it is.
    pub slot: Slot,
    /// What the import policy says of it.
    pub verdict: Verdict,
    /// When it came; `None` for what is originated here.
    pub learned: Option<Instant>,
    /// Kept from a session that ended, until the peer has said it again (RFC 4724 §4.2).
    pub stale: bool,
    pub body: Arc<Body>,
}

impl Route {
    fn is_accepted(&self) -> bool {
        self.verdict.is_accepted()
    }
}

/// All routes to one prefix.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    routes: Vec<Route>,
    selected: u32,
    /// Whose route stands by; [`Slot::LOCAL`], which never does, for nobody's.
    backup: Slot,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            selected: 0,
            backup: Slot::LOCAL,
        }
    }
}

/// What the decision says about all routes to a prefix, as positions among those that it was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// The best one, then its companions.
    pub selected: Vec<usize>,
    /// The best of the others that has another NEXT_HOP.
    pub backup: Option<usize>,
}

/// What a new decision has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// Other routes, or the same ones in another order, are selected now.
    pub selected: bool,
    /// Another route stands by.
    pub backup: bool,
}

impl Entry {
    /// Best path first, then its companions; empty where nothing is usable.
    pub fn selected(&self) -> &[Route] {
        &self.routes[..self.selected as usize]
    }

    /// The best path.
    pub fn best(&self) -> Option<&Route> {
        self.selected().first()
    }

    /// The next hop that stands by.
    pub fn backup(&self) -> Option<IpAddr> {
        self.of(self.backup)?.0.body.next_hop_address()
    }

    /// All routes, the selected ones first.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The route of one peer, with whether it is selected.
    pub fn of(&self, slot: Slot) -> Option<(&Route, bool)> {
        let position = self.position(slot)?;
        Some((&self.routes[position], position < self.selected as usize))
    }

    /// Whether any route has one of these next hops.
    pub fn has_next_hop(&self, mut is_one: impl FnMut(IpAddr) -> bool) -> bool {
        self.routes
            .iter()
            .any(|route| route.body.next_hop_address().is_some_and(&mut is_one))
    }

    /// Marks the route of one peer as stale or not.
    pub fn set_stale(&mut self, slot: Slot, stale: bool) {
        if let Some(route) = self.routes.iter_mut().find(|route| route.slot == slot) {
            route.stale = stale;
        }
    }

    /// Puts a route in the place of the same peer's earlier one, which is returned with whether it was selected. The
    /// selection is right again only after [`Entry::reselect`].
    pub fn put(&mut self, route: Route) -> (Option<Route>, bool) {
        self.forget_backup(route.slot);
        match self.position(route.slot) {
            Some(position) => {
                let old = std::mem::replace(&mut self.routes[position], route);
                (Some(old), position < self.selected as usize)
            }
            None => {
                self.routes.push(route);
                (None, false)
            }
        }
    }

    /// Takes a peer's route out; returns it with whether it was selected.
    pub fn take(&mut self, slot: Slot) -> Option<(Route, bool)> {
        let position = self.position(slot)?;
        self.forget_backup(slot);
        let was_selected = position < self.selected as usize;
        if was_selected {
            self.selected -= 1;
        }
        let route = self.routes.remove(position);
        if self.routes.capacity() > 2 * self.routes.len() {
            self.routes.shrink_to_fit();
        }
        Some((route, was_selected))
    }

    /// Judges anew the routes that `judge` has a verdict for; returns the changes, as old and new verdict.
    pub fn judge(&mut self, judge: impl Fn(&Route) -> Option<Verdict>) -> Vec<(Slot, Verdict, Verdict)> {
        let mut changes = Vec::new();
        for route in &mut self.routes {
            if let Some(verdict) = judge(route).filter(|verdict| *verdict != route.verdict) {
                changes.push((route.slot, route.verdict, verdict));
                route.verdict = verdict;
            }
        }
        changes
    }

    /// Selects anew. `decide` gets the accepted routes and answers with positions among them.
    pub fn reselect(&mut self, decide: impl FnOnce(&[&Route]) -> Choice) -> Changed {
        let accepted: Vec<usize> = (0..self.routes.len())
            .filter(|i| self.routes[*i].is_accepted())
            .collect();
        let candidates: Vec<&Route> = accepted.iter().map(|i| &self.routes[*i]).collect();
        let choice = decide(&candidates);
        let chosen: Vec<usize> = choice.selected.into_iter().map(|i| accepted[i]).collect();
        let same = chosen.len() == self.selected as usize && chosen.iter().enumerate().all(|(n, i)| n == *i);
        let backup = (choice.backup).map_or(Slot::LOCAL, |at| candidates[at].slot);
        let changed = Changed {
            selected: !same,
            backup: self.backup != backup,
        };
        self.backup = backup;
        if same {
            return changed;
        }
        // The chosen ones to the front, in order; the others stay in the order that they have.
        let mut rank = vec![usize::MAX; self.routes.len()];
        chosen.iter().enumerate().for_each(|(n, i)| rank[*i] = n);
        let mut routes: Vec<(usize, Route)> = rank.into_iter().zip(self.routes.drain(..)).collect();
        routes.sort_by_key(|(rank, _)| *rank);
        self.routes.extend(routes.into_iter().map(|(_, route)| route));
        // There are never more than peers, and those are numbered by 32 bits.
        self.selected = chosen.len() as u32;
        changed
    }

    /// A route that stood by is another one now, or gone: whatever stands by next is a change.
    fn forget_backup(&mut self, slot: Slot) {
        if self.backup == slot && slot != Slot::LOCAL {
            self.backup = Slot::CHANGED;
        }
    }

    fn position(&self, slot: Slot) -> Option<usize> {
        self.routes.iter().position(|route| route.slot == slot)
    }
}
