//! The driver's place: connections, time, and an ear for all that is sent. It knows what a speaker promises, and checks it.

use super::words::{self, OURS, PEERS};
use bgpd_proto::rib::{Held, NextHopState, work};
use bgpd_proto::session::State;
use bgpd_proto::speaker::{Action, Event, PeerConfig, Speaker, SpeakerConfig};
use bgpd_proto::types::{ConnId, PeerId, PeerKind, RouterId};
use bgpd_proto::wire::{
    Capability, DecodeContext, MAX_EXTENDED_MESSAGE, Message, NextHop, Open, PathAttributes, decode,
};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Walks of the whole table that one call may take: each of three peers lost, judged anew and told.
const WALKS: u64 = 30;

/// One connection.
struct Conn {
    peer: PeerId,
    dialling: bool,
    /// What the peer has said, until its OPEN is whole.
    beginning: Vec<u8>,
    theirs: Option<Open>,
    ours: Option<Open>,
    last_words: Vec<u8>,
    /// What the peer knows now.
    told: BTreeMap<IpNet, (NextHop, PathAttributes)>,
}

/// A speaker and its driver.
pub struct Harness {
    speaker: Speaker,
    now: Instant,
    pub config: SpeakerConfig,
    conns: BTreeMap<ConnId, Conn>,
    /// Peers whose session was reported as up.
    up: BTreeSet<PeerId>,
    /// Prefixes that there were at most: what is gone may still have to be said.
    largest: u64,
}

impl Harness {
    pub fn new() -> Self {
        let now = Instant::now();
        let mut config = SpeakerConfig::new(OURS, RouterId(Ipv4Addr::new(100, 0, 0, 0)));
        config.peers = (0..PEERS.len()).map(|n| (words::id(n), Self::peer(n))).collect();
        let mut harness = Self {
            speaker: Speaker::new(config.clone(), now),
            now,
            config,
            conns: BTreeMap::new(),
            up: BTreeSet::new(),
            largest: 0,
        };
        let reachable = |hop: IpAddr| (hop.into(), NextHopState::Reachable { metric: 0 });
        let hops = words::next_hops().into_iter().map(reachable).collect();
        harness.call(0, |speaker, now| speaker.set_next_hops(hops, now));
        harness
    }

    /// How a peer is configured at first.
    pub fn peer(number: usize) -> PeerConfig {
        let mut peer = PeerConfig::new(format!("peer {number}"), PEERS[number]);
        peer.set_transit(number == 1);
        peer.passive = number == 2;
        peer.next_hop_v4 = Some(Ipv4Addr::new(192, 0, 2, 9));
        peer.next_hop_v6 = "2001:db8::9".parse().ok();
        peer
    }

    /// Connections over which something can be said.
    pub fn standing(&self) -> impl Iterator<Item = ConnId> {
        self.conns
            .iter()
            .filter(|(_, conn)| !conn.dialling)
            .map(|(id, _)| *id)
    }

    /// Attempts that are not answered.
    pub fn dialling(&self) -> impl Iterator<Item = ConnId> {
        self.conns
            .iter()
            .filter(|(_, conn)| conn.dialling)
            .map(|(id, _)| *id)
    }

    /// Whose connection it is.
    pub fn number(&self, conn: ConnId) -> usize {
        self.conns.get(&conn).map_or(0, |conn| words::number(conn.peer))
    }

    /// Whether AS numbers have four octets on a connection.
    pub fn four_octet(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(Conn::four_octet)
    }

    /// What the peer said last.
    pub fn last_words(&self, conn: ConnId) -> &[u8] {
        self.conns.get(&conn).map_or(&[], |conn| &conn.last_words)
    }

    /// A peer connects; none where that was refused at once.
    pub fn incoming(&mut self, number: usize) -> Option<ConnId> {
        let id = self.speaker.next_conn();
        self.conns.insert(id, Conn::new(words::id(number), false));
        let local = SocketAddr::from(([192, 0, 2, 9], 179));
        let remote = SocketAddr::from((words::address(number), 4000));
        self.call(0, |speaker, now| speaker.handle_incoming(id, local, remote, now));
        self.conns.contains_key(&id).then_some(id)
    }

