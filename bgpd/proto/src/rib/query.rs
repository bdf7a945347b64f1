//! The looking glass: the RIB as plain values.

use super::changes::{ChangeLog, LocRibChanges};
use super::entry::{Entry, Route};
use super::hub::Rib;
use super::select;
use super::view::{AdvertisedView, BestRoute, PathView, ReceivedView, RejectedView, RouteCounts};
use crate::types::{Family, PeerId};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

impl Rib {
    /// The Loc-RIB, in the order of prefixes, IPv4 first.
    pub fn loc_rib(&self) -> impl Iterator<Item = BestRoute> {
        self.table
            .iter()
            .filter_map(|(prefix, entry)| self.best_route(prefix, entry))
    }

    /// The route of exactly this prefix.
    pub fn get(&self, prefix: &IpNet) -> Option<BestRoute> {
        let prefix = prefix.trunc();
        self.best_route(prefix, self.table.get(&prefix)?)
    }

    /// The route that packets to this address would take: the longest prefix with a usable path.
    pub fn lookup(&self, address: IpAddr) -> Option<BestRoute> {
        let covering: Vec<_> = self.table.cover(&IpNet::from(address)).collect();
        covering
            .into_iter()
            .rev()
            .find_map(|(prefix, entry)| self.best_route(prefix, entry))
    }

    /// Adj-RIB-In of a peer, in the order of prefixes.
    pub fn received(&self, peer: PeerId) -> Vec<ReceivedView> {
        let Some(slot) = self.peers.slot(peer) else {
            return Vec::new();
        };
        let view = |(prefix, entry): (IpNet, &Entry)| {
            let (route, selected) = entry.of(slot)?;
            Some(ReceivedView {
                prefix,
                path: self.path(route),
                rejected: route.verdict.reason(),
                selected,
            })
        };
        self.table.iter().filter_map(view).collect()
    }

    /// Adj-RIB-Out of a peer, as far as it was sent, in the order of prefixes.
    pub fn advertised(&self, peer: PeerId) -> Vec<AdvertisedView> {
        let Some(peer) = self.peers.by_id(peer) else {
            return Vec::new();
        };
        let mut routes: Vec<AdvertisedView> = peer
            .out
            .sent()
            .filter_map(|(prefix, body)| {
                let next_hop = body.next_hop_address()?;
                Some(AdvertisedView {
                    prefix: *prefix,
                    next_hop,
                    attributes: Arc::clone(&body.attributes),
                })
            })
            .collect();
        routes.sort_by_key(|route| route.prefix);
        routes
    }

    /// Whether Adj-RIB-Out of a peer has exactly this prefix, as far as it was sent.
    pub fn has_advertised(&self, peer: PeerId, prefix: &IpNet) -> bool {
        let peer = self.peers.by_id(peer);
        peer.is_some_and(|peer| peer.out.has_sent(&prefix.trunc()))
    }

    /// All that the import policy refuses, in the order of prefixes.
    pub fn rejected(&self) -> Vec<RejectedView> {
        let of_entry = |(prefix, entry): (IpNet, &Entry)| -> Vec<RejectedView> {
            let reasons = entry
                .routes()
                .iter()
                .filter_map(|route| Some((route, route.verdict.reason()?)));
            reasons
                .map(|(route, reason)| RejectedView {
                    prefix,
                    path: self.path(route),
                    reason,
                })
                .collect()
        };
        self.table.iter().flat_map(of_entry).collect()
    }

    /// Prefix counts of a peer, kept as routes come and go; zero without a session.
    pub fn counts(&self, peer: PeerId, family: Family) -> RouteCounts {
        let Some(peer) = self.peers.by_id(peer) else {
            return RouteCounts::default();
        };
        let tally = peer.tally.get(family);
        RouteCounts {
            received: tally.received,
            accepted: tally.accepted,
            rejected: tally.received - tally.accepted,
            advertised: peer.out.count(family),
        }
    }

    /// Every NEXT_HOP in any Adj-RIB-In, refused routes included.
    pub fn tracked_next_hops(&self) -> BTreeSet<IpAddr> {
        self.tracked.keys().copied().collect()
    }

    /// The reader has lost its copy: the next answer is everything, and until then nothing is logged.
    pub fn forget_loc_rib_changes(&mut self) {
        self.log = ChangeLog::default();
    }

    /// What of the Loc-RIB has changed since the last call; all of it at the first.
    pub fn take_loc_rib_changes(&mut self) -> LocRibChanges {
        match self.log.take() {
            None => LocRibChanges {
                whole: true,
                routes: self.loc_rib().map(|route| (route.prefix, Some(route))).collect(),
            },
            Some(prefixes) => LocRibChanges {
                whole: false,
                routes: (prefixes.into_iter())
                    .map(|prefix| (prefix, self.get(&prefix)))
                    .collect(),
            },
        }
    }

    fn best_route(&self, prefix: IpNet, entry: &Entry) -> Option<BestRoute> {
        let paths: Vec<PathView> = entry.selected().iter().map(|route| self.path(route)).collect();
        if paths.is_empty() {
            None
        } else {
            Some(BestRoute {
                prefix,
                paths,
                backup: entry.backup(),
            })
        }
    }

    pub(super) fn path(&self, route: &Route) -> PathView {
        PathView {
            peer: select::peer_id(&self.peers, route.slot),
            kind: select::kind(&self.peers, route.slot),
            next_hop: route.body.next_hop_address(),
            attributes: Arc::clone(&route.body.attributes),
            learned: route.learned,
        }
    }
}
