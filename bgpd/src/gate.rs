//! Who may connect, and how often: asked by the listeners before anything else hears of a connection.
//!
//! Strangers are turned away here at the price of one accept, and so is a peer (or whoever uses its address) that
//! connects more often than any BGP speaker has reason to.

use crate::bucket::{Bucket, Rate};
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Connections from one address: both ends of a session may try at once, and again after a restart.
const RATE: Rate = Rate {
    burst: 10,
    pause: Duration::from_millis(200),
};

/// Buckets that are kept before full ones are forgotten.
const BUCKETS: usize = 1024;

/// The gate, shared by the engine, which says who is known, and the listeners, which ask.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashSet<IpAddr>,
    ranges: Vec<IpNet>,
    links: bool,
    buckets: HashMap<IpAddr, Bucket>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No peer has this address, and no range holds it.
    #[error("no such peer is configured")]
    Stranger,
    /// Too many connections from this address.
    #[error("it connects too often")]
    TooOften,
}

impl Gate {
    /// From now on these are known, all hosts of `ranges`, and where `links` says so all neighbours with a link-local
    /// address: the engine knows on which links there are peers.
    pub fn set_known(&self, known: HashSet<IpAddr>, ranges: Vec<IpNet>, links: bool) {
        let mut inner = self.lock();
        inner.known = known;
        inner.ranges = ranges;
        inner.links = links;
    }

    /// Whether a connection from `remote` may be taken.
    pub fn admit(&self, remote: IpAddr, now: Instant) -> Result<(), Refused> {
        let remote = remote.to_canonical();
        let mut inner = self.lock();
        let in_range = |inner: &Inner| inner.ranges.iter().any(|range| range.contains(&remote));
        let on_link =
            |inner: &Inner| inner.links && matches!(remote, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !inner.known.contains(&remote) && !in_range(&inner) && !on_link(&inner) {
            return Err(Refused::Stranger);
        }
        if inner.buckets.len() >= BUCKETS {
            inner.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = inner.buckets.entry(remote).or_insert_with(|| Bucket::new(now));
        if bucket.take(RATE, now) {
            Ok(())
        } else {
            Err(Refused::TooOften)
        }
    }

    /// Never left half-changed, whatever happened to its last user.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_refused_and_peers_are_slowed_down_each_for_itself() {
        let peers: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let gate = Gate::default();
        gate.set_known(peers.into(), vec!["198.51.100.0/24".parse().unwrap()], false);
        let now = Instant::now();
        assert_eq!(
            gate.admit("192.0.2.9".parse().unwrap(), now),
            Err(Refused::Stranger)
        );
        for _ in 0..10 {
            assert_eq!(gate.admit("::ffff:192.0.2.1".parse().unwrap(), now), Ok(()));
        }
        assert_eq!(gate.admit(peers[0], now), Err(Refused::TooOften));
        assert_eq!(gate.admit(peers[1], now), Ok(()));
        assert_eq!(gate.admit(peers[0], now + Duration::from_millis(200)), Ok(()));
        assert_eq!(gate.admit("198.51.100.77".parse().unwrap(), now), Ok(()));
        let neighbour = "fe80::1".parse().unwrap();
        assert_eq!(gate.admit(neighbour, now), Err(Refused::Stranger));
        gate.set_known(HashSet::new(), Vec::new(), true);
        assert_eq!(gate.admit(neighbour, now), Ok(()));
        assert_eq!(gate.admit(peers[1], now), Err(Refused::Stranger));
    }
}
