//! Holds a RIB, as it is, to the same one computed from nothing: for fuzzers and simulations, which reach states that no
//! test spells out. Built for tests only (feature `check`). It sees what the looking glass shows, so that it stays as it is when the
//! tables behind are built otherwise.

use super::hub::Rib;
use super::out;
use super::peers::Phase;
use super::reference::{self, Reference};
use super::table::{Path, PrefixId};
use crate::types::{Family, PeerId, ScopedAddr};
use crate::wire::{self, NextHop, Nlri, PathAttributes};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;

/// How much a RIB holds: nothing of it is to stay behind when all peers are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Prefixes with any route.
    pub prefixes: usize,
    /// Tracked next hops.
    pub next_hops: usize,
    /// Distinct pairs of attribute set and next hop.
    pub bodies: usize,
}

impl Rib {
    /// What is held.
    pub fn held(&self) -> Held {
        Held {
            prefixes: self.table.len(),
            next_hops: self.attrs.hops.tracked().count(),
            bodies: self.sets_in_use(),
        }
    }

    /// Attribute sets that are more than what a session announced last, which is remembered while it stands.
    fn sets_in_use(&self) -> usize {
        let latest = |slot| self.peers.get(slot)?.latest.as_ref().map(|latest| latest.attr);
        let memo = self
            .import_memo
            .iter()
            .flat_map(|memo| [memo.received, memo.made]);
        let remembered: Vec<_> = self.peers.occupied().filter_map(latest).chain(memo).collect();
        let holders = |id| remembered.iter().filter(|other| **other == id).count();
        let sets = self.attrs.counts();
        sets.filter(|(id, count)| *count as usize > holders(*id)).count()
    }

    /// How many routes of a peer wait to be said again (RFC 4724 §4.2).
    pub fn stale(&self, peer: PeerId) -> usize {
        let Some(slot) = self.peers.slot(peer) else {
            return 0;
        };
        let Some(peer) = self.peers.get(slot) else {
            return 0;
        };
        let is_stale = |id: PrefixId, path: &Path| {
            path.slot == slot && peer.rounds.get(id.family()).is_stale(path.flags)
        };
        let of = |id| {
            self.table
                .entry(id)
                .paths()
                .iter()
                .filter(move |path| is_stale(id, path))
                .count()
        };
        self.table.ids().map(of).sum()
    }

    /// Computes verdicts, Loc-RIB, counts and what peers should have been told from the routes received and
    /// originated.
    ///
    /// # Errors
    ///
    /// What differs, for people. Peers that are still to be told something are left out.
    pub fn check(&self) -> Result<(), String> {
        let reference = self.reference();
        for peer in reference.sessions.keys() {
            self.check_received(&reference, *peer)?;
        }
        self.check_loc_rib(&reference)?;
        for (_, peer) in self.peers.iter().filter(|(_, peer)| peer.phase == Phase::Up) {
            if !self.has_pending(peer.id) {
                self.check_advertised(&reference, peer.id)?;
            }
        }
        Ok(())
    }

    /// The same inputs.
    fn reference(&self) -> Reference {
        let mut reference = Reference::new(self.local.clone());
        reference.next_hops = self.attrs.hops.table().clone();
        reference.originated = self.originated.clone();
        for (_, peer) in self.peers.iter() {
            reference.sessions.insert(peer.id, peer.session.clone());
            for route in self.received(peer.id) {
                if let Some(next_hop) = route.path.next_hop {
                    let learned = (NextHop::from(next_hop), (*route.path.attributes).clone());
                    reference.routes.insert((route.prefix, peer.id), learned);
                }
            }
        }
        reference
    }

