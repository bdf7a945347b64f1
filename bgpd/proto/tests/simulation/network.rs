//! TCP between speakers: ordered pipes with delays and a window, links that can be cut, ends that can be lost.
//!
//! A cut link loses nothing that TCP would repeat: bytes and ends of connections wait until it heals. What a host forgets is
//! another matter: bytes for a connection that it does not know are answered with a reset, or with nothing, where
//! something on the way swallows resets.

use crate::chance::Chance;
use bgpd_proto::types::ConnId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Number of a speaker.
pub type NodeId = usize;

/// Arrivals fall on multiples of this, so that some come together.
const TICK: Duration = Duration::from_micros(50);

/// One end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Whose end.
    pub node: NodeId,
    /// Which life of that node: a restarted speaker numbers its connections anew.
    pub life: u32,
    /// Its connection number.
    pub conn: ConnId,
}

/// Something that reaches a speaker.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A connection attempt, from `from`.
    Attempt { from: End, to: NodeId },
    /// The attempt of `to` succeeded.
    Connected { to: End },
    /// The attempt of `to` failed.
    Refused { to: End },
    /// Bytes.
    Bytes { to: End, bytes: Vec<u8> },
    /// The other side closed.
    Closed { to: End },
}

impl Arrival {
    fn node(&self) -> NodeId {
        match self {
            Arrival::Attempt { to, .. } => *to,
            Arrival::Connected { to }
            | Arrival::Refused { to }
            | Arrival::Bytes { to, .. }
            | Arrival::Closed { to } => to.node,
        }
    }

    fn is_for(&self, end: End) -> bool {
        matches!(self, Arrival::Bytes { to, .. } | Arrival::Closed { to } | Arrival::Connected { to } if *to == end)
    }
}

#[derive(Debug)]
struct Half {
    other: End,
    /// Nothing arrives before this: order is kept.
    last_arrival: Instant,
    in_flight: usize,
}

/// All pipes and what is on the way.
#[derive(Debug)]
pub struct Network {
    halves: BTreeMap<End, Half>,
    /// By time and sequence; the nodes are the link that it crosses.
    on_the_way: BTreeMap<(Instant, u64), (NodeId, NodeId, Arrival)>,
    /// What waits for a cut link to heal.
    held: BTreeMap<u64, (NodeId, NodeId, Arrival)>,
    sequence: u64,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Nodes that look at nothing until then.
    stalled: BTreeMap<NodeId, Instant>,
    /// Bytes that one end may have on the way.
    window: usize,
    /// Bytes for an unknown connection are answered with a reset.
    pub resets: bool,
    chance: Chance,
}