    /// An attempt succeeds.
    pub fn connected(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.dialling = false;
        }
        let local = SocketAddr::from(([192, 0, 2, 9], 4000));
        self.call(0, |speaker, now| speaker.handle_connected(id, local, now));
    }

    /// An attempt fails.
    pub fn refused(&mut self, id: ConnId) {
        self.conns.remove(&id);
        self.call(0, |speaker, now| {
            speaker.handle_connect_failed(id, "refused".into(), now)
        });
    }

    /// A connection breaks.
    pub fn closed(&mut self, id: ConnId) {
        self.conns.remove(&id);
        self.call(0, |speaker, now| speaker.handle_closed(id, "reset".into(), now));
    }

    /// A peer says something.
    pub fn say(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.says(bytes);
        }
        self.call(bytes.len(), |speaker, now| speaker.handle_bytes(id, bytes, now));
    }

    /// The configuration changes.
    pub fn reconfigure(&mut self, config: SpeakerConfig) {
        self.config.clone_from(&config);
        self.call(0, |speaker, now| speaker.reconfigure(config, now));
        self.up.retain(|peer| self.config.peers.contains_key(peer));
    }

    /// Time passes, and each timer acts in its time.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut at_once = 0;
        while let Some(at) = self.speaker.poll_timeout().filter(|at| *at <= end) {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 20, "a timer that has acted fires again");
            self.now = self.now.max(at);
            self.call(0, |speaker, now| speaker.handle_timeout(now));
        }
        self.now = end;
    }

    /// Every connection that has something to say may send that many octets.
    pub fn transmit(&mut self, budget: usize) -> usize {
        let mut sent = 0;
        for id in self.speaker.wants_transmit() {
            assert!(
                self.conns.get(&id).is_some_and(|conn| !conn.dialling),
                "{id} is no connection"
            );
            let (mut out, before) = (Vec::new(), work());
            self.speaker.transmit(id, &mut out, budget, self.now);
            let most = 64 + 2 * self.largest + out.len() as u64;
            assert!(
                work() - before <= most,
                "{} entries for {} octets",
                work() - before,
                out.len()
            );
            sent += out.len();
            self.hear(id, &out);
        }
        sent
    }

    /// All is sent, and right.
    pub fn settle(&mut self) {
        for round in 0.. {
            // One octet: a message at a time. The refusal of the rest is a message as well.
            if self.transmit(if round < 3 { 1 } else { 65_536 }) == 0 {
                break;
            }
            assert!(round < 1000, "there is an end to it");
        }
        assert_eq!(
            self.speaker.wants_transmit(),
            [],
            "what wants to be sent can be sent"
        );
        self.check_routes();
        for peer in &self.up {
            let advertised = self.speaker.rib().advertised(*peer);
            let told: Vec<_> = advertised
                .iter()
                .map(|route| (route.prefix, route.next_hop))
                .collect();
            let heard = self.conns.values().filter(|conn| conn.peer == *peer).any(|conn| {
                let known: Vec<_> = conn
                    .told
                    .iter()
                    .map(|(prefix, (hop, _))| (*prefix, hop.address()))
                    .collect();
                let attributes = advertised.iter().map(|route| &*route.attributes);
                known == told && (!conn.four_octet() || conn.told.values().map(|(_, a)| a).eq(attributes))
            });
            assert!(heard, "{peer} has not heard {told:?}");
        }
    }

    /// A call of the speaker; `octets` came with it.
    pub fn call(&mut self, octets: usize, call: impl FnOnce(&mut Speaker, Instant)) {
        let (before, size) = (work(), self.size());
        call(&mut self.speaker, self.now);
        let size = size.max(self.size()) + 1;
        self.largest = self.largest.max(size);
        let most = 64 + WALKS * size + 2 * octets as u64;
        let done = work() - before;
        assert!(
            done <= most,
            "{done} entries looked at for {octets} octets, with {size} in the table"
        );
        while let Some(action) = self.speaker.poll_action() {
            match action {
                Action::Connect { conn, peer, .. } => {
                    let before = self.conns.insert(conn, Conn::new(peer, true));
                    assert!(before.is_none(), "{conn} was given twice");
                }
                Action::Close { conn, last_words } => {
                    self.hear(conn, &last_words);
                    assert!(self.conns.remove(&conn).is_some(), "{conn} is closed already");
                    let mut out = Vec::new();
                    self.speaker.transmit(conn, &mut out, 4096, self.now);
                    assert!(out.is_empty(), "sent after the end");
                }
            }
        }
        while let Some(event) = self.speaker.poll_event() {
            match event {
                Event::Up { peer } => assert!(self.up.insert(peer), "{peer} is up already"),
                Event::Down { peer, .. } => {
                    self.up.remove(&peer);
                }
                _ => {}
            }
        }
    }

    fn size(&self) -> u64 {
        self.speaker.rib().held().prefixes as u64
    }

    /// What is sent reads as messages, each in its place.
    fn hear(&mut self, id: ConnId, mut bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else {
            panic!("{} octets over {id}, which is gone", bytes.len())
        };
        assert!(
            !conn.dialling || bytes.is_empty(),
            "sent before there is a connection"
        );
        while !bytes.is_empty() {
            match decode(bytes, &conn.context()) {
                Ok(Some((message, size))) => {
                    conn.hears(message);
                    bytes = &bytes[size..];
                }
                other => panic!("sent {bytes:02x?}, which reads as {other:?}"),
            }
        }
    }

    /// What holds at any time.
    pub fn check(&self) {
        for status in self.speaker.peers(self.now) {
            let established = status.state == State::Established;
            assert_eq!(
                established,
                self.up.contains(&status.id),
                "{} as reported",
                status.id
            );
            let connections = self.conns.values().filter(|conn| conn.peer == status.id).count();
            assert!(connections <= 2, "{connections} connections of {}", status.id);
        }
    }

    /// The routes are what a computation from nothing gives, and they are of peers that are there or awaited.
    pub fn check_routes(&self) {
        let rib = self.speaker.rib();
        if let Err(error) = rib.check() {
            panic!("{error}");
        }
        for status in self.speaker.peers(self.now) {
            let (stale, received) = (rib.stale(status.id), rib.received(status.id).len());
            let kept = status.retained_until.is_some();
            assert!(
                kept || stale == 0,
                "{stale} routes of {} are stale for ever",
                status.id
            );
            assert!(
                kept || received == 0 || self.up.contains(&status.id),
                "{} is away",
                status.id
            );
            let shown: usize = status.families.iter().map(|family| family.received).sum();
            assert!(
                !self.up.contains(&status.id) || shown == received,
                "{}: {shown} shown",
                status.id
            );
        }
    }

    /// All peers go, and everything with them.
    pub fn end(&mut self) {
        let mut config = self.config.clone();
        config.peers.clear();
        self.reconfigure(config);
        self.call(0, |speaker, now| speaker.originate(BTreeMap::new(), now));
        // What was put off is done in the next turns, and then there is nothing to wait for.
        self.advance(Duration::ZERO);
        assert_eq!(self.conns.len(), 0, "connections are left");
        assert_eq!(self.speaker.rib().held(), Held::default());
        assert_eq!(self.speaker.poll_timeout(), None);
        assert_eq!(self.speaker.wants_transmit(), []);
    }
}

