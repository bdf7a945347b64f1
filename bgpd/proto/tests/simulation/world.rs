//! Speakers on a network, and the clock that they share. Only those are asked for anything whose time has come or to whom
//! something has happened: a thousand speakers cost what they do, not what they are.

use crate::chance::Chance;
use crate::manner::Manner;
use crate::network::{Arrival, End, Network, NodeId};
use crate::topology::{Topology, address, address6, id, node_at, prefix};
use bgpd_proto::rib::{NextHopState, NextHopTable, Originated};
use bgpd_proto::speaker::{Action, Event, PathChange, Speaker, SpeakerConfig};
use bgpd_proto::types::ConnId;
use ipnet::IpNet;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Prefixes that each node originates at first.
const AT_FIRST: usize = 3;

/// A running speaker.
pub struct Node {
    pub speaker: Speaker,
    life: u32,
    /// Attempts that have not been answered.
    dialling: BTreeSet<ConnId>,
    /// Connections that its kernel knows.
    open: BTreeSet<ConnId>,
}

/// All of it.
pub struct World {
    pub now: Instant,
    origin: Instant,
    pub topology: Topology,
    pub network: Network,
    pub nodes: Vec<Option<Node>>,
    lives: Vec<u32>,
    pub configs: Vec<SpeakerConfig>,
    pub originated: Vec<BTreeSet<IpNet>>,
    /// How far next hops are, where that is not as usual.
    pub distances: Vec<BTreeMap<IpAddr, NextHopState>>,
    manners: Vec<Manner>,
    pub trace: Vec<String>,
    /// When each node wants to be called; what is out of date is ignored.
    due: BinaryHeap<Reverse<(Instant, NodeId)>>,
    scheduled: Vec<Option<Instant>>,
    /// Nodes that may have something to say.
    touched: BTreeSet<NodeId>,
    /// Pieces of the network that have arrived.
    pub arrivals: u64,
}

impl World {
    /// All speakers started, with some prefixes each.
    pub fn new(seed: u64, topology: Topology) -> Self {
        let manners = vec![Manner::Ours; topology.count()];
        Self::of(seed, topology, manners)
    }

