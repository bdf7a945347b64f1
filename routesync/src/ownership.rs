//! Which routes may be written and removed: those with our protocol number, and of them orphans only when told to sweep.
//!
//! An orphan carries our mark but was never wanted in this run: an earlier run left it, and it may still carry traffic until
//! the first full feed shows that it is not wanted. What this run itself wanted and then dropped is no orphan; it goes at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DesiredRoute, RouteKey};

/// What to do with a route of ours that is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Wanted earlier in this run, no longer: remove.
    Retire,
    /// Left by an earlier run, sweeping allowed: remove and count.
    Sweep,
    /// Left by an earlier run, not to be touched yet.
    Keep,
}

/// The memory that tells retired routes from orphans.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    retired: BTreeSet<RouteKey>,
    sweep: bool,
}

impl Ownership {
    /// Notes the step from one wish to the next; the keys whose wish differs go to `changed`.
    pub fn step(
        &mut self,
        old: &BTreeMap<RouteKey, DesiredRoute>,
        new: &BTreeMap<RouteKey, DesiredRoute>,
        sweep: bool,
        mut changed: impl FnMut(&RouteKey),
    ) {
        self.sweep = sweep;
        for key in old.keys().filter(|key| !new.contains_key(key)) {
            self.retired.insert(*key);
            changed(key);
        }
        for (key, route) in new {
            if old.get(key) != Some(route) {
                self.retired.remove(key);
                changed(key);
            }
        }
    }

    /// The kernel no longer has the route: a later one of this key is somebody else's doing.
    pub fn gone(&mut self, key: &RouteKey) {
        self.retired.remove(key);
    }

    /// What becomes of a route of ours that is not wanted.
    pub fn fate(&self, key: &RouteKey) -> Fate {
        match (self.retired.contains(key), self.sweep) {
            (true, _) => Fate::Retire,
            (false, true) => Fate::Sweep,
            (false, false) => Fate::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Metric;

    #[test]
    fn only_orphans_wait_for_the_sweep() {
        let key = RouteKey::main("10.0.0.0/24".parse().unwrap(), Metric(1));
        let wish = BTreeMap::from([(key, DesiredRoute::blackhole())]);
        let mut ownership = Ownership::default();
        assert_eq!(ownership.fate(&key), Fate::Keep);
        ownership.step(&BTreeMap::new(), &wish, false, |_| {});
        ownership.step(&wish, &BTreeMap::new(), false, |_| {});
        assert_eq!(ownership.fate(&key), Fate::Retire);
        ownership.gone(&key);
        assert_eq!(ownership.fate(&key), Fate::Keep);
        ownership.step(&BTreeMap::new(), &BTreeMap::new(), true, |_| {});
        assert_eq!(ownership.fate(&key), Fate::Sweep);
    }
}
