//! [`Rib`] itself: what it is made of, and how it takes in changes.

use super::changes::ChangeLog;
use super::entry::{Entry, Route, Slot};
use super::intern::{Body, Interner};
use super::model::{LocalSettings, NextHopState, NextHopTable, Originated, PeerPolicy, PeerSession};
use super::peers::Peers;
use super::policy::import::Verdict;
use super::policy::{export, import};
use super::select::{self, Context};
use crate::types::{Family, PeerId};
use crate::wire::{PathAttributes, RoutesIn};
use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// All routes of a speaker: see the module `rib`.
#[derive(Clone, Debug)]
pub struct Rib {
    pub(super) local: LocalSettings,
    pub(super) peers: Peers,
    pub(super) table: JointPrefixMap<IpNet, Entry>,
    pub(super) next_hops: NextHopTable,
    pub(super) interner: Interner,
    /// Routes by NEXT_HOP.
    pub(super) tracked: FxHashMap<IpAddr, usize>,
    originated: BTreeMap<IpNet, Originated>,
    changed: bool,
    pub(super) log: ChangeLog,
}

impl Rib {
    /// Without peers, routes and next hops.
    pub fn new(local: LocalSettings) -> Self {
        Self {
            local,
            peers: Peers::default(),
            table: JointPrefixMap::new(),
            next_hops: NextHopTable::new(),
            interner: Interner::default(),
            tracked: FxHashMap::default(),
            originated: BTreeMap::new(),
            changed: false,
            log: ChangeLog::default(),
        }
    }

    /// Takes up settings; stored routes are judged and selected anew where that could matter.
    pub fn configure(&mut self, local: LocalSettings) {
        let old = std::mem::replace(&mut self.local, local);
        let judge = old.import != self.local.import || old.router_id != self.local.router_id;
        let select = old.multipath != self.local.multipath || old.router_id != self.local.router_id;
        if judge || select {
            self.judge_all(|_| judge, select);
        }
    }

    /// A session is up: its Adj-RIB-In is empty, and it is to be told all that it may know, then End-of-RIB. An
    /// earlier session of the peer counts as ended.
    ///
    /// Routes that were retained of it stay, as stale as they are: see [`Rib::peer_retained`].
    pub fn peer_up(&mut self, peer: PeerId, session: PeerSession) {
        if self.resume(peer, &session) {
            return;
        }
        self.peer_down(peer);
        let slot = self.peers.insert(peer, session);
        self.mark_all_for(slot);
    }

