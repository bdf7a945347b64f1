//! Taking up a new configuration, session by session, and leaving.

use super::config::{PeerConfig, SpeakerConfig};
use super::hub::Speaker;
use super::peer::Peer;
use crate::session::messages;
use crate::types::PeerId;
use crate::wire::Notification;
use std::time::Instant;

impl Speaker {
    /// Takes up `config`. Peers that stay as they are are not touched; a change of policy alone keeps the session.
    pub fn reconfigure(&mut self, config: SpeakerConfig, now: Instant) {
        let config = self.take_up_ranges(config);
        let old = std::mem::replace(&mut self.config, config);
        self.bfd_changed = true;
        let removed: Vec<PeerId> = old
            .peers
            .keys()
            .filter(|id| !self.config.peers.contains_key(id))
            .copied()
            .collect();
        for id in removed {
            self.end_peer(id, messages::peer_deconfigured(), now);
        }
        self.rib.configure(self.config.local_settings());
        self.await_new_peers(&old, now);
        for id in self.config.peers.keys().copied().collect::<Vec<_>>() {
            match old.peers.get(&id) {
                None => self.add_peer(id, now),
                Some(before) if self.comes_or_goes(id, before) => {
                    let why = self.config.peers.get(&id).and_then(|peer| peer.withheld.clone());
                    self.end_peer(id, messages::admin_shutdown(why.as_deref()), now);
                    self.add_peer(id, now);
                }
                Some(before) => self.change_peer(id, before, &old, now),
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
        if peer.config.withheld.is_none() {
            peer.session.start(now);
        }
        self.peers.insert(id, peer);
        self.drain(id, now);
    }

    /// What the session needs is there now, or is there no more; while it is withheld nothing of it stands that a change could
    /// touch.
    fn comes_or_goes(&self, id: PeerId, before: &PeerConfig) -> bool {
        let after = self.config.peers.get(&id);
        before.withheld.is_some() || after.is_some_and(|after| after.withheld.is_some())
    }

    fn end_peer(&mut self, id: PeerId, cease: Notification, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.session.stop(cease, now);
        }
        self.drain(id, now);
        self.forget_retained(id);
        self.peers.remove(&id);
        self.schedule(id);
    }

    /// Settings of the session are compared as compiled, so that a change of our own AS or identifier counts as well.
    fn change_peer(&mut self, id: PeerId, before: &PeerConfig, old: &SpeakerConfig, now: Instant) {
        let (Some(config), Some(peer)) = (self.config.peers.get(&id), self.peers.get(&id)) else {
            return;
        };
        let settings = config.session_settings(&self.config, !self.fully_fed);
        let reset = config.needs_new_connection(before);
        let another = settings.is_of_another(peer.session.settings());
        if reset || another {
            // What a changed peer said under its old configuration may not hold any more.
            self.forget_retained(id);
        }
        let (Some(config), Some(peer)) = (self.config.peers.get(&id), self.peers.get_mut(&id)) else {
            return;
        };
        let limits_changed = config.max_prefix != before.max_prefix;
        let policy_changed = config.policy(&self.config) != before.policy(old);
        peer.config = config.clone();
        peer.session
            .reconfigure(settings, reset, messages::configuration_change(), now);
        let policy = peer.policy(id, &self.config);
        self.drain(id, now);
        if another {
            // The session that has ended just now may have left something.
            self.forget_retained(id);
        }
        if limits_changed {
            self.change_limits(id, now);
        }
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
