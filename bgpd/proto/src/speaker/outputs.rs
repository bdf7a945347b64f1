//! Carries out what sessions want and report: connections to the driver, routes to the RIB, news to whoever listens.

use super::action::{Action, Event};
use super::feed::Feed;
use super::hub::Speaker;
use crate::rib::{Features, PeerSession};
use crate::session::{Negotiated, Output, Piece};
use crate::types::{ConnId, Family, PeerId, PerFamily};
use crate::wire::{Fault, Update};
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
        self.retire(id);
        self.schedule(id);
    }

    /// Reads bytes of a connection, and carries out what each message leads to before the next one is read.
    pub(super) fn take_in(&mut self, id: PeerId, conn: ConnId, bytes: &[u8], now: Instant) {
        let mut piece = Piece::new(bytes);
        while let Some(output) = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.session.receive_next(conn, &mut piece, now))
        {
            self.carry_out(id, output, now);
        }
    }

    fn carry_out(&mut self, id: PeerId, output: Output, now: Instant) {
        match output {
            Output::Connect => self.connect(id, now),
            Output::Close { conn, last_words } => {
                self.connections.remove(&conn);
                self.actions.push_back(Action::Close { conn, last_words });
            }
            Output::Up(negotiated) => self.up(id, &negotiated, now),
            Output::Lost { reason, end } => self.lost(id, reason, end, now),
            Output::Failed(reason) => self.failed(id, reason),
            Output::Update(update) => self.update(id, *update, now),
            Output::Refresh { family, kind } => self.refresh(id, family, kind, now),
            Output::Keepalive => {
                if let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) {
                    feed.keepalive(now);
                }
            }
        }
    }

    fn connect(&mut self, id: PeerId, now: Instant) {
        let conn = self.next_conn();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.session.connecting(conn);
        let Some(remote) = peer.remote(id) else {
            let unknown = format!("no neighbour has been found on {id} yet");
            peer.session.closed(conn, unknown, now);
            return;
        };
        let action = Action::Connect {
            conn,
            peer: id,
            local: peer.config.local_address,
            remote,
            transport: peer.config.transport(self.config.asn),
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
        let (local, remote) = peer.session.addresses();
        let ends = local.zip(remote);
        self.bfd_changed |= ends != peer.ends;
        peer.ends = ends;
        peer.restarting = negotiated.peer_restarting;
        let config = &peer.config;
        let Some(remote_address) = peer
            .session
            .addresses()
            .1
            .map(|remote| remote.ip().to_canonical())
        else {
            return;
        };
        let policy = peer.policy(id, &self.config);
        let session = PeerSession {
            kind: config.kind(self.config.asn),
            local_asn: config.local_as(self.config.asn),
            remote_asn: negotiated.asn,
            remote_router_id: negotiated.router_id,
            remote_address,
            families: negotiated.families.clone(),
            four_octet: negotiated.four_octet,
            max_message_len: negotiated.max_message_len,
            features: Features {
                add_path_in: negotiated.add_path_in,
                add_path_out: PerFamily {
                    ipv4: config.paths_told(negotiated, Family::Ipv4Unicast),
                    ipv6: config.paths_told(negotiated, Family::Ipv6Unicast),
                },
                extended_next_hop: negotiated.extended_next_hop,
                enhanced_refresh: negotiated.enhanced_refresh,
                takes_stale: negotiated.takes_stale,
            },
            next_hop_v4: policy.next_hop_v4,
            next_hop_v6: policy.next_hop_v6,
            import: policy.import,
            export: policy.export,
        };
        self.rib.peer_up(id, session);
        self.apply_limits(id);
        self.hold_end_of_rib(id);
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
        let mut routes = update.routes();
        // Once is enough, and what was never spoken has no routes to lose.
        let fresh = |family: &Family| agreed.families.contains(family) && peer.disabled.insert(*family);
        let disable: Vec<Family> = routes.disable.iter().copied().filter(fresh).collect();
        routes.disable = &disable;
        let spoken = |family: &Family| agreed.families.contains(family) && !peer.disabled.contains(family);
        let end_of_rib = routes.end_of_rib.filter(spoken);
        if let Some(feed) = &mut peer.feed {
            disable.iter().for_each(|family| feed.disable(*family));
            feed.update(end_of_rib, now);
        }
        let limited = peer.config.max_prefix.ipv4.is_some() || peer.config.max_prefix.ipv6.is_some();
        let faults: Vec<Fault> = update.faults().cloned().collect();
        // Of a family that is switched off nothing is left that could be stale.
        let settled: Vec<Family> = disable.iter().copied().chain(end_of_rib).collect();
        self.rib.take_in(id, &routes, now);
        for family in settled {
            self.refreshed(id, family);
        }
        self.note_faults(id, &faults, &disable, now);
        if limited {
            self.check_limits(id, now);
        }
    }
}
