//! From stored routes to the decision and to export policy: looks up what both need to know of a route's peer and next
//! hop.

use super::decision::{self, Candidate, Fate};
use super::entry::{Choice, Route, Slot};
use super::model::{NextHopState, NextHopTable, PathKind};
use super::peers::Peers;
use super::policy::export::Source;
use super::policy::import::DEFAULT_LOCAL_PREF;
use crate::types::{PeerId, RouterId};
use std::net::IpAddr;

/// What a route is judged by, apart from itself.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub peers: &'a Peers,
    pub next_hops: &'a NextHopTable,
    pub router_id: RouterId,
    pub multipath: usize,
}

impl Context<'_> {
    /// The selected routes, best first, and the one that stands by for them: which the decision process would choose if all routes
    /// with their next hops were gone.
    pub fn decide(&self, routes: &[&Route]) -> Choice {
        let selected = self.decide_with(routes, |_, _| {});
        let backup = match selected.len() < routes.len() {
            true => self.backup(routes, &selected),
            false => None,
        };
        Choice { selected, backup }
    }

    fn backup(&self, routes: &[&Route], selected: &[usize]) -> Option<usize> {
        let next_hop = |at: &usize| routes.get(*at)?.body.next_hop_address();
        let used: Vec<IpAddr> = selected.iter().filter_map(next_hop).collect();
        // What is originated here needs no other way.
        if used.is_empty() {
            return None;
        }
        let is_other = |at: &usize| next_hop(at).is_some_and(|address| !used.contains(&address));
        let others: Vec<usize> = (0..routes.len()).filter(is_other).collect();
        let candidates: Vec<Candidate<'_>> = others.iter().map(|at| self.candidate(routes[*at])).collect();
        let best = *decision::decide(&candidates, 1, |_, _| {}).first()?;
        others.get(best).copied()
    }

    /// Positions of the selected routes, best first, and how each fared.
    pub fn decide_with(&self, routes: &[&Route], fate: impl FnMut(usize, Fate)) -> Vec<usize> {
        let candidates: Vec<Candidate<'_>> = routes.iter().map(|route| self.candidate(route)).collect();
        decision::decide(&candidates, self.multipath, fate)
    }

    /// What the decision compares of a route.
    pub fn candidate<'r>(&self, route: &'r Route) -> Candidate<'r> {
        let attributes = &*route.body.attributes;
        let kind = kind(self.peers, route.slot);
        let peer = self.peers.get(route.slot);
        let next_hop = route.body.next_hop_address();
        let local_pref = match kind {
            PathKind::External => DEFAULT_LOCAL_PREF,
            PathKind::Local | PathKind::Internal => attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
        };
        let metric = match next_hop {
            None => Some(0),
            Some(address) => match self.next_hops.get(&address) {
                Some(NextHopState::Reachable { metric }) => Some(*metric),
                Some(NextHopState::Unreachable) | None => None,
            },
        };
        let remote = peer.map_or(self.router_id, |peer| peer.session.remote_router_id);
        Candidate {
            kind,
            metric,
            local_pref,
            as_path: &attributes.as_path,
            origin: attributes.origin,
            med: attributes.med.unwrap_or(0),
            router_id: attributes
                .originator_id
                .filter(|_| kind == PathKind::Internal)
                .unwrap_or(remote),
            cluster_list_length: attributes.cluster_list.len(),
            peer: peer.map(|peer| peer.id),
            next_hop,
        }
    }
}

/// How the routes of a slot were learned.
pub(super) fn kind(peers: &Peers, slot: Slot) -> PathKind {
    peers.get(slot).map_or(PathKind::Local, super::peers::Peer::kind)
}

/// Whose the routes of a slot are.
pub(super) fn peer_id(peers: &Peers, slot: Slot) -> Option<PeerId> {
    peers.get(slot).map(|peer| peer.id)
}

/// What export policy needs to know of a best path, towards one peer.
pub(super) fn source<'r>(peers: &Peers, route: &'r Route, target: Slot) -> Source<'r> {
    let peer = peers.get(route.slot);
    Source {
        kind: kind(peers, route.slot),
        transit: peer.is_some_and(|peer| peer.session.transit),
        is_target: route.slot == target,
        next_hop: route.body.next_hop,
        attributes: &route.body.attributes,
    }
}
