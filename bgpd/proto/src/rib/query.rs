//! The looking glass: the RIB as plain values. What routes share is decoded once for each answer.

use super::attrs::AttrId;
use super::changes::LocRibChanges;
use super::hub::Rib;
use super::policy::RejectReason;
use super::table::{Path, PrefixId};
use super::view::{BestRoute, PathView, ReceivedView, RejectedView, RouteCounts};
use crate::types::{Family, PeerId, ScopedAddr};
use crate::wire::{NextHop, PathAttributes};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What attribute sets say, as far as it was asked for: the keys are numbers of ours.
#[derive(Default)]
pub(super) struct Decoded(FxHashMap<AttrId, Arc<PathAttributes>>);

impl Rib {
    /// The Loc-RIB, in the order of prefixes, IPv4 first.
    pub fn loc_rib(&self) -> impl Iterator<Item = BestRoute> {
        let all = self.table.sorted(|entry| !entry.selected().is_empty());
        let mut decoded = Decoded::default();
        all.into_iter()
            .filter_map(move |(prefix, id)| self.best_route(prefix, id, &mut decoded))
    }

    /// How many prefixes the Loc-RIB has: each has a usable path.
    pub fn loc_rib_len(&self) -> usize {
        self.table.usable()
    }

    /// The route of exactly this prefix.
    pub fn get(&self, prefix: &IpNet) -> Option<BestRoute> {
        let prefix = prefix.trunc();
        let (id, _) = self.table.get(&prefix)?;
        self.best_route(prefix, id, &mut Decoded::default())
    }

    /// The route that packets to this address would take: the longest prefix with a usable path.
    pub fn lookup(&self, address: IpAddr) -> Option<BestRoute> {
        let route = |id: PrefixId| {
            let prefix = self.table.prefix(id);
            self.best_route(prefix, id, &mut Decoded::default())
        };
        self.table.cover(address).into_iter().find_map(route)
    }

    /// Adj-RIB-In of a peer, in the order of prefixes.
    pub fn received(&self, peer: PeerId) -> Vec<ReceivedView> {
        let Some(slot) = self.peers.slot(peer) else {
            return Vec::new();
        };
        let mut decoded = Decoded::default();
        let mut views = Vec::new();
        for (prefix, id) in self
            .table
            .sorted(|entry| entry.paths().iter().any(|path| path.slot == slot))
        {
            let entry = self.table.entry(id);
            for (at, path) in entry
                .paths()
                .iter()
                .enumerate()
                .filter(|(_, path)| path.slot == slot)
            {
                let received = decoded.get(self, self.as_came(id, path));
                let view = self.path(id, path, &mut decoded);
                views.push(ReceivedView {
                    prefix,
                    changed: path.flags.is_changed().then(|| Arc::clone(&view.attributes)),
                    path: PathView {
                        attributes: received,
                        ..view
                    },
                    rejected: path.verdict.reason(),
                    rule: self.import_rule(id, path).map(|rule| rule.origin.clone()),
                    selected: at < entry.selected().len(),
                });
            }
        }
        views
    }

    /// All that the import policy refuses, in the order of prefixes.
    pub fn rejected(&self) -> Vec<RejectedView> {
        let mut decoded = Decoded::default();
        let mut views = Vec::new();
        for (prefix, id) in self
            .table
            .sorted(|entry| entry.paths().iter().any(|path| !path.verdict.is_accepted()))
        {
            for path in self.table.entry(id).paths() {
                if let Some(reason) = path.verdict.reason() {
                    let rule = match reason {
                        RejectReason::Filter => self.import_rule(id, path).map(|rule| rule.origin.clone()),
                        _ => None,
                    };
                    views.push(RejectedView {
                        prefix,
                        path: self.path(id, path, &mut decoded),
                        reason,
                        rule,
                    });
                }
            }
        }
        views
    }

    /// Prefix counts of a peer, kept as routes come and go; zero without a session.
    pub fn counts(&self, peer: PeerId, family: Family) -> RouteCounts {
        let Some((slot, peer)) = self
            .peers
            .slot(peer)
            .and_then(|slot| Some((slot, self.peers.get(slot)?)))
        else {
            return RouteCounts::default();
        };
        let tally = peer.tally.get(family);
        RouteCounts {
            received: tally.received,
            accepted: tally.accepted,
            rejected: tally.received - tally.accepted,
            advertised: self.advertised_count(slot, family),
        }
    }

    /// Every NEXT_HOP in any Adj-RIB-In, refused routes included.
    pub fn tracked_next_hops(&self) -> BTreeSet<ScopedAddr> {
        self.attrs.hops.tracked().collect()
    }

    /// The reader has lost its copy: the next answer is everything, and until then nothing is logged. Whether anything was.
    pub fn forget_loc_rib_changes(&mut self) -> bool {
        let Some(mut log) = self.log.stop() else {
            return false;
        };
        while let Some(id) = log.pop() {
            self.table.release(PrefixId(id));
        }
        true
    }

    /// What of the Loc-RIB has changed since the last call; all of it at the first.
    pub fn take_loc_rib_changes(&mut self) -> LocRibChanges {
        let Some(mut log) = self.log.take() else {
            return LocRibChanges {
                whole: true,
                routes: self.loc_rib().map(|route| (route.prefix, Some(route))).collect(),
            };
        };
        let mut decoded = Decoded::default();
        let mut routes = Vec::with_capacity(log.len());
        while let Some(id) = log.pop().map(PrefixId) {
            let prefix = self.table.prefix(id);
            routes.push((prefix, self.best_route(prefix, id, &mut decoded)));
            self.table.release(id);
        }
        routes.sort_unstable_by_key(|(prefix, _)| *prefix);
        LocRibChanges { whole: false, routes }
    }

    fn best_route(&self, prefix: IpNet, id: PrefixId, decoded: &mut Decoded) -> Option<BestRoute> {
        let entry = self.table.entry(id);
        let paths: Vec<PathView> = (entry.selected().iter())
            .map(|path| self.path(id, path, decoded))
            .collect();
        if paths.is_empty() {
            return None;
        }
        let backup = entry.backup().and_then(|path| self.attrs.next_hop(path.attr));
        Some(BestRoute {
            prefix,
            paths,
            backup: backup.map(NextHop::scoped),
        })
    }

    pub(super) fn path(&self, id: PrefixId, path: &Path, decoded: &mut Decoded) -> PathView {
        PathView {
            peer: self.peer_id(path.slot),
            kind: self.kind(path.slot),
            next_hop: self.attrs.next_hop(path.attr).map(NextHop::scoped),
            attributes: decoded.get(self, path.attr),
            learned: self.learned(path),
            priority: self.priority(id, path),
        }
    }
}

impl Decoded {
    /// What a set says.
    pub fn get(&mut self, rib: &Rib, attr: AttrId) -> Arc<PathAttributes> {
        let decode = || Arc::new(rib.attrs.attributes(attr));
        Arc::clone(self.0.entry(attr).or_insert_with(decode))
    }
}
