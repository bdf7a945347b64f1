//! Speakers on a network, and the clock that they share.

use crate::chance::Chance;
use crate::network::{Arrival, End, Network, NodeId};
use bgpd_proto::rib::{NextHopState, Originated};
use bgpd_proto::session::State;
use bgpd_proto::speaker::{Action, Event, PeerConfig, Speaker, SpeakerConfig};
use bgpd_proto::types::{Asn, ConnId, PeerId, RouterId};
use bgpd_proto::wire::{Capability, DecodeContext, HEADER_LEN, Message, Open, decode};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How the speakers are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mesh {
    /// One AS, full mesh.
    Internal,
    /// An AS each, full mesh.
    External,
}

struct Node {
    speaker: Speaker,
    life: u32,
    /// Attempts that have not been answered.
    dialling: BTreeSet<ConnId>,
}

/// What a speaker says of itself in the capability of graceful restart (RFC 4724 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As ours do: R after a restart, F always.
    Ours,
    /// As BIRD does: R and F after a restart, neither after a mere reset of the connection.
    Bird,
    /// It never keeps its forwarding over a restart: R after one, F never.
    Forgetful,
}

impl Manner {
    /// What becomes of messages that a speaker sends.
    fn spoken(self, mut bytes: &[u8]) -> Vec<u8> {
        if self == Manner::Ours {
            return bytes.to_vec();
        }
        let mut said = Vec::with_capacity(bytes.len());
        while let Some(header) = bytes.get(..HEADER_LEN) {
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let (message, rest) = bytes.split_at(length);
            bytes = rest;
            match decode(message, &DecodeContext::default()) {
                Ok(Some((Message::Open(open), _))) => self.open(open).encode(&mut said),
                _ => said.extend_from_slice(message),
            }
        }
        assert_eq!(bytes, [], "whole messages are sent");
        said
    }

    fn open(self, mut open: Open) -> Open {
        for capability in &mut open.capabilities {
            if let Capability::GracefulRestart {
                restarting, families, ..
            } = capability
            {
                let kept = match self {
                    Manner::Ours => true,
                    Manner::Bird => *restarting,
                    Manner::Forgetful => false,
                };
                families
                    .iter_mut()
                    .for_each(|family| family.forwarding_kept = kept);
            }
        }
        open
    }
}

/// All of it.
pub struct World {
    pub now: Instant,
    origin: Instant,
    pub network: Network,
    nodes: Vec<Option<Node>>,
    lives: Vec<u32>,
    pub configs: Vec<SpeakerConfig>,
    pub originated: Vec<BTreeSet<IpNet>>,
    pub manners: Vec<Manner>,
    trace: Vec<String>,
}

/// Address of a speaker.
pub fn address(node: NodeId) -> IpAddr {
    IpAddr::from(Ipv4Addr::new(192, 0, 2, node as u8 + 1))
}

fn address6(node: NodeId) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, node as u16 + 1)
}

fn node_at(address: IpAddr) -> NodeId {
    match address {
        IpAddr::V4(v4) => usize::from(v4.octets()[3]) - 1,
        IpAddr::V6(v6) => usize::from(v6.segments()[7]) - 1,
    }
}

/// A prefix that belongs to `node`: IPv4 for even numbers, IPv6 for odd ones.
pub fn prefix(node: NodeId, number: usize) -> IpNet {
    let text = match number % 2 {
        0 => format!("10.{node}.{number}.0/24"),
        _ => format!("fd00:{node}:{number}::/64"),
    };
    text.parse().expect("a prefix")
}

impl World {
    /// `count` speakers, all started, with three prefixes each.
    pub fn new(seed: u64, count: usize, mesh: Mesh) -> Self {
        Self::of(seed, mesh, vec![Manner::Ours; count])
    }

