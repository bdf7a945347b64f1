//! All sessions of a node: the complete set that is wanted, which packet is for whom, whose deadline is next.
//!
//! Sessions live in numbered slots, so that the two trees of deadlines (what is to be sent, what expires) need no keys
//! and no allocation. A session that is not wanted any more keeps its slot while it says AdminDown; wanted again, or
//! wanted on the other port, it begins anew after that.

use crate::heap::Deadlines;
use crate::packet::{ControlPacket, Diag, PACKET_LEN, State};
use crate::reject::{Reject, Rejects};
use crate::rng::Rng;
use crate::session::{Change, Expiry, Session};
use crate::settings::{Hops, Key, Settings};
use crate::status::SessionStatus;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Instant;

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its source address.
    pub source: IpAddr,
    /// Index of the interface that it came in by, if the source is link-local; else of no account.
    pub scope: u32,
    /// TTL or hop limit that it had left; `None`, where the kernel did not tell, is too little.
    pub ttl: Option<u8>,
    /// Whose port it came to.
    pub hops: Hops,
}

/// Why a session changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing came for the detection time.
    TimeExpired,
    /// The peer said that it is in this state, for this reason.
    Peer(State, Diag),
    /// The peer has another discriminator and knows nothing of us: its BFD has begun anew.
    Restarted,
}

impl Why {
    /// Whether it says that the path is dead. That the peer's operator holds the session down does not (RFC 5880
    /// §6.8.16, RFC 5882 §3.2); nor does it that the peer's BFD has begun anew, since its packets arrive: if they did not, or
    /// ours did not arrive there, it would have been missed, or would say so.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Why::Peer(State::AdminDown, _) | Why::Restarted)
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose.
    pub key: Key,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub why: Why,
    /// When.
    pub at: Instant,
}

/// All sessions: see the crate's page.
#[derive(Debug)]
pub struct Table {
    wanted: BTreeMap<Key, Settings>,
    slots: Vec<Option<Session>>,
    by_key: BTreeMap<Key, usize>,
    by_discr: BTreeMap<NonZeroU32, usize>,
    transmits: Deadlines,
    expiries: Deadlines,
    events: VecDeque<Event>,
    rejects: Rejects,
    rng: Rng,
}

impl Table {
    /// No sessions. `seed` makes discriminators and jitter: take it from the system's random source.
    pub fn new(seed: u64) -> Self {
        Self {
            wanted: BTreeMap::new(),
            slots: Vec::new(),
            by_key: BTreeMap::new(),
            by_discr: BTreeMap::new(),
            transmits: Deadlines::new(),
            expiries: Deadlines::new(),
            events: VecDeque::new(),
            rejects: Rejects::default(),
            rng: Rng::new(seed),
        }
    }

    /// Sets all sessions. Those that stay as they are are not touched, other timers are negotiated, what is absent
    /// says AdminDown and goes.
    pub fn want(&mut self, sessions: BTreeMap<Key, Settings>, now: Instant) {
        self.wanted = sessions;
        for settings in self.wanted.values_mut() {
            *settings = settings.within_limits();
        }
        for (key, slot) in self.by_key.clone() {
            let Some(session) = self.slots[slot].as_mut() else {
                continue;
            };
            match self.wanted.get(&key) {
                // It is on its way out, and begins anew after that.
                _ if session.is_retiring() => {}
                Some(settings) if settings.hops == session.settings().hops => {
                    if settings != session.settings() {
                        session.tune(*settings);
                        self.schedule(slot);
                    }
                }
                _ => self.retire(slot, now),
            }
        }
        let missing = |key: &&Key| !self.by_key.contains_key(key);
        for key in self.wanted.keys().filter(missing).copied().collect::<Vec<_>>() {
            self.create(key, now);
        }
    }

    /// All sessions say AdminDown at once, and go: for a process that is about to end. Can be called again to have it
    /// said again.
    pub fn administratively_down(&mut self, now: Instant) {
        self.wanted.clear();
        for slot in 0..self.slots.len() {
            self.retire(slot, now);
        }
    }

    /// Reads a datagram. Nothing that anybody sends makes a session or takes memory.
    pub fn receive(&mut self, datagram: &[u8], from: Arrival, now: Instant) {
        let accepted =
            ControlPacket::decode(datagram).and_then(|packet| Ok((packet, self.find(&packet, from, now)?)));
        match accepted {
            Ok((packet, slot)) => {
                if let Some(session) = self.slots[slot].as_mut()
                    && let Some(change) = session.receive(&packet, now)
                {
                    let key = session.key();
                    self.report(key, change, now);
                }
                self.schedule(slot);
            }
            Err(reject) => self.rejects.count(reject),
        }
    }

