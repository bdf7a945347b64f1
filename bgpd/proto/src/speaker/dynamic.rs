//! Peers without a configuration of their own: whoever connects from a [`ListenRange`] becomes a passive peer after its
//! template, up to the range's limit, and is no peer any more once its session has ended and nothing of it is retained.
//!
//! While it lasts such a peer stands among the configured ones, so that a change of its template is taken up as any
//! change is: session by session, and without a reset where none is needed.

use super::config::{ListenRange, PeerConfig, SpeakerConfig};
use super::hub::Speaker;
use super::peer::Peer;
use crate::session::{State, messages};
use crate::types::PeerId;
use std::net::IpAddr;
use std::time::Instant;

impl SpeakerConfig {
    /// The narrowest range that holds `address`, if its peers may connect.
    fn range_of(&self, address: IpAddr) -> Option<&ListenRange> {
        let address = address.to_canonical();
        let holding = self.ranges.iter().filter(|range| range.prefix.contains(&address));
        holding
            .max_by_key(|range| range.prefix.prefix_len())
            .filter(|range| range.template.withheld.is_none())
    }
}

impl ListenRange {
    /// The configuration of a peer of this range.
    fn instance(&self) -> PeerConfig {
        PeerConfig {
            passive: true,
            ..self.template.clone()
        }
    }
}

impl Speaker {
    /// The range that an address belongs to, which no configured peer has.
    pub(super) fn range_of(&self, address: IpAddr) -> Option<&ListenRange> {
        self.config.range_of(address)
    }

    /// Makes `id`, which connects just now, a peer, if it is none yet and its range has room.
    pub(super) fn admit(&mut self, id: PeerId, now: Instant) {
        if self.config.peers.contains_key(&id) {
            return;
        }
        let Some(range) = id.address().and_then(|address| self.range_of(address)) else {
            return;
        };
        let prefix = range.prefix;
        if self.dynamic.values().filter(|of| **of == prefix).count() >= range.limit {
            return;
        }
        let config = range.instance();
        self.config.peers.insert(id, config);
        self.add_peer(id, now);
        self.dynamic.insert(id, prefix);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.dynamic = true;
        }
    }

    /// What is said to an address that is no peer: nothing to a stranger, and a reason where only room is missing.
    pub(super) fn refusal(&self, id: PeerId) -> Vec<u8> {
        let mut words = Vec::new();
        if id
            .address()
            .is_some_and(|address| self.range_of(address).is_some())
        {
            messages::connection_rejected().encode(&mut words);
        }
        words
    }

    /// Lets go of a peer of a range whose session is over.
    pub(super) fn retire(&mut self, id: PeerId) {
        if !self.dynamic.contains_key(&id) {
            return;
        }
        // One that has sent too many prefixes waits for its time here, and does not come back at once as another.
        let paused = |peer: &Peer| peer.exceeded && peer.session.state() == State::Idle;
        let over =
            |peer: &Peer| !peer.session.state().is_connected() && peer.retained.is_none() && !paused(peer);
        if self.peers.get(&id).is_none_or(over) {
            self.bfd_changed = true;
            self.peers.remove(&id);
            self.config.peers.remove(&id);
            self.dynamic.remove(&id);
        }
    }

    /// `config` with the peers that are there by connecting, as far as its ranges still have a place for them.
    pub(super) fn with_dynamic(&self, mut config: SpeakerConfig) -> SpeakerConfig {
        for (id, prefix) in &self.dynamic {
            let Some(address) = id.address().filter(|_| !config.peers.contains_key(id)) else {
                continue;
            };
            if let Some(range) = config.range_of(address).filter(|range| range.prefix == *prefix) {
                let instance = range.instance();
                config.peers.insert(*id, instance);
            }
        }
        config
    }

    /// The new configuration as it will stand: with those peers that stay by their ranges, and no longer as such with those
    /// that are configured now.
    pub(super) fn take_up_ranges(&mut self, config: SpeakerConfig) -> SpeakerConfig {
        self.dynamic.retain(|id, _| !config.peers.contains_key(id));
        let config = self.with_dynamic(config);
        self.dynamic.retain(|id, _| config.peers.contains_key(id));
        for (id, peer) in &mut self.peers {
            peer.dynamic = self.dynamic.contains_key(id);
        }
        config
    }
}