    /// The same of speakers with manners of their own.
    pub fn of(seed: u64, mesh: Mesh, manners: Vec<Manner>) -> Self {
        let count = manners.len();
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some origin")]
        let origin = Instant::now();
        let mut chance = Chance::new(seed ^ 0x776f_726c);
        let mut ids: Vec<u8> = (1..=count as u8).collect();
        for i in (1..count).rev() {
            ids.swap(i, chance.between(0, i));
        }
        let asns: Vec<Asn> = (0..count as u32)
            .map(|node| {
                if mesh == Mesh::Internal {
                    Asn(64512)
                } else {
                    Asn(4_200_000_000 + node)
                }
            })
            .collect();
        let configs = (0..count)
            .map(|node| SpeakerConfig::new(asns[node], RouterId(Ipv4Addr::new(1, 1, 1, ids[node]))))
            .collect();
        let mut world = Self {
            now: origin,
            origin,
            network: Network::new(seed),
            nodes: (0..count).map(|_| None).collect(),
            lives: vec![0; count],
            configs,
            originated: (0..count)
                .map(|node| (0..3).map(|n| prefix(node, n)).collect())
                .collect(),
            manners,
            trace: Vec::new(),
        };
        for (node, other) in world.pairs() {
            let mut peer = world.template(node, other);
            peer.hold_time = Duration::from_secs(*chance.pick(&[9, 30, 90]));
            world.configs[node].peers.insert(PeerId(address(other)), peer);
        }
        (0..count).for_each(|node| world.start(node));
        world
    }

    /// All ordered pairs of different speakers.
    pub fn pairs(&self) -> Vec<(NodeId, NodeId)> {
        let all = 0..self.count();
        all.clone()
            .flat_map(|a| all.clone().map(move |b| (a, b)))
            .filter(|(a, b)| a != b)
            .collect()
    }

