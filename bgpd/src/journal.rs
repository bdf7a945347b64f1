//! What the log says of sessions: each change, but of a peer that flaps no more than a trickle.

use crate::bucket::{Bucket, Rate};
use bgpd_proto::speaker::Event;
use bgpd_proto::types::PeerId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Lines about one peer.
const RATE: Rate = Rate {
    burst: 10,
    pause: Duration::from_secs(30),
};

/// Peers of ranges come and go: beyond this many, those that have been quiet are forgotten.
const PEERS: usize = 4096;

/// How much was said of whom.
#[derive(Debug, Default)]
pub struct Journal {
    peers: HashMap<PeerId, Entry>,
}

#[derive(Debug)]
struct Entry {
    bucket: Bucket,
    /// Lines left out since the last one that was written.
    silent: u64,
}

impl Journal {
    /// Logs `event`, if it is worth a line and not one too many.
    pub fn note(&mut self, event: &Event, now: Instant) {
        let peer = match event {
            Event::Up { peer }
            | Event::Down { peer, .. }
            | Event::Fault { peer, .. }
            | Event::PrefixLimit { peer, .. } => peer,
            Event::RibChanged => return,
        };
        let Some(unsaid) = self.speak(*peer, now) else {
            return;
        };
        match event {
            Event::Up { .. } => tracing::info!(%peer, unsaid, "BGP session established"),
            Event::Down { reason, .. } => tracing::warn!(%peer, reason, unsaid, "BGP session down"),
            Event::Fault { what, .. } => tracing::warn!(%peer, unsaid, "fault in a BGP message: {what}"),
            Event::PrefixLimit {
                family,
                received,
                limit,
                ..
            } => {
                tracing::warn!(%peer, %family, received, limit, unsaid, "BGP peer is near its limit of prefixes or over it");
            }
            Event::RibChanged => {}
        }
    }

    /// Forgets peers that are no more.
    pub fn retain(&mut self, known: impl Fn(PeerId) -> bool) {
        self.peers.retain(|peer, _| known(*peer));
    }

    /// Whether a line may be written, and how many were left out before it.
    fn speak(&mut self, peer: PeerId, now: Instant) -> Option<u64> {
        if self.peers.len() >= PEERS {
            self.peers.retain(|_, entry| !entry.bucket.is_full(now));
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Entry {
            bucket: Bucket::new(now),
            silent: 0,
        });
        if entry.bucket.take(RATE, now) {
            return Some(std::mem::take(&mut entry.silent));
        }
        entry.silent += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_flaps_does_not_fill_the_log() {
        let peer = |text: &str| text.parse::<PeerId>().unwrap();
        let now = Instant::now();
        let mut journal = Journal::default();
        let said = |journal: &mut Journal, from| {
            (0..1000)
                .filter(|_| journal.speak(peer("192.0.2.1"), from).is_some())
                .count()
        };
        assert_eq!(said(&mut journal, now), 10);
        assert_eq!(journal.speak(peer("192.0.2.2"), now), Some(0), "others are heard");
        let later = now + Duration::from_secs(31);
        assert_eq!(journal.speak(peer("192.0.2.1"), later), Some(990));
        assert_eq!(journal.speak(peer("192.0.2.1"), later), None);
        journal.retain(|id| id != peer("192.0.2.1"));
        assert_eq!(journal.speak(peer("192.0.2.1"), later), Some(0));
    }
}
