//! Next hops by number: what the decision asks of one is an index away, and a change of one names it.

use crate::rib::model::{NextHopState, NextHopTable};
use crate::types::ScopedAddr;
use crate::wire::NextHop;
use std::collections::{BTreeMap, HashMap};

/// Number of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopId(pub u32);

impl HopId {
    /// Of what is originated here.
    pub const NONE: HopId = HopId(u32::MAX);
}

#[derive(Clone, Debug)]
struct Hop {
    next_hop: NextHop,
    /// Attribute sets that name it.
    sets: u32,
    /// Routes that have it.
    routes: u32,
    /// Distance; `None` where it cannot be reached.
    metric: Option<u32>,
    /// Reachability or distance have changed, and not all routes have been chosen anew since.
    moved: bool,
}

/// All next hops, and what is known of their addresses.
#[derive(Clone, Debug, Default)]
pub struct Hops {
    hops: Vec<Hop>,
    free: Vec<u32>,
    /// How many are more than an IPv4 address.
    others: u32,
    /// Peers choose the keys: the standard library's hash is keyed.
    by_value: HashMap<NextHop, u32>,
    /// The one that was found last: those of a session mostly follow each other.
    latest: Option<(NextHop, u32)>,
    table: NextHopTable,
    /// Addresses that routes have, with how many next hops have them.
    tracked: BTreeMap<ScopedAddr, u32>,
    tracked_changed: bool,
}

impl Hops {
    /// The number of a next hop, for one more attribute set.
    pub fn hold(&mut self, next_hop: NextHop) -> HopId {
        let number = match self.find(next_hop) {
            Some(HopId(number)) => number,
            None => {
                let hop = Hop {
                    next_hop,
                    sets: 0,
                    routes: 0,
                    metric: metric(&self.table, next_hop.scoped()),
                    moved: false,
                };
                let number = self.free.pop().unwrap_or(self.hops.len() as u32);
                match self.hops.get_mut(number as usize) {
                    Some(place) => *place = hop,
                    None => self.hops.push(hop),
                }
                self.by_value.insert(next_hop, number);
                self.others += is_other(next_hop);
                number
            }
        };
        self.hops[number as usize].sets += 1;
        HopId(number)
    }

    /// The number of a next hop that some attribute set names.
    pub fn find(&mut self, next_hop: NextHop) -> Option<HopId> {
        if let Some((latest, number)) = self.latest
            && latest == next_hop
        {
            return Some(HopId(number));
        }
        let number = *self.by_value.get(&next_hop)?;
        self.latest = Some((next_hop, number));
        Some(HopId(number))
    }

    /// One attribute set less.
    pub fn release(&mut self, id: HopId) {
        let Some(hop) = self.hops.get_mut(id.0 as usize) else {
            return;
        };
        hop.sets -= 1;
        if hop.sets == 0 {
            self.by_value.remove(&hop.next_hop);
            self.others -= is_other(hop.next_hop);
            self.latest = None;
            self.free.push(id.0);
        }
    }

    /// What it is; `None` for what is originated here.
    pub fn get(&self, id: HopId) -> Option<NextHop> {
        self.hops.get(id.0 as usize).map(|hop| hop.next_hop)
    }

    /// Whether two have the same address on the same link.
    #[inline]
    pub fn is_same_address(&self, a: HopId, b: HopId) -> bool {
        if a == b {
            return true;
        }
        // Two IPv4 addresses would have one number.
        self.others > 0 && self.have_same_address(a, b)
    }

    fn have_same_address(&self, a: HopId, b: HopId) -> bool {
        let hop = |id: HopId| self.hops.get(id.0 as usize).map(|hop| &hop.next_hop);
        match (hop(a), hop(b)) {
            (Some(NextHop::V4(_)), Some(NextHop::V4(_))) => false,
            (a, b) => a.map(|hop| hop.scoped()) == b.map(|hop| hop.scoped()),
        }
    }

    /// Its distance; `None` where it cannot be reached. What is originated here is where we are.
    pub fn metric(&self, id: HopId) -> Option<u32> {
        self.hops.get(id.0 as usize).map_or(Some(0), |hop| hop.metric)
    }

    /// Whether it has moved, and routes are being chosen anew for that.
    pub fn is_moved(&self, id: HopId) -> bool {
        self.hops.get(id.0 as usize).is_some_and(|hop| hop.moved)
    }

    /// One more route has it.
    pub fn route_came(&mut self, id: HopId) {
        if let Some(hop) = self.hops.get_mut(id.0 as usize) {
            hop.routes += 1;
            if hop.routes == 1 {
                let count = self.tracked.entry(hop.next_hop.scoped()).or_default();
                *count += 1;
                self.tracked_changed |= *count == 1;
            }
        }
    }

    /// One route less has it.
    pub fn route_went(&mut self, id: HopId) {
        let Some(hop) = self.hops.get_mut(id.0 as usize) else {
            return;
        };
        hop.routes -= 1;
        let address = hop.next_hop.scoped();
        if hop.routes == 0
            && let Some(count) = self.tracked.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.tracked.remove(&address);
                self.tracked_changed = true;
            }
        }
    }

    /// Takes the state of all addresses; whether any next hop has moved by it that has routes.
    pub fn set(&mut self, table: NextHopTable) -> bool {
        self.table = table;
        let mut any = false;
        for hop in self.hops.iter_mut().filter(|hop| hop.sets > 0) {
            let metric = metric(&self.table, hop.next_hop.scoped());
            if hop.metric != metric {
                hop.metric = metric;
                hop.moved |= hop.routes > 0;
                any |= hop.moved;
            }
        }
        any
    }

    /// All routes have been chosen anew.
    pub fn settle(&mut self) {
        self.hops.iter_mut().for_each(|hop| hop.moved = false);
    }

    /// The state of all addresses.
    #[cfg(any(test, feature = "check"))]
    pub fn table(&self) -> &NextHopTable {
        &self.table
    }

    /// Every address that a route has.
    pub fn tracked(&self) -> impl Iterator<Item = ScopedAddr> {
        self.tracked.keys().copied()
    }

    /// Whether there are others than at the last call.
    pub fn take_tracked_changed(&mut self) -> bool {
        std::mem::take(&mut self.tracked_changed)
    }

    /// How many are in use.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_value.len()
    }
}

fn is_other(next_hop: NextHop) -> u32 {
    u32::from(!matches!(next_hop, NextHop::V4(_)))
}

fn metric(table: &NextHopTable, address: ScopedAddr) -> Option<u32> {
    match table.get(&address) {
        Some(NextHopState::Reachable { metric }) => Some(*metric),
        Some(NextHopState::Unreachable) | None => None,
    }
}