    /// How `node` is configured for `other` where nothing was changed.
    pub fn template(&self, node: NodeId, other: NodeId) -> PeerConfig {
        let mut peer = PeerConfig::new(format!("node-{other}"), self.configs[other].asn);
        if let IpAddr::V4(v4) = address(node) {
            peer.next_hop_v4 = Some(v4);
        }
        peer.next_hop_v6 = Some(address6(node));
        peer
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_running(&self, node: NodeId) -> bool {
        self.nodes[node].is_some()
    }

    /// Starts a speaker with its configuration, routes and next hops.
    pub fn start(&mut self, node: NodeId) {
        self.lives[node] += 1;
        let speaker = Speaker::new(self.configs[node].clone(), self.now);
        self.nodes[node] = Some(Node {
            speaker,
            life: self.lives[node],
            dialling: BTreeSet::new(),
        });
        let hops = (0..self.count()).flat_map(|n| [address(n), IpAddr::from(address6(n))]);
        let table = hops
            .map(|hop| (hop, NextHopState::Reachable { metric: 1 }))
            .collect();
        self.with(node, |speaker, now| speaker.set_next_hops(table, now));
        self.announce(node);
    }

    /// Gives a speaker its originated routes.
    pub fn announce(&mut self, node: NodeId) {
        let routes: BTreeMap<_, _> = self.originated[node]
            .iter()
            .map(|prefix| (*prefix, Originated::default()))
            .collect();
        self.with(node, |speaker, now| speaker.originate(routes, now));
    }

    /// Gives a speaker its configuration.
    pub fn reconfigure(&mut self, node: NodeId) {
        let config = self.configs[node].clone();
        self.with(node, |speaker, now| speaker.reconfigure(config, now));
    }

    /// Ends a speaker. `politely`: with Cease; else its kernel closes the connections, or, `silently`, nobody does.
    pub fn kill(&mut self, node: NodeId, politely: bool, silently: bool) {
        if politely {
            self.with(node, |speaker, now| {
                speaker.shutdown(Some("maintenance".into()), now)
            });
        }
        self.nodes[node] = None;
        if !silently {
            for end in self.network.ends_of(node) {
                self.network.close(end, self.now);
            }
        }
    }

    /// Resets one TCP connection of a speaker, seen by both ends at once.
    pub fn reset_one(&mut self, node: NodeId, which: usize) {
        let ends = self.network.ends_of(node);
        if ends.is_empty() {
            return;
        }
        let end = ends[which % ends.len()];
        if let Some(other) = self.network.other(end) {
            self.network.close(end, self.now);
            self.network.close(other, self.now);
            self.closed(end);
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_watched(duration, |_| ());
    }

    /// Lets time pass, and shows the world after each moment at which something happened.
    pub fn run_watched(&mut self, duration: Duration, mut see: impl FnMut(&World)) {
        let end = self.now + duration;
        loop {
            let timers = self
                .nodes
                .iter()
                .flatten()
                .filter_map(|node| node.speaker.poll_timeout());
            let next = timers.chain(self.network.next()).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(arrival) = self.network.take(self.now) {
                self.arrive(arrival);
            }
            for node in 0..self.count() {
                let due = |node: &Node| node.speaker.poll_timeout().is_some_and(|at| at <= self.now);
                if self.nodes[node].as_ref().is_some_and(due) {
                    self.with(node, |speaker, now| speaker.handle_timeout(now));
                }
            }
            see(self);
        }
        self.now = end;
    }

    fn with(&mut self, node: NodeId, call: impl FnOnce(&mut Speaker, Instant)) {
        let now = self.now;
        if let Some(node) = &mut self.nodes[node] {
            call(&mut node.speaker, now);
        }
        self.pump(node);
    }

    /// What a driver does: actions, events, and bytes as the window allows.
    fn pump(&mut self, id: NodeId) {
        let Some(mut node) = self.nodes[id].take() else {
            return;
        };
        let end = |conn| End {
            node: id,
            life: node.life,
            conn,
        };
        while let Some(action) = node.speaker.poll_action() {
            match action {
                Action::Connect { conn, remote, .. } => {
                    node.dialling.insert(conn);
                    let to = node_at(remote.ip());
                    self.network
                        .send(id, to, Arrival::Attempt { from: end(conn), to }, self.now);
                }
                Action::Close { conn, last_words } => {
                    node.dialling.remove(&conn);
                    self.network.write(end(conn), &last_words, self.now);
                    self.network.close(end(conn), self.now);
                }
            }
        }
        while let Some(event) = node.speaker.poll_event() {
            if event != Event::RibChanged {
                self.trace
                    .push(format!("{:?} node {id}: {event:?}", self.now - self.origin));
            }
        }
        for conn in node.speaker.wants_transmit() {
            while self.network.has_room(end(conn)) {
                let mut bytes = Vec::new();
                node.speaker.transmit(conn, &mut bytes, 1000, self.now);
                if bytes.is_empty() {
                    break;
                }
                let bytes = self.manners[id].spoken(&bytes);
                self.network.write(end(conn), &bytes, self.now);
            }
        }
        self.nodes[id] = Some(node);
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Attempt { from, to } => self.attempt(from, to),
            Arrival::Connected { to } => self.connected(to),
            Arrival::Refused { to } => {
                if let Some(node) = self.alive(to)
                    && node.dialling.remove(&to.conn)
                {
                    let refused = "connection refused".to_string();
                    self.with(to.node, |s, now| s.handle_connect_failed(to.conn, refused, now));
                }
            }
            Arrival::Bytes { to, bytes } => {
                if self.alive(to).is_some() {
                    self.with(to.node, |s, now| s.handle_bytes(to.conn, &bytes, now));
                }
                // The window has opened for the sender.
                if let Some(other) = self.network.other(to) {
                    self.pump(other.node);
                }
            }
            Arrival::Closed { to } => {
                self.network.close(to, self.now);
                self.closed(to);
            }
        }
    }

    fn attempt(&mut self, from: End, to: NodeId) {
        if !self
            .alive(from)
            .is_some_and(|node| node.dialling.contains(&from.conn))
        {
            return;
        }
        let Some(node) = &mut self.nodes[to] else {
            return self
                .network
                .send(to, from.node, Arrival::Refused { to: from }, self.now);
        };
        let end = End {
            node: to,
            life: node.life,
            conn: node.speaker.next_conn(),
        };
        self.network.join(from, end, self.now);
        self.network
            .send(to, from.node, Arrival::Connected { to: from }, self.now);
        let (local, remote) = (
            SocketAddr::new(address(to), 179),
            SocketAddr::new(address(from.node), 40000),
        );
        self.with(to, |speaker, now| {
            speaker.handle_incoming(end.conn, local, remote, now)
        });
    }

    fn connected(&mut self, to: End) {
        if let Some(node) = self.alive(to)
            && node.dialling.remove(&to.conn)
        {
            let local = SocketAddr::new(address(to.node), 40000);
            self.with(to.node, |speaker, now| {
                speaker.handle_connected(to.conn, local, now)
            });
        }
    }

    fn closed(&mut self, end: End) {
        if self.alive(end).is_some() {
            self.with(end.node, |s, now| {
                s.handle_closed(end.conn, "connection closed".into(), now)
            });
        }
    }

    fn alive(&mut self, end: End) -> Option<&mut Node> {
        self.nodes[end.node].as_mut().filter(|node| node.life == end.life)
    }

    /// What happened, for comparing runs.
    pub fn trace(&self) -> Vec<String> {
        self.trace.clone()
    }

    /// Every speaker has exactly what all originate, from whom it should come.
    pub fn assert_converged(&self, what: &str) {
        let wanted: BTreeSet<IpNet> = self.originated.iter().flatten().copied().collect();
        for (id, node) in self.nodes.iter().enumerate() {
            let node = node.as_ref().expect("every speaker runs in the end");
            let peers: Vec<_> = node
                .speaker
                .peers(self.now)
                .into_iter()
                .map(|p| (p.name, p.state, p.last_error))
                .collect();
            let tail = &self.trace[self.trace.len().saturating_sub(30)..];
            let explain = || format!("{what}: speaker {id}, peers {peers:#?}, end of trace {tail:#?}");
            let got: BTreeSet<IpNet> = node.speaker.rib().loc_rib().map(|route| route.prefix).collect();
            let missing: Vec<_> = wanted.difference(&got).collect();
            let stale: Vec<_> = got.difference(&wanted).collect();
            assert!(
                missing.is_empty() && stale.is_empty(),
                "missing {missing:?}, stale {stale:?}; {}",
                explain()
            );
            for route in node.speaker.rib().loc_rib() {
                let best = &route.paths[0];
                let from = best.next_hop.filter(|_| best.peer.is_some()).map_or(id, node_at);
                assert!(
                    self.originated[from].contains(&route.prefix),
                    "{route:?} from {from}; {}",
                    explain()
                );
            }
        }
    }

    /// At any time: no speaker uses a route of a peer with which it has no session, but for one that may be
    /// restarting and whose time is not up (RFC 4724).
    pub fn assert_consistent(&self, what: &str) {
        for (id, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let up: BTreeSet<PeerId> = node
                .speaker
                .peers(self.now)
                .into_iter()
                .filter(|p| {
                    p.state == State::Established || p.retained_until.is_some_and(|until| until > self.now)
                })
                .map(|p| p.id)
                .collect();
            for route in node.speaker.rib().loc_rib() {
                let strays = route
                    .paths
                    .iter()
                    .filter_map(|path| path.peer)
                    .filter(|peer| !up.contains(peer));
                assert_eq!(
                    strays.count(),
                    0,
                    "{what}: speaker {id} uses {route:?}, sessions {up:?}"
                );
            }
        }
    }

    /// How many routes a speaker has that come from this other one.
    pub fn learned(&self, node: NodeId, from: NodeId) -> usize {
        let from = PeerId(address(from));
        let routes = self.nodes[node]
            .iter()
            .flat_map(|node| node.speaker.rib().loc_rib());
        routes
            .filter(|route| route.paths.iter().any(|path| path.peer == Some(from)))
            .count()
    }

    /// How often a speaker has lost its session with another one, and whether it has one now.
    pub fn session(&self, node: NodeId, with: NodeId) -> (u64, bool) {
        let peers = self.nodes[node]
            .iter()
            .flat_map(|node| node.speaker.peers(self.now));
        peers
            .filter(|peer| peer.id == PeerId(address(with)))
            .map(|peer| (peer.counters.flaps, peer.state == State::Established))
            .last()
            .unwrap_or_default()
    }

    /// Every speaker knows that it was fed.
    pub fn assert_fed(&self) {
        assert!(self.nodes.iter().flatten().all(|node| node.speaker.fully_fed()));
    }
}
