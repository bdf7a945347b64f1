//! Sets of hops that many routes share: what the kernel keeps as nexthop objects.
//!
//! A set is named by what its routes ask BGP for, not by what the answer is now: the next hops of the paths, the one that stands
//! by, and the pool. So when a next hop moves to another link, into a tunnel, or dies, the set's hops change and its
//! routes do not: one write in the kernel, however many they are.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bgpd_proto::types::ScopedAddr;
use routesync::{DesiredNexthops, Hop, NexthopKey, NexthopSet, Resilient};

/// What the routes of a set have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spec {
    /// The next hops of the best path and of its equals, in BGP's order.
    pub next_hops: Vec<ScopedAddr>,
    /// Where packets go while none of these is reachable.
    pub backup: Option<ScopedAddr>,
    /// The pool that the destinations lie in.
    pub pool: Option<String>,
}

impl Spec {
    /// Its name, such as `192.0.2.12 in default`.
    pub fn key(&self) -> NexthopKey {
        let mut name = String::new();
        for (at, next_hop) in self.next_hops.iter().enumerate() {
            let and = if at == 0 { "" } else { " and " };
            // Writing to a string does not fail.
            let _ = write!(name, "{and}{next_hop}");
        }
        if let Some(backup) = self.backup {
            let _ = write!(name, ", else {backup}");
        }
        if let Some(pool) = &self.pool {
            let _ = write!(name, " in {pool}");
        }
        NexthopKey(name.into())
    }
}

/// How many sets more than at the last full round call for another one.
const GROWTH: usize = 1024;

/// All sets that routes refer to, with their hops.
///
/// Those that no route refers to any more are dropped at the second full round: at the first one, routes in the kernel may not have
/// been moved yet.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    known: BTreeMap<NexthopKey, Set>,
    generation: u64,
    /// How many there were after the last full round.
    kept: usize,
    /// What was handed out last, while nothing is different.
    desired: Option<Arc<DesiredNexthops>>,
}

#[derive(Debug, Clone)]
struct Set {
    spec: Spec,
    hops: Vec<Hop>,
    /// The last full round that referred to it, or that it came after.
    generation: u64,
}

impl Sets {
    /// Takes in a set with its hops.
    pub fn put(&mut self, key: NexthopKey, spec: Spec, hops: Vec<Hop>) {
        let generation = self.generation;
        match self.known.get_mut(&key) {
            Some(set) if set.hops == hops => set.generation = generation,
            _ => {
                let set = Set {
                    spec,
                    hops,
                    generation,
                };
                self.known.insert(key, set);
                self.desired = None;
            }
        }
    }

    /// A full round begins: it puts all that are needed.
    pub fn next_generation(&mut self) {
        self.generation += 1;
    }

    /// A full round has ended.
    pub fn keep(&mut self) {
        let generation = self.generation;
        let before = self.known.len();
        self.known.retain(|_, set| set.generation + 1 >= generation);
        self.kept = self.known.len();
        if self.kept != before {
            self.desired = None;
        }
    }

    /// Many have come since the last full round, and nobody knows which of them are still needed.
    pub fn is_overgrown(&self) -> bool {
        self.known.len() > 2 * self.kept + GROWTH
    }

