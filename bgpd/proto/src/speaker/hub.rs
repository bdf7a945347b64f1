//! [`Speaker`] itself: who it is made of, and the calls of its driver. What sessions report is carried out in
//! `outputs`, changes of configuration in `reconfigure`.

use super::action::{Action, Event};
use super::config::SpeakerConfig;
use super::peer::Peer;
use crate::rib::{LocRibChanges, NextHopTable, Originated, Rib};
use crate::types::{ConnId, PeerId};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A BGP speaker: see the module `speaker`.
#[derive(Debug)]
pub struct Speaker {
    pub(super) config: SpeakerConfig,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    pub(super) connections: FxHashMap<ConnId, PeerId>,
    pub(super) last_conn: u64,
    pub(super) rib: Rib,
    pub(super) actions: VecDeque<Action>,
    pub(super) events: VecDeque<Event>,
    /// The first feed counts as complete at this time, whatever is missing.
    pub(super) deferral: Instant,
    pub(super) fully_fed: bool,
}

impl Speaker {
    /// A speaker that starts all its sessions at once.
    pub fn new(config: SpeakerConfig, now: Instant) -> Self {
        let mut speaker = Self {
            rib: Rib::new(config.local_settings()),
            peers: BTreeMap::new(),
            connections: FxHashMap::default(),
            last_conn: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            deferral: now + config.feed_deferral,
            fully_fed: false,
            config,
        };
        for id in speaker.config.peers.keys().copied().collect::<Vec<_>>() {
            speaker.add_peer(id, now);
        }
        speaker.settle(now);
        speaker
    }

    /// Sets all routes that this speaker originates.
    pub fn originate(&mut self, routes: BTreeMap<IpNet, Originated>, now: Instant) {
        self.rib.originate(routes);
        self.settle(now);
    }

    /// Sets reachability and metric of every next hop; what is absent is unreachable.
    pub fn set_next_hops(&mut self, table: NextHopTable, now: Instant) {
        self.rib.set_next_hops(table);
        self.settle(now);
    }

    /// Every NEXT_HOP in any Adj-RIB-In.
    pub fn tracked_next_hops(&self) -> BTreeSet<IpAddr> {
        self.rib.tracked_next_hops()
    }

    /// A number for the next connection that the driver accepts; never given twice.
    pub fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    /// TTL for packets to a peer, `None` for an address that is no peer's.
    pub fn ttl(&self, remote: IpAddr) -> Option<u8> {
        self.config
            .peers
            .get(&PeerId(remote.to_canonical()))
            .map(|peer| peer.ttl(self.config.asn))
    }

    /// A TCP connection was accepted; its number is from [`Speaker::next_conn`].
    pub fn handle_incoming(&mut self, conn: ConnId, local: SocketAddr, remote: SocketAddr, now: Instant) {
        let id = PeerId(remote.ip().to_canonical());
        match self.peers.get_mut(&id) {
            Some(peer) => {
                self.connections.insert(conn, id);
                peer.session.incoming(conn, local, remote, now);
                self.drain(id, now);
            }
            None => self.actions.push_back(Action::Close {
                conn,
                last_words: Vec::new(),
            }),
        }
        self.settle(now);
    }

    /// The connection of an [`Action::Connect`] is up.
    pub fn handle_connected(&mut self, conn: ConnId, local: SocketAddr, now: Instant) {
        self.with_peer(conn, now, |id, peer| {
            let remote = peer.remote(id);
            peer.session.connected(conn, local, remote, now);
        });
    }

    /// The connection of an [`Action::Connect`] could not be opened.
    pub fn handle_connect_failed(&mut self, conn: ConnId, error: String, now: Instant) {
        self.handle_closed(conn, error, now);
    }

    /// Bytes came.
    pub fn handle_bytes(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        self.with_peer(conn, now, |_, peer| peer.session.receive(conn, bytes, now));
    }

    /// The connection ended, and not by [`Action::Close`].
    pub fn handle_closed(&mut self, conn: ConnId, reason: String, now: Instant) {
        self.with_peer(conn, now, |_, peer| peer.session.closed(conn, reason, now));
        self.connections.remove(&conn);
    }

