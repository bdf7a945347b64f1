//! What is originated here: paths of a slot of their own, which import policy does not judge.

use super::hub::Rib;
use super::model::Originated;
use super::slot::Slot;
use crate::types::Family;
use crate::wire::{Nlri, PathAttributes, Said};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

impl Rib {
    /// Sets all that is originated here.
    pub fn originate(&mut self, routes: BTreeMap<IpNet, Originated>) {
        let routes: BTreeMap<IpNet, Originated> = routes
            .into_iter()
            .map(|(prefix, route)| (prefix.trunc(), route))
            .collect();
        let old = std::mem::take(&mut self.originated);
        for prefix in old.keys().filter(|prefix| !routes.contains_key(prefix)) {
            self.withdraw(Slot::LOCAL, &Nlri::from(*prefix));
        }
        for (prefix, route) in routes
            .iter()
            .filter(|(prefix, route)| old.get(prefix) != Some(route))
        {
            let says = Said::from(attributes_of(route));
            let attr = self.attrs.intern(None, says.octets());
            let arrival = self.arrival(Slot::LOCAL, Family::of(prefix), attr, &says, 0);
            let nlri = Nlri::from(*prefix);
            self.announce(&nlri, self.table.hash(&nlri.prefix), &arrival);
            self.attrs.release(attr);
        }
        self.originated = routes;
    }
}

fn attributes_of(route: &Originated) -> PathAttributes {
    PathAttributes {
        communities: sorted(&route.communities),
        large_communities: sorted(&route.large_communities),
        ..PathAttributes::default()
    }
}

fn sorted<T: Ord + Copy>(items: &[T]) -> Vec<T> {
    items
        .iter()
        .copied()
        .collect::<BTreeSet<T>>()
        .into_iter()
        .collect()
}
