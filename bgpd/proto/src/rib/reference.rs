//! The RIB as a specification: plain maps of all inputs, and every result computed from nothing when it is asked for.

use super::decision::{Candidate, Multipath, decide};
use super::policy::export::{Source, rewrite};
use super::policy::filter::Rule;
use super::policy::import::{Received, changed, judge};
use super::{
    LocalSettings, NextHopState, NextHopTable, Originated, PathKind, PeerPolicy, PeerSession, RejectReason,
};
use crate::session::AddPathSend;
use crate::types::{Family, PeerId, PeerKind, ScopedAddr};
use crate::wire::{NextHop, PathAttributes, RoutesIn};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

type Learned = (NextHop, PathAttributes);

pub(super) struct Reference {
    pub local: LocalSettings,
    pub sessions: BTreeMap<PeerId, PeerSession>,
    pub routes: BTreeMap<(IpNet, PeerId), Learned>,
    pub disabled: BTreeSet<(PeerId, Family)>,
    pub originated: BTreeMap<IpNet, Originated>,
    pub next_hops: NextHopTable,
    /// Peers without a session whose routes are kept.
    retained: BTreeSet<PeerId>,
    /// Not said since the session ended, and not since a refresh began.
    stale: BTreeSet<(IpNet, PeerId)>,
    unrefreshed: BTreeSet<(IpNet, PeerId)>,
    /// How often a refresh has begun without an end.
    begun: BTreeMap<(PeerId, Family), u8>,
}

/// A path: whose it is, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub peer: Option<PeerId>,
    pub next_hop: Option<NextHop>,
    pub attributes: PathAttributes,
    pub priority: Option<u32>,
}

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the law changes one step by step")
)]
impl Reference {
    pub fn new(local: LocalSettings) -> Self {
        Self {
            local,
            sessions: BTreeMap::new(),
            routes: BTreeMap::new(),
            disabled: BTreeSet::new(),
            originated: BTreeMap::new(),
            next_hops: NextHopTable::new(),
            retained: BTreeSet::new(),
            stale: BTreeSet::new(),
            unrefreshed: BTreeSet::new(),
            begun: BTreeMap::new(),
        }
    }

    pub fn peer_up(&mut self, peer: PeerId, session: PeerSession) {
        if !self.retained.remove(&peer) {
            self.peer_down(peer);
        }
        self.sessions.insert(peer, session);
    }

    pub fn peer_down(&mut self, peer: PeerId) {
        self.sessions.remove(&peer);
        self.routes.retain(|(_, of), _| *of != peer);
        self.disabled.retain(|(of, _)| *of != peer);
        self.retained.remove(&peer);
        self.stale.retain(|(_, of)| *of != peer);
        self.unrefreshed.retain(|(_, of)| *of != peer);
        self.begun.retain(|(of, _), _| *of != peer);
    }

    pub fn peer_retained(&mut self, peer: PeerId, keep: &[Family]) {
        Family::ALL
            .into_iter()
            .for_each(|family| self.sweep_stale(peer, family));
        self.routes
            .retain(|(prefix, of), _| *of != peer || keep.contains(&Family::of(prefix)));
        self.stale
            .extend(self.routes.keys().filter(|(_, of)| *of == peer));
        self.disabled.retain(|(of, _)| *of != peer);
        self.begun
            .retain(|(of, family), _| *of != peer || !keep.contains(family));
        self.retained.insert(peer);
    }

    pub fn sweep_stale(&mut self, peer: PeerId, family: Family) {
        let is_swept = |(prefix, of): &(IpNet, PeerId)| *of == peer && Family::of(prefix) == family;
        let stale = std::mem::take(&mut self.stale);
        let (swept, left) = stale.into_iter().partition(is_swept);
        self.stale = left;
        self.remove(swept);
    }

    pub fn begin_refresh(&mut self, peer: PeerId, family: Family) {
        if !self.sessions.contains_key(&peer) {
            return;
        }
        let begun = self.begun.entry((peer, family)).or_default();
        if *begun < 2 {
            *begun += 1;
            let all = self
                .routes
                .keys()
                .filter(|(prefix, of)| *of == peer && Family::of(prefix) == family);
            self.unrefreshed.extend(all);
        }
    }