    /// Lets all expired timers act.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |peer: &Peer| peer.next_deadline().is_some_and(|at| at <= now);
        let due: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| due(peer))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.session.handle_timeout(now);
                if let Some(feed) = &mut peer.feed {
                    feed.handle_timeout(now);
                }
            }
            self.expire_retained(id, now);
            self.drain(id, now);
        }
        self.settle(now);
    }

    /// When [`Speaker::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deferral = (!self.fully_fed).then_some(self.deferral);
        self.peers
            .values()
            .filter_map(Peer::next_deadline)
            .chain(deferral)
            .min()
    }

    /// Takes the next action.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Connections for which [`Speaker::transmit`] has something.
    pub fn wants_transmit(&mut self) -> Vec<ConnId> {
        let mut wanting = Vec::new();
        for (id, peer) in &self.peers {
            let before = wanting.len();
            wanting.extend(peer.session.wants_transmit());
            if let Some(conn) = peer.session.established()
                && wanting.len() == before
                && self.rib.has_pending(*id)
            {
                wanting.push(conn);
            }
        }
        wanting
    }

    /// Appends what is to be sent on `conn` now: control messages first, then UPDATEs until `out` holds about `budget`
    /// bytes.
    pub fn transmit(&mut self, conn: ConnId, out: &mut Vec<u8>, budget: usize, now: Instant) {
        let Some(id) = self.connections.get(&conn) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.session.transmit(conn, out, now);
        if peer.session.established() == Some(conn) {
            let start = out.len();
            self.rib.next_updates(*id, out, budget.saturating_sub(start));
            peer.session.count_updates_out(count_messages(&out[start..]));
        }
    }

    /// Whether the first full feed is complete: End-of-RIB (or two quiet seconds after the first KEEPALIVE, from a
    /// peer without graceful restart) from every configured peer, or the deferral is over. A speaker without peers is fed.
    /// It stays true, but for peers that are added before the deferral is over, and the first peers of a speaker
    /// that had none, with whom the deferral begins anew.
    pub fn fully_fed(&self) -> bool {
        self.fully_fed
    }

    /// The RIB, to be read.
    pub fn rib(&self) -> &Rib {
        &self.rib
    }

    /// What of the Loc-RIB has changed since the last call; all of it at the first. For one reader.
    pub fn take_loc_rib_changes(&mut self) -> LocRibChanges {
        self.rib.take_loc_rib_changes()
    }

    /// The reader of changes has lost its copy, or an answer: the next one is everything.
    pub fn forget_loc_rib_changes(&mut self) {
        self.rib.forget_loc_rib_changes();
    }

    /// Asks a peer for all its routes again (RFC 2918); false where it cannot.
    pub fn request_refresh(&mut self, id: PeerId, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let families = peer.config.families.clone();
        let mut asked = false;
        for family in families {
            asked |= peer.session.request_refresh(family, now);
        }
        asked
    }

    fn with_peer(&mut self, conn: ConnId, now: Instant, call: impl FnOnce(PeerId, &mut Peer)) {
        if let Some(id) = self.connections.get(&conn).copied() {
            if let Some(peer) = self.peers.get_mut(&id) {
                call(id, peer);
            }
            self.drain(id, now);
        }
        self.settle(now);
    }

    /// Takes stock after a change: is the feed complete now, has the RIB changed?
    pub(super) fn settle(&mut self, now: Instant) {
        let mut changed = self.rib.take_changed();
        if !self.fully_fed && (now >= self.deferral || self.peers.values().all(Peer::is_fed)) {
            self.fully_fed = true;
            self.peers
                .values_mut()
                .for_each(|peer| peer.session.set_restarting(false));
            changed = true;
        }
        if changed && !self.events.contains(&Event::RibChanged) {
            self.events.push_back(Event::RibChanged);
        }
    }
}

/// Messages in a run of whole ones, by their length fields.
fn count_messages(mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(length) = bytes.get(16..18) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        bytes = bytes.get(length.max(1)..).unwrap_or_default();
        count += 1;
    }
    count
}