    /// The policy of a session that stays up has changed: stored routes are judged anew, and what was advertised is
    /// compared with what should be.
    pub fn peer_policy(&mut self, peer: PeerId, policy: PeerPolicy) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        let transit_changed = state.session.transit != policy.transit;
        state.session.apply(policy);
        self.judge_all(|route| route.slot == slot, false);
        self.mark_all_for(slot);
        if transit_changed {
            let taught = |entry: &Entry| entry.best().is_some_and(|best| best.slot == slot);
            for prefix in self.prefixes_where(taught) {
                self.mark(prefix);
            }
        }
    }

    /// The session has ended: all that it taught and was told is forgotten.
    pub fn peer_down(&mut self, peer: PeerId) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.clear(slot, &Family::ALL);
        self.peers.remove(peer);
        self.interner.sweep();
    }

    /// Takes in the routes of one UPDATE; families in `disable` are dropped, and ignored until the session ends.
    pub fn update(&mut self, peer: PeerId, update: RoutesIn, now: Instant) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.disable(slot, &update.disable);
        // Withdrawals first: a prefix that is in both is announced (RFC 4271 §4.3).
        for nlri in update.withdrawn.iter().flat_map(|w| &w.nlri) {
            self.withdraw(slot, nlri.prefix);
        }
        for announcement in update.announced {
            let takes = |state: &super::peers::Peer| {
                state.session.families.contains(&announcement.family)
                    && !state.disabled.contains(&announcement.family)
            };
            if self.peers.get(slot).is_some_and(takes) {
                let body = self
                    .interner
                    .body(Some(announcement.next_hop), update.attributes.clone());
                for nlri in announcement.nlri {
                    self.announce(slot, nlri.prefix, Arc::clone(&body), Some(now));
                }
            }
        }
    }

    /// The peer asked for ROUTE-REFRESH: what it was told of the family is told again.
    pub fn refresh(&mut self, peer: PeerId, family: Family) {
        if let Some(state) = self.peers.slot(peer).and_then(|slot| self.peers.get_mut(slot)) {
            state.out.resend(family);
        }
    }

    /// Sets all that is originated here.
    pub fn originate(&mut self, routes: BTreeMap<IpNet, Originated>) {
        let routes: BTreeMap<IpNet, Originated> = routes
            .into_iter()
            .map(|(prefix, route)| (prefix.trunc(), route))
            .collect();
        let old = std::mem::take(&mut self.originated);
        for prefix in old.keys().filter(|prefix| !routes.contains_key(prefix)) {
            self.withdraw(Slot::LOCAL, *prefix);
        }
        for (prefix, route) in routes
            .iter()
            .filter(|(prefix, route)| old.get(prefix) != Some(route))
        {
            let body = self.interner.body(None, attributes_of(route));
            self.announce(Slot::LOCAL, *prefix, body, None);
        }
        self.originated = routes;
    }

    /// Sets the state of every next hop; an address that is absent cannot be reached.
    pub fn set_next_hops(&mut self, table: NextHopTable) {
        let old = std::mem::replace(&mut self.next_hops, table);
        let metric = |table: &NextHopTable, address: &IpAddr| match table.get(address) {
            Some(NextHopState::Reachable { metric }) => Some(*metric),
            Some(NextHopState::Unreachable) | None => None,
        };
        let moved: BTreeSet<IpAddr> = old
            .keys()
            .chain(self.next_hops.keys())
            .filter(|address| self.tracked.contains_key(address))
            .filter(|address| metric(&old, address) != metric(&self.next_hops, address))
            .copied()
            .collect();
        if !moved.is_empty() {
            for prefix in self.prefixes_where(|entry| entry.has_next_hop(|address| moved.contains(&address)))
            {
                self.reselect(prefix, false);
            }
        }
    }

    /// Whether the Loc-RIB or the set of tracked next hops has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn announce(&mut self, slot: Slot, prefix: IpNet, body: Arc<Body>, learned: Option<Instant>) {
        let entry = self.table.entry(prefix).or_default();
        if entry
            .of(slot)
            .is_some_and(|(route, _)| Arc::ptr_eq(&route.body, &body))
        {
            // Nothing new: it stays as old as it is.
            entry.set_stale(slot, false);
            return;
        }
        let verdict = judge(&self.peers, &self.local, &prefix, slot, &body);
        if let Some(address) = body.next_hop_address() {
            let count = self.tracked.entry(address).or_default();
            *count += 1;
            self.changed |= *count == 1;
        }
        let route = Route {
            slot,
            verdict,
            learned,
            stale: false,
            body,
        };
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.count_in(Family::of(&prefix), &route);
        }
        let (old, was_selected) = entry.put(route);
        if let Some(old) = old {
            self.forget(&prefix, &old);
        }
        self.reselect(prefix, was_selected);
    }

    pub(super) fn withdraw(&mut self, slot: Slot, prefix: IpNet) {
        if let Some((old, was_selected)) = self.table.get_mut(&prefix).and_then(|entry| entry.take(slot)) {
            self.forget(&prefix, &old);
            self.reselect(prefix, was_selected);
        }
    }

    /// Counts a route out that has left the table.
    fn forget(&mut self, prefix: &IpNet, route: &Route) {
        if let Some(peer) = self.peers.get_mut(route.slot) {
            peer.count_out(Family::of(prefix), route);
        }
        if let Some(address) = route.body.next_hop_address()
            && let Some(count) = self.tracked.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.tracked.remove(&address);
                self.changed = true;
            }
        }
    }

    fn disable(&mut self, slot: Slot, families: &[Family]) {
        if !families.is_empty() {
            self.clear(slot, families);
            if let Some(state) = self.peers.get_mut(slot) {
                state.disabled.extend(families);
            }
        }
    }

    pub(super) fn clear(&mut self, slot: Slot, families: &[Family]) {
        let mut prefixes = self.prefixes_where(|entry| entry.of(slot).is_some());
        prefixes.retain(|prefix| families.contains(&Family::of(prefix)));
        for prefix in prefixes {
            self.withdraw(slot, prefix);
        }
    }

    /// Judges those routes anew, and selects anew where a verdict has changed, or everywhere.
    pub(super) fn judge_all(&mut self, which: impl Fn(&Route) -> bool, select_all: bool) {
        for prefix in self.prefixes_where(|entry| select_all || entry.routes().iter().any(&which)) {
            let Some(entry) = self.table.get_mut(&prefix) else {
                continue;
            };
            let (peers, local) = (&self.peers, &self.local);
            let changes = entry
                .judge(|route| which(route).then(|| judge(peers, local, &prefix, route.slot, &route.body)));
            for (slot, old, new) in &changes {
                if let Some(peer) = self.peers.get_mut(*slot) {
                    let tally = peer.tally.get_mut(Family::of(&prefix));
                    tally.accepted += usize::from(new.is_accepted());
                    tally.accepted -= usize::from(old.is_accepted());
                }
            }
            if select_all || !changes.is_empty() {
                self.reselect(prefix, false);
            }
        }
    }

    /// Runs the decision for a prefix and tells whom it may concern. `touched`: a route that was selected has changed
    /// or is gone.
    fn reselect(&mut self, prefix: IpNet, touched: bool) {
        let Some(entry) = self.table.get_mut(&prefix) else {
            return;
        };
        let context = Context {
            peers: &self.peers,
            next_hops: &self.next_hops,
            router_id: self.local.router_id,
            multipath: self.local.multipath.max(1),
        };
        let changed = entry.reselect(|routes| context.decide(routes));
        let selected = changed.selected || touched;
        if selected || changed.backup {
            self.changed = true;
            self.log.note(prefix);
        }
        // Peers are told the best path alone.
        if selected {
            self.mark(prefix);
        }
        if self.table.get(&prefix).is_some_and(Entry::is_empty) {
            self.table.remove(&prefix);
        }
    }

    /// The peers that know the prefix, and those that may, are to be told.
    fn mark(&mut self, prefix: IpNet) {
        for slot in self.peers.slots() {
            self.mark_for(slot, prefix);
        }
    }

    /// All that a peer was told or may be told is to be looked at.
    pub(super) fn mark_all_for(&mut self, slot: Slot) {
        for prefix in self.prefixes_where(|_| true) {
            self.mark_for(slot, prefix);
        }
    }

    fn mark_for(&mut self, slot: Slot, prefix: IpNet) {
        let best = self.table.get(&prefix).and_then(Entry::best);
        let permitted = best.is_some_and(|best| {
            let source = select::source(&self.peers, best, slot);
            self.peers
                .get(slot)
                .is_some_and(|peer| export::permit(&prefix, &source, &peer.session).is_ok())
        });
        if let Some(peer) = self.peers.get_mut(slot)
            && (permitted || peer.out.has_sent(&prefix))
        {
            peer.out.mark(prefix);
        }
    }

    pub(super) fn prefixes_where(&self, mut wanted: impl FnMut(&Entry) -> bool) -> Vec<IpNet> {
        self.table
            .iter()
            .filter(|(_, entry)| wanted(entry))
            .map(|(prefix, _)| prefix)
            .collect()
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            peers: &self.peers,
            next_hops: &self.next_hops,
            router_id: self.local.router_id,
            multipath: self.local.multipath.max(1),
        }
    }
}

fn judge(peers: &Peers, local: &LocalSettings, prefix: &IpNet, slot: Slot, body: &Body) -> Verdict {
    match (peers.get(slot), body.next_hop) {
        (Some(peer), Some(next_hop)) => {
            import::check(prefix, next_hop, &body.attributes, &peer.session, local).into()
        }
        // Originated here.
        _ => Verdict::ACCEPTED,
    }
}

fn attributes_of(route: &Originated) -> PathAttributes {
    let mut communities = route.communities.clone();
    communities.sort();
    communities.dedup();
    PathAttributes {
        communities,
        ..PathAttributes::default()
    }
}
