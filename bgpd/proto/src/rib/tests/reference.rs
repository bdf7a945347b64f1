//! The RIB as a specification: plain maps of all inputs, and every result computed from nothing when it is asked for.

use super::super::decision::{Candidate, decide};
use super::super::policy::export::{Source, rewrite};
use super::super::policy::import::check;
use crate::rib::{
    LocalSettings, NextHopState, NextHopTable, Originated, PathKind, PeerPolicy, PeerSession, RejectReason,
};
use crate::types::{Family, PeerId, PeerKind};
use crate::wire::{NextHop, PathAttributes, RoutesIn};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

type Learned = (NextHop, PathAttributes);

pub(super) struct Reference {
    pub local: LocalSettings,
    pub sessions: BTreeMap<PeerId, PeerSession>,
    pub routes: BTreeMap<(IpNet, PeerId), Learned>,
    pub disabled: BTreeSet<(PeerId, Family)>,
    pub originated: BTreeMap<IpNet, Originated>,
    pub next_hops: NextHopTable,
}

/// A path: whose it is, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub peer: Option<PeerId>,
    pub next_hop: Option<NextHop>,
    pub attributes: PathAttributes,
}

impl Reference {
    pub fn new(local: LocalSettings) -> Self {
        Self {
            local,
            sessions: BTreeMap::new(),
            routes: BTreeMap::new(),
            disabled: BTreeSet::new(),
            originated: BTreeMap::new(),
            next_hops: NextHopTable::new(),
        }
    }

    pub fn peer_up(&mut self, peer: PeerId, session: PeerSession) {
        self.peer_down(peer);
        self.sessions.insert(peer, session);
    }

    pub fn peer_down(&mut self, peer: PeerId) {
        self.sessions.remove(&peer);
        self.routes.retain(|(_, of), _| *of != peer);
        self.disabled.retain(|(of, _)| *of != peer);
    }

    pub fn peer_policy(&mut self, peer: PeerId, policy: PeerPolicy) {
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.next_hop_v4 = policy.next_hop_v4;
            session.next_hop_v6 = policy.next_hop_v6;
            session.transit = policy.transit;
        }
    }

    pub fn update(&mut self, peer: PeerId, update: RoutesIn) {
        if !self.sessions.contains_key(&peer) {
            return;
        }
        for family in update.disable {
            self.disabled.insert((peer, family));
            self.routes
                .retain(|(prefix, of), _| *of != peer || Family::of(prefix) != family);
        }
        for nlri in update.withdrawn.iter().flat_map(|w| &w.nlri) {
            self.routes.remove(&(nlri.prefix, peer));
        }
        for announcement in update.announced {
            if !self.disabled.contains(&(peer, announcement.family)) {
                for nlri in announcement.nlri {
                    let learned = (announcement.next_hop, update.attributes.clone());
                    self.routes.insert((nlri.prefix, peer), learned);
                }
            }
        }
    }

    pub fn verdict(&self, prefix: &IpNet, peer: PeerId, route: &Learned) -> Result<(), RejectReason> {
        check(prefix, route.0, &route.1, &self.sessions[&peer], &self.local)
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
    pub fn backup(&self, prefix: &IpNet) -> Option<IpAddr> {
        let next_hop = |path: &Path| path.next_hop.map(NextHop::address);
        let used: Vec<Option<IpAddr>> = self.selected(prefix).iter().map(next_hop).collect();
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
            });
        }
        for ((_, peer), route) in self.routes.iter().filter(|((of, _), _)| of == prefix) {
            if self.verdict(prefix, *peer, route).is_ok() {
                paths.push(Path {
                    peer: Some(*peer),
                    next_hop: Some(route.0),
                    attributes: route.1.clone(),
                });
            }
        }
        paths
    }

    fn choose(&self, paths: &[Path], most: usize) -> Vec<Path> {
        let candidates: Vec<Candidate<'_>> = paths.iter().map(|path| self.candidate(path)).collect();
        let used = decide(&candidates, most, |_, _| {});
        used.into_iter().map(|i| paths[i].clone()).collect()
    }

    fn candidate<'a>(&self, path: &'a Path) -> Candidate<'a> {
        let kind = self.kind(path);
        let next_hop = path.next_hop.map(NextHop::address);
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
            local_pref: match kind {
                PathKind::External => 100,
                _ => path.attributes.local_pref.unwrap_or(100),
            },
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

    /// What the peer ought to have been told.
    pub fn advertised(&self, peer: PeerId) -> BTreeMap<IpNet, (NextHop, PathAttributes)> {
        let session = &self.sessions[&peer];
        let route = |prefix: IpNet| {
            let best = self.selected(&prefix).into_iter().next()?;
            let source = Source {
                kind: self.kind(&best),
                transit: best.peer.is_some_and(|from| self.sessions[&from].transit),
                is_target: best.peer == Some(peer),
                next_hop: best.next_hop,
                attributes: &best.attributes,
            };
            Some((prefix, rewrite(&prefix, &source, session).ok()?))
        };
        self.prefixes().into_iter().filter_map(route).collect()
    }

    pub fn tracked(&self) -> BTreeSet<IpAddr> {
        self.routes.values().map(|(hop, _)| hop.address()).collect()
    }
}
