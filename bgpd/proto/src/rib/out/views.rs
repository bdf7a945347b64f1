//! Adj-RIB-Out to be looked at.

use super::form::Route;
use super::sent::Told;
use crate::rib::hub::Rib;
use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::rib::view::AdvertisedView;
use crate::types::{Family, PeerId};
use ipnet::IpNet;
use std::sync::Arc;

impl Rib {
    /// Adj-RIB-Out of a peer, as far as it was built, in the order of prefixes and path identifiers.
    pub fn advertised(&self, peer: PeerId) -> Vec<AdvertisedView> {
        let Some(peer) = self.peers.slot(peer) else {
            return Vec::new();
        };
        let subgroup = self
            .peers
            .get(peer)
            .and_then(|peer| self.out.get(peer.out.as_ref()?.subgroup));
        let Some(subgroup) = subgroup else {
            return Vec::new();
        };
        let view = |(id, number, told): (PrefixId, Option<u32>, Told)| {
            let Told::Route(attr, slot) = told else {
                return None;
            };
            if slot == peer {
                return None;
            }
            let prefix = self.table.prefix(id);
            let route = Route {
                attr,
                slot,
                family: id.family(),
                priority: self.priority_of_told(id, attr, slot, &subgroup.key),
            };
            let (next_hop, attributes) = self.view().rewrite(&prefix, route, &subgroup.key).ok()?;
            let filters = &subgroup.key.export.filters;
            let rule = || {
                let says = self.attrs.attributes(attr);
                let id = self.view().rule(&prefix, route, &says, &subgroup.key)?;
                Some(filters.rule(route.family, id)?.origin.clone())
            };
            Some(AdvertisedView {
                prefix,
                path_id: number,
                next_hop: next_hop.address(),
                attributes: Arc::new(attributes),
                rule: if filters.is_empty(route.family) {
                    None
                } else {
                    rule()
                },
            })
        };
        let single = subgroup.sent.ids().map(|id| (id, None, subgroup.sent.get(id)));
        let several = subgroup
            .several
            .iter()
            .flat_map(|(id, paths)| paths.iter().map(move |(number, told)| (id, Some(*number), *told)));
        let mut routes: Vec<AdvertisedView> = single.chain(several).filter_map(view).collect();
        routes.sort_by_key(|route| (route.prefix, route.path_id));
        routes
    }

    /// Whether Adj-RIB-Out of a peer has exactly this prefix, as far as it was handed out.
    pub fn has_advertised(&self, peer: PeerId, prefix: &IpNet) -> bool {
        self.handed_out(peer, prefix).unwrap_or(false)
    }

    fn handed_out(&self, peer: PeerId, prefix: &IpNet) -> Option<bool> {
        let slot = self.peers.slot(peer)?;
        let member = self.peers.get(slot)?.out.as_ref()?;
        let subgroup = self.out.get(member.subgroup)?;
        let id = self.table.find(&prefix.trunc())?;
        let is_told = |before: Slot| before != Slot::NONE && before != slot;
        let mut missed: Vec<(u32, bool)> = Vec::new();
        for number in member.chunk..subgroup.log.end() {
            let chunk = subgroup.log.get(number)?;
            let from = if number == member.chunk { member.piece } else { 0 };
            if chunk.prefixes.is_empty() {
                // Not on record, for one member alone: later it will be true.
                return None;
            }
            for mention in chunk.prefixes_from(from) {
                // What it has not taken yet is not what it has; of each path the first mention tells what it has.
                if mention.id == id && !missed.iter().any(|(number, _)| *number == mention.number) {
                    missed.push((mention.number, is_told(mention.before)));
                }
            }
        }
        let now = |told: Told| match told {
            Told::Nothing => false,
            Told::Something => true,
            Told::Route(_, of) => is_told(of),
        };
        let has = |number: u32, told: Told| {
            let known = missed.iter().find(|(other, _)| *other == number);
            known.map_or_else(|| now(told), |(_, told)| *told)
        };
        let several = subgroup.several.get(id);
        Some(
            has(0, subgroup.sent.get(id))
                || several.iter().any(|(number, told)| has(*number, *told))
                || missed.iter().any(|(_, told)| *told),
        )
    }

    /// How many routes of a family a peer was told of.
    pub(in crate::rib) fn advertised_count(&self, slot: Slot, family: Family) -> usize {
        let member = self.peers.get(slot).and_then(|peer| peer.out.as_ref());
        let subgroup = member.and_then(|member| self.out.get(member.subgroup));
        subgroup.map_or(0, |subgroup| subgroup.count(family, slot))
    }
}
