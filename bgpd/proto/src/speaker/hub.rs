//! [`Speaker`] itself: who it is made of, and the calls of its driver. What sessions report is carried out in
//! `outputs`, changes of configuration in `reconfigure`.

use super::action::{Action, Event};
use super::config::{SpeakerConfig, Transport};
use super::peer::Peer;
use crate::rib::{LocRibChanges, NextHopTable, Originated, Rib};
use crate::types::{ConnId, PeerId, ScopedAddr};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// A BGP speaker: see the module `speaker`.
#[derive(Debug)]
pub struct Speaker {
    pub(super) config: SpeakerConfig,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// Those of them that are there by connecting, with their range; they are in `config` as well, while they last.
    pub(super) dynamic: BTreeMap<PeerId, IpNet>,
    pub(super) connections: FxHashMap<ConnId, PeerId>,
    pub(super) last_conn: u64,
    pub(super) rib: Rib,
    pub(super) actions: VecDeque<Action>,
    pub(super) events: VecDeque<Event>,
    /// The first feed counts as complete at this time, whatever is missing.
    pub(super) deferral: Instant,
    pub(super) fully_fed: bool,
    /// The paths to be watched may have changed since they were asked for.
    pub(super) bfd_changed: bool,
    /// End-of-RIB waits on some sessions.
    pub(super) holding: bool,
    /// The peer that the first feed was last found to wait for.
    unfed: Option<PeerId>,
    /// Peers whose sessions may have control messages to send.
    pub(super) talking: BTreeSet<PeerId>,
    /// When peers want to be looked at; a peer may be found to want nothing then, and to want something later.
    pub(super) deadlines: BTreeSet<(Instant, PeerId)>,
    /// Work in the RIB is left over since then.
    pub(super) work: Option<Instant>,
    /// [`Event::RibChanged`] waits among the events.
    told_of_rib: bool,
}

