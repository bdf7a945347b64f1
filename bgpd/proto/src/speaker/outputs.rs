//! Carries out what sessions want and report: connections to the driver, routes to the RIB, news to whoever listens.

use super::action::{Action, Event};
use super::feed::Feed;
use super::hub::Speaker;
use crate::rib::PeerSession;
use crate::session::{Negotiated, Output};
use crate::types::{Family, PeerId};
use crate::wire::Update;
use std::time::Instant;

impl Speaker {
    /// Takes all outputs of one peer's session.
    pub(super) fn drain(&mut self, id: PeerId, now: Instant) {
        while let Some(output) = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.session.poll_output())
        {
            self.carry_out(id, output, now);
        }
    }

    fn carry_out(&mut self, id: PeerId, output: Output, now: Instant) {
        match output {
            Output::Connect => self.connect(id),
            Output::Close { conn, last_words } => {
                self.connections.remove(&conn);
                self.actions.push_back(Action::Close { conn, last_words });
            }
            Output::Up(negotiated) => self.up(id, &negotiated, now),
            Output::Lost { reason, silent } => self.lost(id, reason, silent, now),
            Output::Failed(reason) => self.failed(id, reason),
            Output::Update(update) => self.update(id, *update, now),
            Output::Refresh(family) => self.rib.refresh(id, family),
            Output::Keepalive => {
                if let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) {
                    feed.keepalive(now);
                }
            }
        }
    }

    fn connect(&mut self, id: PeerId) {
        let conn = self.next_conn();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.session.connecting(conn);
        let action = Action::Connect {
            conn,
            peer: id,
            local: peer.config.local_address,
            remote: peer.remote(id),
            ttl: peer.config.ttl(self.config.asn),
        };
        self.connections.insert(conn, id);
        self.actions.push_back(action);
    }

    /// An attempt that fails as the one before did is no news: a peer that is away would be reported each few seconds.
    fn failed(&mut self, id: PeerId, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.reported.as_ref() != Some(&reason) {
            peer.reported = Some(reason.clone());
            self.events.push_back(Event::Down { peer: id, reason });
        }
    }

    fn up(&mut self, id: PeerId, negotiated: &Negotiated, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.feed = Some(Feed::new(&negotiated.families, negotiated.graceful_restart));
        peer.reported = None;
        let config = &peer.config;
        let session = PeerSession {
            kind: config.kind(self.config.asn),
            local_asn: self.config.asn,
            remote_asn: config.remote_asn,
            remote_router_id: negotiated.router_id,
            remote_address: id.0,
            families: negotiated.families.clone(),
            four_octet: negotiated.four_octet,
            max_message_len: negotiated.max_message_len,
            next_hop_v4: config.next_hop_v4,
            next_hop_v6: config.next_hop_v6,
            transit: config.transit,
        };
        self.rib.peer_up(id, session);
        self.resumed(id, negotiated, now);
        self.events.push_back(Event::Up { peer: id });
    }

    /// Hands the routes to the RIB: those of families that both speak and that can be read (RFC 7606 §2).
    fn update(&mut self, id: PeerId, update: Update, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(agreed) = peer.session.agreed().cloned() else {
            return;
        };
        let mut routes = update.into_routes();
        peer.disabled.extend(&routes.disable);
        let spoken = |family: Family| agreed.families.contains(&family) && !peer.disabled.contains(&family);
        routes.announced.retain(|part| spoken(part.family));
        routes.withdrawn.retain(|part| spoken(part.family));
        routes.end_of_rib = routes.end_of_rib.filter(|family| spoken(*family));
        if let Some(feed) = &mut peer.feed {
            routes.disable.iter().for_each(|family| feed.disable(*family));
            feed.update(routes.end_of_rib, now);
        }
        let end_of_rib = routes.end_of_rib;
        self.rib.update(id, routes, now);
        if let Some(family) = end_of_rib {
            self.refreshed(id, family);
        }
    }
}