    fn check_received(&self, reference: &Reference, peer: PeerId) -> Result<(), String> {
        let mut counts: BTreeMap<Family, (usize, usize)> = BTreeMap::new();
        for route in self.received(peer) {
            let learned = reference.routes.get(&(route.prefix, peer));
            let wanted = learned.and_then(|learned| reference.verdict(&route.prefix, peer, learned).err());
            same("verdict", &(route.prefix, peer), &wanted, &route.rejected)?;
            let count = counts.entry(Family::of(&route.prefix)).or_default();
            count.0 += 1;
            count.1 += usize::from(wanted.is_none());
        }
        for family in Family::ALL {
            let wanted = counts.get(&family).copied().unwrap_or_default();
            let counted = self.counts(peer, family);
            same("counts", &peer, &wanted, &(counted.received, counted.accepted))?;
        }
        Ok(())
    }

    fn check_loc_rib(&self, reference: &Reference) -> Result<(), String> {
        for prefix in reference.prefixes() {
            let wanted: Vec<_> = reference.selected(&prefix).into_iter().map(shown).collect();
            let route = self.get(&prefix);
            let backup = route.as_ref().and_then(|route| route.backup);
            let paths = route.map(|route| route.paths).unwrap_or_default();
            let paths: Vec<_> = paths
                .into_iter()
                .map(|path| (path.peer, path.next_hop, (*path.attributes).clone()))
                .collect();
            same("selected paths", &prefix, &wanted, &paths)?;
            if !wanted.is_empty() {
                same("backup", &prefix, &reference.backup(&prefix), &backup)?;
            }
        }
        let prefixes = reference.prefixes();
        let strays: Vec<IpNet> = self
            .loc_rib()
            .map(|route| route.prefix)
            .filter(|prefix| !prefixes.contains(prefix))
            .collect();
        same("prefixes without a route", &"Loc-RIB", &Vec::new(), &strays)?;
        let tracked: BTreeSet<ScopedAddr> = reference.routes.values().map(|(hop, _)| hop.scoped()).collect();
        same("next hops", &"all routes", &tracked, &self.tracked_next_hops())
    }

    fn check_advertised(&self, reference: &Reference, peer: PeerId) -> Result<(), String> {
        let mut wanted = reference.advertised(peer);
        let context = out::encode_context(&reference.sessions[&peer]);
        // What no message has room for is not told.
        for (prefix, paths) in &mut wanted {
            paths.retain(|(hop, attributes)| {
                let (mut out, family) = (Vec::new(), Family::of(prefix));
                let nlri = [Nlri::from(*prefix)];
                wire::encode_announcements(&mut out, &context, attributes, family, *hop, nlri).is_ok()
            });
        }
        let told = self.advertised(peer);
        let counted: usize = Family::ALL
            .iter()
            .map(|family| self.counts(peer, *family).advertised)
            .sum();
        same("count of what was told", &peer, &told.len(), &counted)?;
        let told = told
            .into_iter()
            .map(|route| (route.prefix, route.next_hop, (*route.attributes).clone()));
        let wanted = wanted.into_iter().flat_map(|(prefix, paths)| {
            let path =
                move |(hop, attributes): (NextHop, PathAttributes)| (prefix, hop.address(), attributes);
            paths.into_iter().map(path)
        });
        // Of the paths of one prefix there is no order.
        let sorted = |told: &mut Vec<(IpNet, IpAddr, PathAttributes)>| {
            told.sort_by_cached_key(|(prefix, hop, attributes)| (*prefix, *hop, format!("{attributes:?}")));
        };
        let (mut wanted, mut told): (Vec<_>, Vec<_>) = (wanted.collect(), told.collect());
        sorted(&mut wanted);
        sorted(&mut told);
        same("what was told", &peer, &wanted, &told)
    }
}

fn shown(path: reference::Path) -> (Option<PeerId>, Option<ScopedAddr>, PathAttributes) {
    (path.peer, path.next_hop.map(NextHop::scoped), path.attributes)
}

fn same<T: PartialEq + Debug>(what: &str, of: &impl Debug, wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!(
            "{what} of {of:?}: {got:?}, computed from nothing {wanted:?}"
        ))
    }
}
