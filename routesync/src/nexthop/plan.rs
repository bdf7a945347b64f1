//! Which objects should exist, and under which numbers: values in, values out.
//!
//! A used set becomes the hops that work now ([`compile`]): those over links that are up and have carrier, for the kernel takes
//! no other. Numbers are given once and kept ([`Ids`]). After a restart the numbers are found again by content: a single object
//! by its hop, a group by its hops, and among groups of the same hops the one that the kernel's routes of the set use
//! ([`claims`]), so that nothing needs to be written.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    mirror::Mirror,
    object::{Buckets, Object, Single},
};
use crate::{
    host::Host,
    model::{Hop, NexthopKey, NexthopSet, Protocol},
    route::NexthopId,
};

/// The hops of a set that work now, each with its weight, and why the others do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiled {
    pub hops: BTreeMap<Single, u16>,
    pub resilient: Option<Buckets>,
    pub left_out: Vec<String>,
}

/// Puts a set into the kernel's terms. `v6`: IPv6 routes use it, so a hop without gateway has to be an IPv6 object.
pub(crate) fn compile(set: &NexthopSet, v6: bool, host: &Host, indexes: &BTreeMap<&str, u32>) -> Compiled {
    let mut compiled = Compiled {
        hops: BTreeMap::new(),
        resilient: set.resilient.map(Buckets::from),
        left_out: Vec::new(),
    };
    for hop in &set.hops {
        match compile_hop(hop, v6, host, indexes) {
            Ok(single) => {
                let weight = compiled.hops.entry(single).or_insert(0);
                *weight = weight.saturating_add(hop.weight.max(1)).min(256);
            }
            Err(reason) => compiled.left_out.push(reason),
        }
    }
    if set.hops.is_empty() {
        compiled.left_out.push("it has no hop".into());
    }
    compiled
}

fn compile_hop(hop: &Hop, v6: bool, host: &Host, indexes: &BTreeMap<&str, u32>) -> Result<Single, String> {
    let name = &hop.interface;
    let link = indexes.get(&**name).and_then(|index| host.links.get(index));
    match link {
        None => Err(format!("interface {name} does not exist (yet)")),
        Some(link) if !link.up => Err(format!("interface {name} is not up")),
        Some(link) if !link.carrier => Err(format!("interface {name} has no carrier")),
        Some(link) => Ok(Single {
            v6: hop.gateway.map_or(v6, |gateway| gateway.is_ipv6()),
            gateway: hop.gateway,
            index: link.index,
            onlink: hop.onlink && hop.gateway.is_some(),
        }),
    }
}

/// The first IPv4 gateway of a set: IPv6 routes cannot use it.
pub(crate) fn v4_gateway(set: &NexthopSet) -> Option<IpAddr> {
    let gateways = set.hops.iter().filter_map(|hop| hop.gateway);
    gateways.into_iter().find(IpAddr::is_ipv4)
}

/// The number of a set's group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub id: NexthopId,
    /// IPv6 routes use the set, or did: it does not go back, for their routes may still be there.
    pub v6: bool,
    /// The kernel changes neither kind nor number of buckets in place.
    pub buckets: Option<u16>,
}

/// The numbers that are given.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pub singles: BTreeMap<Single, NexthopId>,
    pub groups: BTreeMap<NexthopKey, Assigned>,
    next: u32,
}

impl Ids {
    /// The number of a hop: the one it has, or that of the same hop in the kernel, or a new one.
    pub fn single(&mut self, single: Single, protocol: Protocol, mirror: &Mirror) -> NexthopId {
        if let Some(id) = self.singles.get(&single)
            && mirror.get(*id).is_none_or(|held| held.is_of(protocol))
        {
            return *id;
        }
        let same = mirror
            .all()
            .find(|held| held.is_of(protocol) && held.object == Object::Single(single));
        let id = same.map_or_else(|| self.fresh(mirror), |held| held.id);
        self.singles.insert(single, id);
        id
    }

    /// A number that nobody has.
    pub fn fresh(&mut self, mirror: &Mirror) -> NexthopId {
        let given: BTreeSet<_> = (self.singles.values().copied())
            .chain(self.groups.values().map(|group| group.id))
            .collect();
        let size = NexthopId::OURS.end() - NexthopId::OURS.start() + 1;
        let mut id = NexthopId(NexthopId::OURS.start() + self.next % size);
        for _ in 0..size {
            id = NexthopId(NexthopId::OURS.start() + self.next % size);
            self.next = (self.next + 1) % size;
            if mirror.get(id).is_none() && !given.contains(&id) {
                break;
            }
        }
        id
    }
}

/// How often the kernel's routes use a group, in all and for each set that they are wanted over.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    pub all: usize,
    pub by_set: BTreeMap<NexthopKey, usize>,
}

/// Groups in the kernel for sets that have no number yet. `wanted` has the forms that a set may take, the preferred one first;
/// `candidates` the groups that are nobody's yet, with their hops.
pub(crate) fn claims<'a>(
    wanted: &'a BTreeMap<NexthopKey, Vec<Compiled>>,
    candidates: &BTreeMap<NexthopId, Compiled>,
    votes: &BTreeMap<NexthopId, Votes>,
) -> BTreeMap<&'a NexthopKey, (NexthopId, usize)> {
    let mut matches = Vec::new();
    for (set, forms) in wanted {
        for (id, held) in candidates {
            let same = |form: &Compiled| form.hops == held.hops && form.resilient == held.resilient;
            let Some(form) = forms.iter().position(same) else {
                continue;
            };
            let votes = votes.get(id);
            let own = votes.and_then(|v| v.by_set.get(set)).copied().unwrap_or(0);
            // A group that routes use, but none of this set: those routes may be wanted again over their own set.
            if own > 0 || votes.is_none_or(|votes| votes.all == 0) {
                matches.push((std::cmp::Reverse(own), set, *id, form));
            }
        }
    }
    matches.sort();
    let (mut found, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, set, id, form) in matches {
        if !found.contains_key(set) && taken.insert(id) {
            found.insert(set, (id, form));
        }
    }
    found
}
