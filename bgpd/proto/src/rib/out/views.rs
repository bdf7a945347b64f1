//! Adj-RIB-Out to be looked at.

use super::form::Route;
use super::sent::Told;
use crate::rib::hub::Rib;
use crate::rib::slot::Slot;
use crate::rib::view::AdvertisedView;
use crate::types::{Family, PeerId};
use ipnet::IpNet;
use std::sync::Arc;

impl Rib {
    /// Adj-RIB-Out of a peer, as far as it was built, in the order of prefixes.
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
        let view = |id| {
            let Told::Route(attr, slot) = subgroup.sent.get(id) else {
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
                next_hop: next_hop.address(),
                attributes: Arc::new(attributes),
                rule: if filters.is_empty(route.family) {
                    None
                } else {
                    rule()
                },
            })
        };
        let mut routes: Vec<AdvertisedView> = subgroup.sent.ids().filter_map(view).collect();
        routes.sort_by_key(|route| route.prefix);
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
        for number in member.chunk..subgroup.log.end() {
            let chunk = subgroup.log.get(number)?;
            let from = if number == member.chunk { member.piece } else { 0 };
            if chunk.prefixes.is_empty() {
                // Not on record, for one member alone: later it will be true.
                return None;
            }
            let mut mentions = chunk.prefixes_from(from).iter();
            if let Some(mention) = mentions.find(|mention| mention.id == id) {
                return Some(is_told(mention.before));
            }
        }
        Some(match subgroup.sent.get(id) {
            Told::Nothing => false,
            Told::Something => true,
            Told::Route(_, of) => is_told(of),
        })
    }

    /// How many prefixes of a family a peer was told of.
    pub(in crate::rib) fn advertised_count(&self, slot: Slot, family: Family) -> usize {
        let member = self.peers.get(slot).and_then(|peer| peer.out.as_ref());
        let subgroup = member.and_then(|member| self.out.get(member.subgroup));
        subgroup.map_or(0, |subgroup| subgroup.sent.count(family, slot))
    }
}