impl Network {
    /// No pipes.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x6e65_7477);
        Self {
            halves: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            held: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            stalled: BTreeMap::new(),
            window: *chance.pick(&[1024, 4096, 16 * 1024, 64 * 1024]),
            resets: chance.percent(50),
            chance,
        }
    }

    /// Cuts the link between two speakers.
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    /// Heals all links; what waited arrives now, in its order.
    pub fn heal(&mut self, now: Instant) {
        self.cut.clear();
        for (sequence, what) in std::mem::take(&mut self.held) {
            self.on_the_way.insert((now, sequence), what);
        }
    }

    /// A speaker looks at nothing until then.
    pub fn stall(&mut self, node: NodeId, until: Instant) {
        self.stalled.insert(node, until);
    }

    /// Until when a speaker looks at nothing.
    pub fn stalled(&self, node: NodeId, now: Instant) -> Option<Instant> {
        self.stalled.get(&node).copied().filter(|until| *until > now)
    }

    /// Sends something that is not part of a stream.
    pub fn send(&mut self, from: NodeId, to: NodeId, arrival: Arrival, now: Instant) {
        let at = now + self.delay();
        self.put(at, from, to, arrival);
    }

    /// Joins two ends.
    pub fn join(&mut self, a: End, b: End, now: Instant) {
        for (end, other) in [(a, b), (b, a)] {
            let half = Half {
                other,
                last_arrival: now,
                in_flight: 0,
            };
            self.halves.insert(end, half);
        }
    }

    /// The other end is told that its attempt succeeded, before anything that is said.
    pub fn accept(&mut self, end: End, now: Instant) {
        self.stream(end, now, |to| Arrival::Connected { to });
    }

    /// Whether `end` may send more.
    pub fn has_room(&self, end: End) -> bool {
        self.halves
            .get(&end)
            .is_some_and(|half| half.in_flight < self.window)
    }

    /// Sends bytes in pieces of any size.
    pub fn write(&mut self, end: End, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            let length = self.chance.between(1, bytes.len().max(20)).min(bytes.len());
            let (piece, rest) = bytes.split_at(length);
            bytes = rest;
            let piece = piece.to_vec();
            if let Some(half) = self.halves.get_mut(&end) {
                half.in_flight += piece.len();
            }
            self.stream(end, now, |to| Arrival::Bytes { to, bytes: piece });
        }
    }

    /// Closes from this end: the other sees it after all bytes.
    pub fn close(&mut self, end: End, now: Instant) {
        self.stream(end, now, |to| Arrival::Closed { to });
        self.halves.remove(&end);
    }

    /// Resets from this end: what it has on the way is lost, and the other sees the end at once.
    pub fn reset(&mut self, end: End, now: Instant) {
        if let Some(other) = self.other(end) {
            self.on_the_way
                .retain(|_, (_, _, arrival)| !arrival.is_for(other));
            self.held.retain(|_, (_, _, arrival)| !arrival.is_for(other));
            self.halves.entry(end).and_modify(|half| half.last_arrival = now);
            self.close(end, now);
        }
    }

    /// This end is forgotten, and the other one is not told.
    pub fn forget(&mut self, end: End) {
        self.halves.remove(&end);
    }

    /// Bytes came for a connection that their host does not know.
    pub fn unknown(&mut self, end: End, from: End, now: Instant) {
        if self.resets && self.halves.get(&from).is_some_and(|half| half.other == end) {
            self.send(end.node, from.node, Arrival::Closed { to: from }, now);
        }
    }

    /// Whose other end this is, although it may be forgotten itself.
    pub fn sender(&self, end: End) -> Option<End> {
        let known = self.halves.get(&end).map(|half| half.other);
        known.or_else(|| {
            self.halves
                .iter()
                .find(|(_, half)| half.other == end)
                .map(|(end, _)| *end)
        })
    }

    /// Ends of a node.
    pub fn ends_of(&self, node: NodeId) -> Vec<End> {
        self.halves
            .keys()
            .filter(|end| end.node == node)
            .copied()
            .collect()
    }

    /// The other end, while the connection stands.
    pub fn other(&self, end: End) -> Option<End> {
        self.halves.get(&end).map(|half| half.other)
    }

    /// When the next thing arrives.
    pub fn next(&self) -> Option<Instant> {
        self.on_the_way.keys().next().map(|key| key.0)
    }

    /// Takes what has arrived by `now`.
    pub fn take(&mut self, now: Instant) -> Option<Arrival> {
        loop {
            let entry = self
                .on_the_way
                .first_entry()
                .filter(|entry| entry.key().0 <= now)?;
            let sequence = entry.key().1;
            let (from, to, arrival) = entry.remove();
            if self.cut.contains(&(from.min(to), from.max(to))) {
                self.held.insert(sequence, (from, to, arrival));
                continue;
            }
            if let Some(until) = self.stalled(arrival.node(), now) {
                self.on_the_way.insert((until, sequence), (from, to, arrival));
                continue;
            }
            if let Arrival::Bytes { to, bytes } = &arrival {
                let sender = self.halves.get(to).map(|half| half.other);
                if let Some(half) = sender.and_then(|end| self.halves.get_mut(&end)) {
                    half.in_flight -= bytes.len();
                }
            }
            return Some(arrival);
        }
    }

    fn stream(&mut self, end: End, now: Instant, arrival: impl FnOnce(End) -> Arrival) {
        let delay = self.delay();
        let Some(half) = self.halves.get_mut(&end) else {
            return;
        };
        let at = half.last_arrival.max(now + delay);
        half.last_arrival = at;
        let other = half.other;
        self.put(at, end.node, other.node, arrival(other));
    }

    fn put(&mut self, at: Instant, from: NodeId, to: NodeId, arrival: Arrival) {
        self.sequence += 1;
        self.on_the_way.insert((at, self.sequence), (from, to, arrival));
    }

    /// Mostly a fraction of a millisecond, now and then far longer.
    fn delay(&mut self) -> Duration {
        let ticks = if self.chance.percent(5) {
            self.chance.between(20, 6000)
        } else {
            0
        };
        TICK * (ticks + self.chance.between(1, 18)) as u32
    }
}
