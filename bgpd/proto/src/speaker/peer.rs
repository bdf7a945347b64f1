//! One configured peer: its configuration, its session, and how far its first feed has come.

use super::config::{PeerConfig, SpeakerConfig};
use super::feed::Feed;
use super::retained::{Promise, Retained};
use crate::session::Session;
use crate::types::{Family, PeerId};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A configured peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub config: PeerConfig,
    pub session: Session,
    /// While Established.
    pub feed: Option<Feed>,
    /// What the peer does when it restarts, as its last OPEN said.
    pub promise: Promise,
    /// What is kept of it while it restarts.
    pub retained: Option<Retained>,
    /// Families switched off until the session ends (RFC 7606 §2).
    pub disabled: BTreeSet<Family>,
    /// The failure that was reported last.
    pub reported: Option<String>,
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
            feed: None,
            promise: Promise::default(),
            retained: None,
            disabled: BTreeSet::new(),
            reported: None,
        }
    }

    /// Where to connect to.
    pub fn remote(&self, id: PeerId) -> SocketAddr {
        SocketAddr::new(id.0, self.config.remote_port)
    }

    /// The next thing that wants time.
    pub fn next_deadline(&self) -> Option<Instant> {
        let feed = self.feed.as_ref().and_then(Feed::deadline);
        let retained = self.retained.as_ref().map(|retained| retained.until);
        [self.session.next_deadline(), feed, retained]
            .into_iter()
            .flatten()
            .min()
    }

    /// All that the peer has, has come, in the session that stands now.
    pub fn is_fed(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::is_complete)
    }
}

/// Jitter of each session of each speaker differs, and is the same in each run (FNV-1a over both identities).
fn seed(id: PeerId, speaker: &SpeakerConfig) -> u64 {
    let address = match id.0 {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let own = speaker.router_id.0.octets();
    address
        .iter()
        .chain(&own)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
