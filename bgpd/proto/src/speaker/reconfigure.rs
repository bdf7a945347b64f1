//! Taking up a new configuration, session by session, and leaving.

use super::config::{PeerConfig, SpeakerConfig};
use super::hub::Speaker;
use super::peer::Peer;
use crate::session::messages;
use crate::types::PeerId;
use std::time::Instant;

impl Speaker {
    /// Takes up `config`. Peers that stay as they are are not touched; a change of policy alone keeps the session.
    pub fn reconfigure(&mut self, config: SpeakerConfig, now: Instant) {
        let old = std::mem::replace(&mut self.config, config);
        let removed: Vec<PeerId> = old
            .peers
            .keys()
            .filter(|id| !self.config.peers.contains_key(id))
            .copied()
            .collect();
        for id in removed {
            self.remove_peer(id, now);
        }
        self.rib.configure(self.config.local_settings());
        self.await_new_peers(&old, now);
        for id in self.config.peers.keys().copied().collect::<Vec<_>>() {
            match old.peers.get(&id) {
                None => self.add_peer(id, now),
                Some(before) => self.change_peer(id, before, now),
            }
        }
        self.settle(now);
    }

    /// Ends all sessions with Cease, Administrative Shutdown (RFC 9003), for good.
    pub fn shutdown(&mut self, communication: Option<String>, now: Instant) {
        let cease = messages::admin_shutdown(communication.as_deref());
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.session.stop(cease.clone(), now);
            }
            self.drain(id, now);
        }
        self.settle(now);
    }

    /// A peer that is new while the first feed is still waited for belongs to it. The wait begins anew with the first
    /// peers of a speaker that had none.
    fn await_new_peers(&mut self, old: &SpeakerConfig, now: Instant) {
        let added = self.config.peers.keys().any(|id| !old.peers.contains_key(id));
        if added && old.peers.is_empty() {
            self.deferral = now + self.config.feed_deferral;
        }
        if added && now < self.deferral {
            self.fully_fed = false;
        }
    }

    pub(super) fn add_peer(&mut self, id: PeerId, now: Instant) {
        let Some(config) = self.config.peers.get(&id) else {
            return;
        };
        let mut peer = Peer::new(id, config.clone(), &self.config, !self.fully_fed, now);
        peer.session.start(now);
        self.peers.insert(id, peer);
        self.drain(id, now);
    }

    fn remove_peer(&mut self, id: PeerId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.session.stop(messages::peer_deconfigured(), now);
        }
        self.drain(id, now);
        self.forget_retained(id);
        self.peers.remove(&id);
    }

    /// Settings of the session are compared as compiled, so that a change of our own AS or identifier counts as well.
    fn change_peer(&mut self, id: PeerId, before: &PeerConfig, now: Instant) {
        if self.config.peers.get(&id).is_some_and(|config| config != before) {
            // What a changed peer said under its old configuration may not hold any more.
            self.forget_retained(id);
        }
        let (Some(config), Some(peer)) = (self.config.peers.get(&id), self.peers.get_mut(&id)) else {
            return;
        };
        let settings = config.session_settings(&self.config, !self.fully_fed);
        let reset = config.needs_new_connection(before);
        let policy_changed = config.policy() != before.policy();
        peer.config = config.clone();
        peer.session
            .reconfigure(settings, reset, messages::configuration_change(), now);
        let policy = config.policy();
        self.drain(id, now);
        if policy_changed
            && self
                .peers
                .get(&id)
                .is_some_and(|peer| peer.session.established().is_some())
        {
            self.rib.peer_policy(id, policy);
        }
    }
}
