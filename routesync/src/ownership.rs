//! Which routes may be written and removed: those with our protocol number, and of them orphans only when told to sweep.
//!
//! An orphan carries our mark but was never wanted in this run: an earlier run left it, and it may still carry traffic until
//! the first full feed shows that it is not wanted. What this run itself wanted and then dropped is no orphan; it goes at once.

use rustc_hash::FxHashSet;

use crate::model::RouteKey;

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
    retired: FxHashSet<RouteKey>,
    sweep: bool,
}

impl Ownership {
    /// Whether orphans may be removed from now on.
    pub fn allow_sweep(&mut self, sweep: bool) {
        self.sweep = sweep;
    }

    /// Notes that the route is wanted from now on.
    pub fn wanted(&mut self, key: &RouteKey) {
        self.retired.remove(key);
    }

    /// Notes that the route was wanted until now.
    pub fn dropped(&mut self, key: RouteKey) {
        self.retired.insert(key);
    }

    /// The kernel no longer has the route: a later one of this key is somebody else's doing. Whether it was wanted until now.
    pub fn gone(&mut self, key: &RouteKey) -> bool {
        self.retired.remove(key)
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
        let mut ownership = Ownership::default();
        assert_eq!(ownership.fate(&key), Fate::Keep);
        ownership.wanted(&key);
        ownership.dropped(key);
        assert_eq!(ownership.fate(&key), Fate::Retire);
        assert!(ownership.gone(&key) && !ownership.gone(&key));
        assert_eq!(ownership.fate(&key), Fate::Keep);
        ownership.allow_sweep(true);
        assert_eq!(ownership.fate(&key), Fate::Sweep);
    }
}