    /// The same of speakers with manners of their own.
    pub fn of(seed: u64, topology: Topology, manners: Vec<Manner>) -> Self {
        let count = topology.count();
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some origin")]
        let origin = Instant::now();
        let mut chance = Chance::new(seed ^ 0x776f_726c);
        let mut configs: Vec<SpeakerConfig> = (0..count)
            .map(|node| SpeakerConfig::new(topology.asns[node], topology.router_ids[node]))
            .collect();
        // Many sessions say so many KEEPALIVEs that nothing else is simulated, if they are quick about it.
        let holds: &[u64] = if topology.edges.len() > 1000 {
            &[90]
        } else {
            &[9, 30, 90]
        };
        for (node, other) in topology.ends() {
            let mut peer = topology.template(node, other);
            peer.hold_time = Duration::from_secs(*chance.pick(holds));
            configs[node].peers.insert(id(other), peer);
        }
        let mut world = Self {
            now: origin,
            origin,
            network: Network::new(seed),
            nodes: (0..count).map(|_| None).collect(),
            lives: vec![0; count],
            configs,
            originated: (0..count)
                .map(|node| (0..AT_FIRST).map(|n| prefix(node, n)).collect())
                .collect(),
            distances: vec![BTreeMap::new(); count],
            manners,
            trace: Vec::new(),
            due: BinaryHeap::new(),
            scheduled: vec![None; count],
            touched: BTreeSet::new(),
            arrivals: 0,
            topology,
        };
        (0..count).for_each(|node| world.start(node));
        world
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_running(&self, node: NodeId) -> bool {
        self.nodes[node].is_some()
    }

    /// The speaker, if it runs.
    pub fn speaker(&self, node: NodeId) -> Option<&Speaker> {
        self.nodes[node].as_ref().map(|node| &node.speaker)
    }

    /// Time since the beginning.
    pub fn age(&self) -> Duration {
        self.now - self.origin
    }

    /// Starts a speaker with its configuration, routes and next hops.
    pub fn start(&mut self, node: NodeId) {
        self.lives[node] += 1;
        let speaker = Speaker::new(self.configs[node].clone(), self.now);
        self.nodes[node] = Some(Node {
            speaker,
            life: self.lives[node],
            dialling: BTreeSet::new(),
            open: BTreeSet::new(),
        });
        self.measure(node);
        self.announce(node);
    }

    /// Gives a speaker the state of all next hops.
    pub fn measure(&mut self, node: NodeId) {
        let hops = (0..self.count()).flat_map(|n| [address(n), IpAddr::from(address6(n))]);
        let mut table: NextHopTable = hops
            .map(|hop| (hop.into(), NextHopState::Reachable { metric: 1 }))
            .collect();
        table.extend(
            self.distances[node]
                .iter()
                .map(|(hop, state)| ((*hop).into(), *state)),
        );
        self.with(node, |speaker, now| speaker.set_next_hops(table, now));
    }

    /// Gives a speaker its originated routes.
    pub fn announce(&mut self, node: NodeId) {
        let prefixes = self.originated[node].iter();
        let routes: BTreeMap<_, _> = prefixes.map(|prefix| (*prefix, Originated::default())).collect();
        self.with(node, |speaker, now| speaker.originate(routes, now));
    }

    /// Gives a speaker its configuration.
    pub fn reconfigure(&mut self, node: NodeId) {
        let config = self.configs[node].clone();
        self.with(node, |speaker, now| speaker.reconfigure(config, now));
    }

    /// Tells a speaker what has become of the path to another one. If it has a session, it gives the routes up at once.
    pub fn path(&mut self, node: NodeId, other: NodeId, change: PathChange) {
        self.with(node, |speaker, now| speaker.handle_path(id(other), change, now));
    }

    /// Ends a speaker. `politely`: with Cease; else its kernel closes the connections, or, `silently`, nobody does.
    pub fn kill(&mut self, node: NodeId, politely: bool, silently: bool) {
        if politely {
            let why = Some("maintenance".to_string());
            self.with(node, |speaker, now| speaker.shutdown(why, now));
            self.pump(node);
        }
        self.nodes[node] = None;
        for end in self.network.ends_of(node) {
            if silently {
                self.network.forget(end);
            } else {
                self.network.close(end, self.now);
            }
        }
    }

    /// One of the connections of a node, if it has any.
    pub fn end(&self, node: NodeId, which: usize) -> Option<End> {
        let ends = self.network.ends_of(node);
        (!ends.is_empty()).then(|| ends[which % ends.len()])
    }

    /// Resets one TCP connection of a speaker, seen by both ends at once.
    pub fn reset_one(&mut self, node: NodeId, which: usize) {
        if let Some(end) = self.end(node, which)
            && let Some(other) = self.network.other(end)
        {
            self.network.close(end, self.now);
            self.network.close(other, self.now);
            self.closed(end);
        }
    }

    /// Only this end of a connection is lost, and what it had on the way; `silently`: the other one hears nothing of it.
    pub fn lose_one(&mut self, node: NodeId, which: usize, silently: bool) {
        if let Some(end) = self.end(node, which) {
            if silently {
                self.network.forget(end);
            } else {
                self.network.reset(end, self.now);
            }
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
        self.pump_touched();
        loop {
            let timer = self.due.peek().map(|Reverse((at, _))| *at);
            let next = timer.into_iter().chain(self.network.next()).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(arrival) = self.network.take(self.now) {
                self.arrivals += 1;
                self.arrive(arrival);
            }
            self.ring();
            self.pump_touched();
            see(self);
        }
        self.now = end;
    }

    /// Lets timers act that are due.
    fn ring(&mut self) {
        while let Some(Reverse((at, node))) = self.due.peek().copied().filter(|next| next.0.0 <= self.now) {
            self.due.pop();
            if self.scheduled[node] != Some(at) {
                continue;
            }
            self.scheduled[node] = None;
            match self.network.stalled(node, self.now) {
                Some(until) => self.schedule(node, Some(until)),
                None => self.with(node, |speaker, now| speaker.handle_timeout(now)),
            }
        }
    }

    fn schedule(&mut self, node: NodeId, at: Option<Instant>) {
        if self.scheduled[node] != at {
            self.scheduled[node] = at;
            self.due.extend(at.map(|at| Reverse((at, node))));
        }
    }

    fn with(&mut self, node: NodeId, call: impl FnOnce(&mut Speaker, Instant)) {
        let now = self.now;
        if let Some(node) = &mut self.nodes[node] {
            call(&mut node.speaker, now);
        }
        self.touched.insert(node);
    }

    fn pump_touched(&mut self) {
        while let Some(node) = self.touched.pop_first() {
            self.pump(node);
        }
    }

    /// What a driver does: actions, events, and bytes as the window allows.
    fn pump(&mut self, id: NodeId) {
        let Some(mut node) = self.nodes[id].take() else {
            return self.schedule(id, None);
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
                    let attempt = Arrival::Attempt { from: end(conn), to };
                    self.network.send(id, to, attempt, self.now);
                }
                Action::Close { conn, last_words } => {
                    node.dialling.remove(&conn);
                    node.open.remove(&conn);
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
                let bytes = self.manners[id].spoken(bytes);
                self.network.write(end(conn), &bytes, self.now);
            }
        }
        let at = node.speaker.poll_timeout();
        self.nodes[id] = Some(node);
        self.schedule(id, at);
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
                if self.alive(to).is_some_and(|node| node.open.contains(&to.conn)) {
                    self.with(to.node, |s, now| s.handle_bytes(to.conn, &bytes, now));
                    // The window has opened for the sender.
                    self.touched
                        .extend(self.network.other(to).map(|other| other.node));
                } else if self.nodes[to.node].is_some()
                    && let Some(sender) = self.network.sender(to)
                {
                    self.network.unknown(to, sender, self.now);
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
            let refused = Arrival::Refused { to: from };
            return self.network.send(to, from.node, refused, self.now);
        };
        let end = End {
            node: to,
            life: node.life,
            conn: node.speaker.next_conn(),
        };
        node.open.insert(end.conn);
        self.network.join(from, end, self.now);
        self.network.accept(end, self.now);
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
            node.open.insert(to.conn);
            let local = SocketAddr::new(address(to.node), 40000);
            self.with(to.node, |speaker, now| {
                speaker.handle_connected(to.conn, local, now)
            });
        }
    }

    fn closed(&mut self, end: End) {
        if let Some(node) = self.alive(end) {
            node.open.remove(&end.conn);
            node.dialling.remove(&end.conn);
            self.with(end.node, |s, now| {
                s.handle_closed(end.conn, "connection closed".into(), now)
            });
        }
    }

    fn alive(&mut self, end: End) -> Option<&mut Node> {
        self.nodes[end.node].as_mut().filter(|node| node.life == end.life)
    }
}