impl Speaker {
    /// A speaker that starts all its sessions at once.
    pub fn new(config: SpeakerConfig, now: Instant) -> Self {
        let mut speaker = Self {
            rib: Rib::new(config.local_settings()),
            peers: BTreeMap::new(),
            dynamic: BTreeMap::new(),
            connections: FxHashMap::default(),
            last_conn: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            deferral: now + config.feed_deferral,
            fully_fed: false,
            bfd_changed: true,
            holding: false,
            unfed: None,
            talking: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            work: None,
            told_of_rib: false,
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

    /// Sets which interface leads to each next hop, for filters that ask for it.
    pub fn set_interfaces(&mut self, interfaces: BTreeMap<ScopedAddr, Arc<str>>, now: Instant) {
        self.rib.set_interfaces(interfaces);
        self.settle(now);
    }

    /// Every NEXT_HOP in any Adj-RIB-In.
    pub fn tracked_next_hops(&self) -> BTreeSet<ScopedAddr> {
        self.rib.tracked_next_hops()
    }

    /// A number for the next connection that the driver accepts; never given twice.
    pub fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    /// What the socket of a peer needs, `None` for an address that is no peer's.
    pub fn transport(&self, remote: IpAddr) -> Option<Transport> {
        self.config
            .peers
            .get(&PeerId::Address(remote.to_canonical()))
            .or_else(|| self.range_of(remote).map(|range| &range.template))
            .map(|peer| peer.transport(self.config.asn))
    }

    /// A TCP connection was accepted; its number is from [`Speaker::next_conn`].
    pub fn handle_incoming(&mut self, conn: ConnId, local: SocketAddr, remote: SocketAddr, now: Instant) {
        let id = PeerId::Address(remote.ip().to_canonical());
        self.admit(id, now);
        let refusal = |speaker: &Speaker| speaker.refusal(id);
        self.incoming(id, conn, (local, remote), refusal, now);
    }

    /// Hands a connection to the peer that it is from, or closes it with these words where there is no such peer.
    pub(super) fn incoming(
        &mut self,
        id: PeerId,
        conn: ConnId,
        (local, remote): (SocketAddr, SocketAddr),
        refusal: impl FnOnce(&Speaker) -> Vec<u8>,
        now: Instant,
    ) {
        match self.peers.get_mut(&id) {
            Some(peer) => {
                self.connections.insert(conn, id);
                peer.session.incoming(conn, local, remote, now);
                self.drain(id, now);
            }
            None => {
                let last_words = refusal(self);
                self.actions.push_back(Action::Close { conn, last_words });
            }
        }
        self.settle(now);
    }

    /// The connection of an [`Action::Connect`] is up.
    pub fn handle_connected(&mut self, conn: ConnId, local: SocketAddr, now: Instant) {
        self.with_peer(conn, now, |id, peer| {
            if let Some(remote) = peer.remote(id) {
                peer.session.connected(conn, local, remote, now);
            }
        });
    }

    /// The connection of an [`Action::Connect`] could not be opened.
    pub fn handle_connect_failed(&mut self, conn: ConnId, error: String, now: Instant) {
        self.handle_closed(conn, error, now);
    }

    /// What is to be said of an attempt that was given up without an answer.
    pub fn note_attempt(&mut self, peer: PeerId, why: String) {
        let peer = self.peers.get_mut(&peer);
        if let Some(peer) = peer.filter(|peer| !peer.session.state().is_connected()) {
            peer.session.note(why);
        }
    }

    /// Bytes came.
    pub fn handle_bytes(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        if let Some(id) = self.connections.get(&conn).copied() {
            self.take_in(id, conn, bytes, now);
            self.drain(id, now);
        }
        self.settle(now);
    }

    /// The connection ended, and not by [`Action::Close`].
    pub fn handle_closed(&mut self, conn: ConnId, reason: String, now: Instant) {
        self.with_peer(conn, now, |_, peer| peer.session.closed(conn, reason, now));
        self.connections.remove(&conn);
    }

    /// Takes the next action.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        self.told_of_rib &= event != Some(Event::RibChanged);
        event
    }

    /// Connections for which [`Speaker::transmit`] has something. A connection is named until it has taken all.
    pub fn wants_transmit(&mut self) -> Vec<ConnId> {
        let mut wanting = Vec::new();
        let peers = &self.peers;
        self.talking.retain(|id| {
            let before = wanting.len();
            wanting.extend(
                peers
                    .get(id)
                    .into_iter()
                    .flat_map(|peer| peer.session.wants_transmit()),
            );
            wanting.len() > before
        });
        for id in self.rib.ready() {
            let conn = self.peers.get(&id).and_then(|peer| peer.session.established());
            let rests = self.peers.get(&id).is_some_and(|peer| peer.rests_until.is_some());
            if let Some(conn) = conn.filter(|_| !rests && !self.talking.contains(&id)) {
                wanting.push(conn);
            }
        }
        wanting
    }

    /// Appends what is to be sent on `conn` now: control messages first, then UPDATEs until `out` holds about `budget`
    /// bytes.
    pub fn transmit(&mut self, conn: ConnId, out: &mut Vec<u8>, budget: usize, now: Instant) {
        let Some(id) = self.connections.get(&conn).copied() else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.session.transmit(conn, out, now);
        if peer.session.established() == Some(conn) && peer.rests_until.is_none() {
            let start = out.len();
            self.rib.next_updates(id, out, budget.saturating_sub(start));
            peer.session.count_updates_out(count_messages(&out[start..]));
            if out.len() > start {
                peer.told(self.rib.has_pending(id), now);
            }
            if budget > 0 && out.is_empty() && self.rib.has_pending(id) {
                // Much was looked at, and there was nothing to say yet: the driver has no reason of its own to ask again.
                self.work = Some(now);
            }
        }
        self.schedule(id);
    }

    /// Of what [`Speaker::transmit`] gave, TCP did not take all at once; now it took something, or nothing in its first
    /// attempt, and `rest` is whether some of it still waits. Each progress starts the send hold timer anew
    /// (RFC 9687): a peer that reads slowly is alive.
    pub fn handle_written(&mut self, conn: ConnId, rest: bool, now: Instant) {
        let Some(id) = self.connections.get(&conn).copied() else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.session.written(conn, rest, now);
        }
        self.schedule(id);
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

    /// The reader of changes has lost its copy, or an answer: the next one is everything. Whether
    /// changes were noted until now.
    pub fn forget_loc_rib_changes(&mut self) -> bool {
        self.rib.forget_loc_rib_changes()
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

    /// Takes stock after a change: is the feed complete now, has the RIB changed, is work left over?
    pub(super) fn settle(&mut self, now: Instant) {
        let mut changed = self.rib.take_changed();
        if !self.fully_fed && (now >= self.deferral || self.all_fed()) {
            self.fully_fed = true;
            self.peers
                .values_mut()
                .for_each(|peer| peer.session.set_restarting(false));
            changed = true;
        }
        self.release_end_of_rib(now);
        if changed && !std::mem::replace(&mut self.told_of_rib, true) {
            self.events.push_back(Event::RibChanged);
        }
        if self.work.is_none() && self.rib.has_work() {
            self.work = Some(now);
        }
    }

    /// Whether every peer is fed. The one that was not at the last look mostly is not yet.
    fn all_fed(&mut self) -> bool {
        let is_unfed = |id: &PeerId| self.peers.get(id).is_some_and(|peer| !peer.is_fed());
        if !self.unfed.as_ref().is_some_and(is_unfed) {
            self.unfed = self
                .peers
                .iter()
                .find(|(_, peer)| !peer.is_fed())
                .map(|(id, _)| *id);
        }
        self.unfed.is_none()
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