    /// Lets all detection times that have passed act. Read first what lies in the sockets: a packet that is there is a
    /// sign of life, however late it is read.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(slot) = self.expiries.due(now) {
            let Some(session) = self.slots[slot].as_mut() else {
                self.expiries.set(slot, None);
                continue;
            };
            let key = session.key();
            match session.expire(now) {
                Expiry::Nothing => {}
                Expiry::Changed(change) => self.report(key, change, now),
                Expiry::Gone => {
                    self.remove(slot);
                    self.create(key, now);
                    continue;
                }
            }
            self.schedule(slot);
        }
    }

    /// When something is to be sent or expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.transmits.first(), self.expiries.first()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next packet that is due: for whom, to which port, and its bytes.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<(Key, Hops, [u8; PACKET_LEN])> {
        while let Some(slot) = self.transmits.due(now) {
            let sent = self.slots[slot].as_mut().and_then(|session| {
                let packet = session.transmit(&mut self.rng, now)?;
                Some((session.key(), session.hops(), packet))
            });
            self.schedule(slot);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// Takes the next change.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// All sessions as they stand, by key.
    pub fn statuses(&self) -> impl Iterator<Item = SessionStatus> {
        let sessions = self.by_key.values().filter_map(|slot| self.slots[*slot].as_ref());
        sessions.map(Session::status)
    }

    /// Whether there is a session with `key`, wanted or on its way out.
    pub fn contains(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    /// What was dropped.
    pub fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Nothing is wanted, and nothing is left to be said.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The session of a packet: by our discriminator alone where the sender knows it (RFC 5880 §6.3), else by its source.
    fn find(&mut self, packet: &ControlPacket, from: Arrival, now: Instant) -> Result<usize, Reject> {
        if from.ttl.is_none_or(|ttl| ttl < from.hops.min_ttl()) {
            return Err(Reject::Ttl);
        }
        let key = Key::new(from.source, from.scope);
        let (slot, unfit) = match NonZeroU32::new(packet.your_discr) {
            Some(discr) => {
                let slot = self.by_discr.get(&discr).ok_or(Reject::UnknownDiscriminator)?;
                (*slot, Reject::Source)
            }
            None => (
                *self.by_key.get(&key).ok_or(Reject::UnknownSource)?,
                Reject::UnknownSource,
            ),
        };
        let session = self.slots[slot].as_mut().ok_or(Reject::UnknownSource)?;
        if session.key() == key && session.hops() == from.hops {
            return Ok(slot);
        }
        if session.key() == key && packet.your_discr == 0 {
            session.follow(&mut self.rng, now);
            let followed = session.hops() == from.hops;
            self.schedule(slot);
            if followed {
                return Ok(slot);
            }
        }
        Err(unfit)
    }

    /// Makes the session of `key` if it is wanted.
    fn create(&mut self, key: Key, now: Instant) {
        let Some(settings) = self.wanted.get(&key) else {
            return;
        };
        let discr = loop {
            let discr = self.rng.discriminator();
            if !self.by_discr.contains_key(&discr) {
                break discr;
            }
        };
        let slot = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.transmits.reserve(self.slots.len());
        self.expiries.reserve(self.slots.len());
        self.slots[slot] = Some(Session::new(key, *settings, discr, &mut self.rng, now));
        self.by_key.insert(key, slot);
        self.by_discr.insert(discr, slot);
        // A change and its opposite for each session: what one turn brings, mostly.
        self.events.reserve(2 * self.slots.len());
        self.schedule(slot);
    }

    fn retire(&mut self, slot: usize, now: Instant) {
        let Some(session) = self.slots[slot].as_mut() else {
            return;
        };
        if session.retire(now) {
            self.schedule(slot);
        } else {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: usize) {
        if let Some(session) = self.slots[slot].take() {
            self.by_key.remove(&session.key());
            self.by_discr.remove(&session.discr());
        }
        self.schedule(slot);
    }

    fn schedule(&mut self, slot: usize) {
        let session = self.slots[slot].as_ref();
        self.transmits.set(slot, session.and_then(Session::transmit_at));
        self.expiries.set(slot, session.and_then(Session::expire_at));
    }

    fn report(&mut self, key: Key, change: Change, now: Instant) {
        self.events.push_back(Event {
            key,
            from: change.from,
            to: change.to,
            why: change.why,
            at: now,
        });
    }
}
