//! When a peer has sent us all that it has, for the first time.
//!
//! A peer that announced graceful restart sends End-of-RIB for each family (RFC 4724 §2), and we wait for that. From
//! another peer we take the marker too if it comes; else it counts as fed after two quiet seconds: no UPDATE for that
//! long, and its first KEEPALIVE (which RFC 4271 peers send before the first UPDATE) as long ago.

use crate::types::Family;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a peer without End-of-RIB has to be quiet.
const QUIET: Duration = Duration::from_secs(2);

/// Progress of one peer's feed, from the moment the session is up.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    awaited: BTreeSet<Family>,
    received: BTreeSet<Family>,
    /// The peer promised End-of-RIB.
    promised: bool,
    /// When the last KEEPALIVE (the first one only) or UPDATE came.
    last_heard: Option<Instant>,
    quiet: bool,
}

impl Feed {
    /// A feed of `families`; `promised` is whether the peer announced graceful restart.
    pub fn new(families: &[Family], promised: bool) -> Self {
        Self {
            awaited: families.iter().copied().collect(),
            received: BTreeSet::new(),
            promised,
            last_heard: None,
            quiet: false,
        }
    }

    /// A KEEPALIVE came.
    pub fn keepalive(&mut self, now: Instant) {
        self.last_heard.get_or_insert(now);
    }

    /// An UPDATE came; `end_of_rib` is the family whose marker it was.
    pub fn update(&mut self, end_of_rib: Option<Family>, now: Instant) {
        match end_of_rib {
            Some(family) => {
                self.received.insert(family);
                self.awaited.remove(&family);
            }
            None => self.last_heard = self.last_heard.map(|at| at.max(now)),
        }
    }

    /// A family that is no longer spoken is not waited for.
    pub fn disable(&mut self, family: Family) {
        self.awaited.remove(&family);
    }

    /// Lets the quiet time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.quiet = true;
        }
    }

    /// When the quiet time will be over, unless something comes.
    pub fn deadline(&self) -> Option<Instant> {
        if self.promised || self.is_complete() {
            None
        } else {
            self.last_heard.map(|at| at + QUIET)
        }
    }

    /// Whether all has come.
    pub fn is_complete(&self) -> bool {
        self.quiet || self.awaited.is_empty()
    }

    /// Families whose marker came.
    pub fn markers(&self) -> &BTreeSet<Family> {
        &self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
    fn origin() -> Instant {
        Instant::now()
    }

    const BOTH: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

    #[test]
    fn markers_of_every_family_complete_a_feed() {
        let now = origin();
        let mut feed = Feed::new(&BOTH, true);
        feed.keepalive(now);
        feed.update(Some(Family::Ipv4Unicast), now);
        assert!(!feed.is_complete());
        assert_eq!(feed.deadline(), None, "a promised marker is waited for");
        feed.update(Some(Family::Ipv6Unicast), now);
        assert!(feed.is_complete());
    }

    #[test]
    fn without_a_promise_two_quiet_seconds_will_do() {
        let now = origin();
        let mut feed = Feed::new(&BOTH, false);
        assert_eq!(feed.deadline(), None);
        feed.keepalive(now);
        feed.keepalive(now + Duration::from_secs(1));
        assert_eq!(
            feed.deadline(),
            Some(now + QUIET),
            "only the first KEEPALIVE counts"
        );
        feed.update(None, now + Duration::from_secs(1));
        feed.handle_timeout(now + QUIET);
        assert!(!feed.is_complete());
        feed.handle_timeout(now + QUIET + Duration::from_secs(1));
        assert!(feed.is_complete());
    }

    #[test]
    fn a_disabled_family_is_not_waited_for() {
        let mut feed = Feed::new(&BOTH, true);
        feed.update(Some(Family::Ipv4Unicast), origin());
        feed.disable(Family::Ipv6Unicast);
        assert!(feed.is_complete());
    }
}
