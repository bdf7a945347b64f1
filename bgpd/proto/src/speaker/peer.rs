//! One configured peer: its configuration, its session, and how far its first feed has come.

use super::config::{PeerConfig, SpeakerConfig};
use super::faults::Faults;
use super::feed::Feed;
use super::limits::Alarm;
use super::retained::{Promise, Retained};
use crate::session::Session;
use crate::session::jitter::Jitter;
use crate::types::{Family, PeerId, PerFamily};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Instant;

/// A configured peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub config: PeerConfig,
    pub session: Session,
    /// Who was found on its interface, where it is known by that.
    pub neighbour: Option<SocketAddrV6>,
    /// It is there by connecting, from a range: nobody waits for it.
    pub dynamic: bool,
    /// While Established.
    pub feed: Option<Feed>,
    /// Its OPEN said that it has restarted: it may wait for our End-of-RIB as we do for its.
    pub restarting: bool,
    /// What the peer does when it restarts, as its last OPEN said.
    pub promise: Promise,
    /// What is kept of it while it restarts.
    pub retained: Option<Retained>,
    /// It is told nothing before (MinRouteAdvertisementIntervalTimer, RFC 4271 §9.2.1.1).
    pub rests_until: Option<Instant>,
    jitter: Jitter,
    /// Families whose refresh has begun, with when it counts as ended (RFC 7313).
    pub refreshing: BTreeMap<Family, Instant>,
    /// How near to its limits the peer has come in this session.
    pub alarms: PerFamily<Alarm>,
    /// The last session ended because it sent too many prefixes.
    pub exceeded: bool,
    /// What was wrong with what it sent.
    pub faults: Faults,
    /// Families switched off until the session ends (RFC 7606 §2).
    pub disabled: BTreeSet<Family>,
    /// The failure that was reported last.
    pub reported: Option<String>,
    /// Both ends of the session that stands, or stood last.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// The path to it was found dead, and has not been seen to come back.
    pub path_lost: bool,
    /// When it is to be looked at: not after it wants to be.
    pub scheduled: Option<Instant>,
}

impl Peer {
    /// A peer whose session has not been started.
    pub fn new(
        id: PeerId,
        config: PeerConfig,
        speaker: &SpeakerConfig,
        restarting: bool,
        now: Instant,
    ) -> Self {
        let settings = config.session_settings(speaker, restarting);
        let session = Session::new(settings, seed(id, speaker), now);
        Self {
            config,
            session,
            neighbour: None,
            dynamic: false,
            feed: None,
            restarting: false,
            promise: Promise::default(),
            retained: None,
            rests_until: None,
            jitter: Jitter::new(seed(id, speaker)),
            refreshing: BTreeMap::new(),
            alarms: PerFamily::default(),
            exceeded: false,
            faults: Faults::default(),
            disabled: BTreeSet::new(),
            reported: None,
            ends: None,
            path_lost: false,
            scheduled: None,
        }
    }

    /// The next thing that wants time.
    pub fn next_deadline(&self) -> Option<Instant> {
        let feed = self.feed.as_ref().and_then(Feed::deadline);
        let retained = self.retained.as_ref().and_then(Retained::next);
        let refreshing = self.refreshing.values().min().copied();
        let session = self.session.next_deadline();
        [session, feed, retained, refreshing, self.rests_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// UPDATEs were handed out for it, and `more` is whether some are left: after the last one it rests.
    pub fn told(&mut self, more: bool, now: Instant) {
        let interval = self.config.advertisement_interval;
        if !more && !interval.is_zero() {
            self.rests_until = Some(now + self.jitter.apply(interval));
        }
    }

    /// All that the peer has, has come, in the session that stands now; or nobody waits for it.
    pub fn is_fed(&self) -> bool {
        self.dynamic || self.feed.as_ref().is_some_and(Feed::is_complete)
    }
}

/// Jitter of each session of each speaker differs, and is the same in each run (FNV-1a over both identities).
fn seed(id: PeerId, speaker: &SpeakerConfig) -> u64 {
    let name = match id {
        PeerId::Address(IpAddr::V4(v4)) => v4.to_ipv6_mapped().octets().to_vec(),
        PeerId::Address(IpAddr::V6(v6)) => v6.octets().to_vec(),
        PeerId::Interface(name) => name.as_str().as_bytes().to_vec(),
    };
    let own = speaker.router_id.0.octets();
    name.iter()
        .chain(&own)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