    pub fn end_refresh(&mut self, peer: PeerId, family: Family) {
        if self.begun.remove(&(peer, family)).is_none() {
            return;
        }
        let is_swept = |route: &&(IpNet, PeerId)| {
            route.1 == peer && Family::of(&route.0) == family && !self.stale.contains(route)
        };
        let swept = self.unrefreshed.iter().filter(is_swept).copied().collect();
        self.remove(swept);
    }

    fn remove(&mut self, routes: BTreeSet<(IpNet, PeerId)>) {
        for route in routes {
            self.routes.remove(&route);
            self.stale.remove(&route);
            self.unrefreshed.remove(&route);
        }
    }

    pub fn peer_policy(&mut self, peer: PeerId, policy: PeerPolicy) {
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.next_hop_v4 = policy.next_hop_v4;
            session.next_hop_v6 = policy.next_hop_v6;
            session.import = policy.import;
            session.export = policy.export;
        }
    }

    pub fn update(&mut self, peer: PeerId, update: RoutesIn) {
        if !self.sessions.contains_key(&peer) || self.retained.contains(&peer) {
            return;
        }
        for family in update.disable {
            self.disabled.insert((peer, family));
            let all = self
                .routes
                .keys()
                .filter(|(prefix, of)| *of == peer && Family::of(prefix) == family);
            let all = all.copied().collect();
            self.remove(all);
        }
        let withdrawn = update.withdrawn.iter().flat_map(|w| &w.nlri);
        self.remove(withdrawn.map(|nlri| (nlri.prefix, peer)).collect());
        for announcement in update.announced {
            if !self.disabled.contains(&(peer, announcement.family)) {
                for nlri in announcement.nlri {
                    let next_hop = announcement.next_hop;
                    let next_hop = peer.interface().map_or(next_hop, |zone| next_hop.on(zone));
                    let learned = (next_hop, update.attributes.clone());
                    self.routes.insert((nlri.prefix, peer), learned);
                    self.stale.remove(&(nlri.prefix, peer));
                    self.unrefreshed.remove(&(nlri.prefix, peer));
                }
            }
        }
    }

    pub fn verdict(&self, prefix: &IpNet, peer: PeerId, route: &Learned) -> Result<(), RejectReason> {
        self.judged(prefix, peer, route).0
    }

    /// The verdict, what the route says then, and its priority.
    fn judged(
        &self,
        prefix: &IpNet,
        peer: PeerId,
        (next_hop, attributes): &Learned,
    ) -> (Result<(), RejectReason>, PathAttributes, Option<u32>) {
        let session = &self.sessions[&peer];
        let route = Received {
            prefix,
            next_hop: *next_hop,
            attributes,
            interface: None,
        };
        let verdict = judge(&route, session, &self.local).result;
        let rule = route.rule(session).map(|(_, rule)| rule);
        let made = changed(attributes, rule, session, &self.local).filter(|_| verdict.is_ok());
        let priority = rule.and_then(Rule::priority);
        (verdict, made.unwrap_or_else(|| attributes.clone()), priority)
    }

    pub fn prefixes(&self) -> BTreeSet<IpNet> {
        self.routes
            .keys()
            .map(|(prefix, _)| *prefix)
            .chain(self.originated.keys().copied())
            .collect()
    }

    /// Paths in use, best first.
    pub fn selected(&self, prefix: &IpNet) -> Vec<Path> {
        self.choose(&self.accepted(prefix), self.local.multipath.max(1))
    }

    /// What stands by: chosen anew from the routes with other next hops.
    pub fn backup(&self, prefix: &IpNet) -> Option<ScopedAddr> {
        let next_hop = |path: &Path| path.next_hop.map(NextHop::scoped);
        let used: Vec<Option<ScopedAddr>> = self.selected(prefix).iter().map(next_hop).collect();
        if used.contains(&None) {
            return None;
        }
        let mut others = self.accepted(prefix);
        others.retain(|path| !used.contains(&next_hop(path)) && path.next_hop.is_some());
        next_hop(self.choose(&others, 1).first()?)
    }

    fn accepted(&self, prefix: &IpNet) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        if let Some(route) = self.originated.get(prefix) {
            let attributes = PathAttributes {
                communities: route.communities.clone(),
                ..PathAttributes::default()
            };
            paths.push(Path {
                peer: None,
                next_hop: None,
                attributes,
                priority: None,
            });
        }
        // The least of all peers.
        let first = (*prefix, PeerId::Address(Ipv4Addr::UNSPECIFIED.into()));
        let these = self.routes.range(first..).take_while(|((of, _), _)| of == prefix);
        for ((_, peer), route) in these {
            let (verdict, attributes, priority) = self.judged(prefix, *peer, route);
            if verdict.is_ok() {
                paths.push(Path {
                    peer: Some(*peer),
                    next_hop: Some(route.0),
                    attributes,
                    priority,
                });
            }
        }
        paths
    }

    fn choose(&self, paths: &[Path], most: usize) -> Vec<Path> {
        let candidates: Vec<Candidate<'_>> = paths.iter().map(|path| self.candidate(path)).collect();
        let multipath = Multipath {
            most,
            relax: self.local.multipath_relax,
        };
        let used = decide(&candidates, multipath, |_, _| {});
        used.into_iter().map(|i| paths[i].clone()).collect()
    }

    fn candidate<'a>(&self, path: &'a Path) -> Candidate<'a> {
        let kind = self.kind(path);
        let next_hop = path.next_hop.map(NextHop::scoped);
        let metric = next_hop.map_or(Some(0), |hop| match self.next_hops.get(&hop)? {
            NextHopState::Reachable { metric } => Some(*metric),
            NextHopState::Unreachable => None,
        });
        let remote = path
            .peer
            .map_or(self.local.router_id, |peer| self.sessions[&peer].remote_router_id);
        Candidate {
            kind,
            metric,
            stale: path.attributes.has(crate::wire::Community::LLGR_STALE),
            local_pref: path.attributes.local_pref.unwrap_or(100),
            as_path: &path.attributes.as_path,
            origin: path.attributes.origin,
            med: path.attributes.med.unwrap_or(0),
            router_id: path.attributes.originator_id.unwrap_or(remote),
            cluster_list_length: path.attributes.cluster_list.len(),
            peer: path.peer,
            next_hop,
        }
    }

    fn kind(&self, path: &Path) -> PathKind {
        match path.peer.map(|peer| self.sessions[&peer].kind) {
            None => PathKind::Local,
            Some(PeerKind::External) => PathKind::External,
            Some(PeerKind::Internal) => PathKind::Internal,
        }
    }

    /// What the peer ought to have been told: the paths of each prefix, in no order.
    pub fn advertised(&self, peer: PeerId) -> BTreeMap<IpNet, Vec<(NextHop, PathAttributes)>> {
        let session = &self.sessions[&peer];
        let seen = |prefix: &IpNet, path: &Path| {
            let source = Source {
                session: path.peer.map(|from| &self.sessions[&from]),
                long_lived: false,
                is_target: path.peer == Some(peer),
                next_hop: path.next_hop,
                attributes: &path.attributes,
                interface: None,
                priority: path.priority,
            };
            rewrite(prefix, &source, session, &self.local).ok()
        };
        let routes = |prefix: IpNet| {
            let send = *session.features.add_path_out.get(Family::of(&prefix));
            let paths = self.leading(&prefix, send);
            let seen: Vec<_> = paths.iter().filter_map(|path| seen(&prefix, path)).collect();
            (!seen.is_empty()).then_some((prefix, seen))
        };
        self.prefixes().into_iter().filter_map(routes).collect()
    }

    /// Those in use, and then the best of the rest, as many as are told.
    fn leading(&self, prefix: &IpNet, send: AddPathSend) -> Vec<Path> {
        let (mut rest, mut paths) = (self.accepted(prefix), self.selected(prefix));
        rest.retain(|path| !paths.iter().any(|used| used.peer == path.peer));
        while let Some(next) = self.choose(&rest, 1).into_iter().next() {
            rest.retain(|path| path.peer != next.peer);
            paths.push(next);
        }
        paths.truncate(send.most());
        paths
    }

    pub fn tracked(&self) -> BTreeSet<ScopedAddr> {
        self.routes.values().map(|(hop, _)| hop.scoped()).collect()
    }
}