    /// Finds the hops of every set anew; true where any has others now. Where there are none, those before stay: that its
    /// routes have no way is decided for each of them, and until then nothing is better.
    pub fn renew(&mut self, mut find: impl FnMut(&Spec) -> Vec<Hop>) -> bool {
        let mut moved = false;
        for set in self.known.values_mut() {
            let hops = find(&set.spec);
            if !hops.is_empty() && hops != set.hops {
                set.hops = hops;
                moved = true;
            }
        }
        if moved {
            self.desired = None;
        }
        moved
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// For `routesync`; `resilient`, which stays as it is as long as the agent runs, is for sets that have several next hops, even
    /// while only one of them is alive: the kernel does not change the kind of a group.
    pub fn desired(&mut self, resilient: Option<Resilient>) -> Arc<DesiredNexthops> {
        if let Some(desired) = &self.desired {
            return desired.clone();
        }
        let set = |(key, set): (&NexthopKey, &Set)| {
            let several = set.spec.next_hops.len() > 1;
            let wanted = NexthopSet {
                hops: set.hops.clone(),
                resilient: resilient.filter(|_| several),
            };
            (key.clone(), wanted)
        };
        let desired = Arc::new(DesiredNexthops {
            sets: self.known.iter().map(set).collect(),
        });
        self.desired = Some(desired.clone());
        desired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(gateway: &str) -> Hop {
        Hop {
            gateway: Some(gateway.parse().unwrap()),
            interface: "eth0".into(),
            onlink: false,
            weight: 1,
        }
    }

    fn spec(next_hops: &[&str], backup: Option<&str>, pool: Option<&str>) -> Spec {
        Spec {
            next_hops: next_hops.iter().map(|n| n.parse().unwrap()).collect(),
            backup: backup.map(|n| n.parse().unwrap()),
            pool: pool.map(str::to_owned),
        }
    }

    #[test]
    fn a_name_tells_what_is_asked_for() {
        let name = |next_hops: &[&str], backup, pool| spec(next_hops, backup, pool).key().to_string();
        assert_eq!(name(&["192.0.2.1"], None, None), "192.0.2.1");
        assert_eq!(name(&["192.0.2.1"], None, Some("pods")), "192.0.2.1 in pods");
        assert_eq!(
            name(&["192.0.2.1", "192.0.2.2"], Some("192.0.2.3"), Some("pods")),
            "192.0.2.1 and 192.0.2.2, else 192.0.2.3 in pods"
        );
    }

    #[test]
    fn a_set_without_a_way_keeps_the_one_before() {
        let mut sets = Sets::default();
        for next_hop in ["192.0.2.1", "192.0.2.2"] {
            let spec = spec(&[next_hop], None, None);
            sets.put(spec.key(), spec, vec![hop(next_hop)]);
        }
        let moved = sets.renew(|spec| match spec.next_hops[0].to_string().as_str() {
            "192.0.2.1" => vec![hop("192.0.2.9")],
            _ => Vec::new(),
        });
        assert!(moved);
        let desired = sets.desired(None);
        let hops = |key: &str| desired.sets[&NexthopKey::from(key)].hops.clone();
        assert_eq!(hops("192.0.2.1"), [hop("192.0.2.9")]);
        assert_eq!(hops("192.0.2.2"), [hop("192.0.2.2")]);
    }

    #[test]
    fn a_set_goes_at_the_second_full_round_without_it() {
        let mut sets = Sets::default();
        let (stays, goes) = (spec(&["192.0.2.1"], None, None), spec(&["192.0.2.2"], None, None));
        sets.put(goes.key(), goes.clone(), vec![hop("192.0.2.2")]);
        let mut round = || {
            sets.next_generation();
            sets.put(stays.key(), stays.clone(), vec![hop("192.0.2.1")]);
            sets.keep();
            sets.desired(None).sets.contains_key(&goes.key())
        };
        assert!(round());
        assert!(!round());
    }

    #[test]
    fn only_sets_of_several_next_hops_are_resilient() {
        let mut sets = Sets::default();
        let (one, two) = (
            spec(&["192.0.2.1"], Some("192.0.2.2"), None),
            spec(&["192.0.2.1", "192.0.2.2"], None, None),
        );
        for spec in [&one, &two] {
            sets.put(spec.key(), spec.clone(), vec![hop("192.0.2.1")]);
        }
        let desired = sets.desired(Some(Resilient::default()));
        assert_eq!(desired.sets[&one.key()].resilient, None);
        assert_eq!(desired.sets[&two.key()].resilient, Some(Resilient::default()));
    }
}