impl Conn {
    fn new(peer: PeerId, dialling: bool) -> Self {
        Self {
            peer,
            dialling,
            beginning: Vec::new(),
            theirs: None,
            ours: None,
            last_words: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.last_words = bytes.to_vec();
        if self.theirs.is_none() {
            self.beginning.extend_from_slice(bytes);
            if let Ok(Some((Message::Open(open), _))) = decode(&self.beginning, &DecodeContext::default()) {
                self.theirs = Some(open);
            }
        }
    }

    fn hears(&mut self, message: Message) {
        match message {
            Message::Open(open) => assert!(self.ours.replace(open).is_none(), "a second OPEN"),
            Message::Update(update) => {
                assert!(
                    self.ours.is_some() && self.theirs.is_some(),
                    "an UPDATE before the OPENs"
                );
                let routes = update.into_routes();
                assert!(
                    routes.faults.is_empty() && routes.disable.is_empty(),
                    "{routes:?}"
                );
                for nlri in routes.withdrawn.iter().flat_map(|part| &part.nlri) {
                    assert!(
                        self.told.remove(&nlri.prefix).is_some(),
                        "{} was not there",
                        nlri.prefix
                    );
                }
                for part in routes.announced {
                    for nlri in part.nlri {
                        self.told
                            .insert(nlri.prefix, (part.next_hop, routes.attributes.clone()));
                    }
                }
            }
            Message::Notification(_) => {}
            Message::Keepalive | Message::RouteRefresh(_) => assert!(self.ours.is_some(), "before the OPEN"),
        }
    }

    fn four_octet(&self) -> bool {
        let says = |open: &Option<Open>| {
            let capabilities = open.iter().flat_map(|open| &open.capabilities);
            capabilities
                .into_iter()
                .any(|one| matches!(one, Capability::FourOctetAs(_)))
        };
        says(&self.ours) && says(&self.theirs)
    }

    fn context(&self) -> DecodeContext {
        let inside = PEERS[words::number(self.peer)] == OURS;
        DecodeContext {
            four_octet: self.four_octet(),
            peer_kind: if inside {
                PeerKind::Internal
            } else {
                PeerKind::External
            },
            extended_next_hop: true,
            max_message_len: MAX_EXTENDED_MESSAGE,
            ..DecodeContext::default()
        }
    }
}
