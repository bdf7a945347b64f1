//! The session with one peer: up to two connections, the automatic start, the back-off, and the collision between
//! the two (RFC 4271 §6.8 and §8.2.1).
//!
//! `main` is the connection that the session stands for: it makes our attempts, or takes over a connection of the
//! peer's while it is only listening. A connection of the peer's that arrives while ours is under way becomes `second`,
//! until the collision is decided; when `main` ends, a living `second` takes its place. Only `main` is ever
//! Established, and then there is no `second`.
//!
//! Calls push [`Output`]s; the caller takes them with [`Session::poll_output`] after each call.

use super::backoff::{Backoff, STABLE};
use super::collision::{Direction, Identity, winner};
use super::connection::Connection;
use super::fsm::{Down, Effect, Event};
use super::jitter::Jitter;
use super::messages;
use super::open::{self, Negotiated};
use super::settings::Settings;
use super::state::State;
use crate::types::{ConnId, Family, RouterId};
use crate::wire::{
    Message, Notification, Open, RefreshKind, Update, encode_keepalive, encode_route_refresh,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What a session wants or reports.
#[derive(Debug)]
pub enum Output {
    /// Open a connection and tell its number with [`Session::connecting`].
    Connect,
    /// Write the bytes if possible, then close.
    Close {
        /// Which connection.
        conn: ConnId,
        /// Mostly a NOTIFICATION.
        last_words: Vec<u8>,
    },
    /// The session is Established.
    Up(Arc<Negotiated>),
    /// It was Established and is no longer.
    Lost(String),
    /// An attempt failed; it had not been Established.
    Failed(String),
    /// Routes came.
    Update(Box<Update>),
    /// The peer wants all our routes of a family again.
    Refresh(Family),
    /// A KEEPALIVE came while Established.
    Keepalive,
}

/// Message counters of a session, since the peer was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that came, of every type.
    pub messages_in: u64,
    /// UPDATEs among them.
    pub updates_in: u64,
    /// Messages that we sent.
    pub messages_out: u64,
    /// UPDATEs among them.
    pub updates_out: u64,
    /// How often an Established session was lost.
    pub flaps: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Main,
    Second,
}

/// The session with one peer.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    seed: u64,
    main: Connection,
    second: Option<Connection>,
    /// Back-off with connections refused ends here.
    idle_until: Option<Instant>,
    /// Stopped for good: no automatic start.
    stopped: bool,
    backoff: Backoff,
    /// The peer rejected OPENs with capabilities: the next goes without (RFC 5492 §3).
    plain_open: bool,
    outputs: VecDeque<Output>,
    shown: State,
    since: Instant,
    last_error: Option<String>,
    counters: Counters,
}

impl Session {
    /// A session that has not been started. `seed` makes its timers differ from other peers'.
    pub fn new(settings: Settings, seed: u64, now: Instant) -> Self {
        let main = Connection::new(settings.tuning, Jitter::new(seed), Direction::Outgoing);
        Self {
            settings,
            seed,
            main,
            second: None,
            idle_until: None,
            stopped: true,
            backoff: Backoff::new(Jitter::new(!seed)),
            plain_open: false,
            outputs: VecDeque::new(),
            shown: State::Idle,
            since: now,
            last_error: None,
            counters: Counters::default(),
        }
    }

    /// Starts: connects at once, or listens when passive.
    pub fn start(&mut self, now: Instant) {
        self.stopped = false;
        self.idle_until = None;
        let event =
            if self.settings.tuning.passive { Event::StartPassively { retry: None } } else { Event::Start };
        self.step(Slot::Main, event, now);
    }

    /// Stops with a Cease and stays Idle.
    pub fn stop(&mut self, cease: Notification, now: Instant) {
        self.stopped = true;
        self.idle_until = None;
        if self.second.is_some() {
            self.step(Slot::Second, Event::Stop(cease.clone()), now);
        }
        self.step(Slot::Main, Event::Stop(cease), now);
        self.note_state(now);
    }

    /// Takes new settings. What was agreed is kept where it still holds; else the session starts anew, with `cease`.
    pub fn reconfigure(&mut self, settings: Settings, reset: bool, cease: Notification, now: Instant) {
        let reset = reset || settings.needs_new_session(&self.settings);
        let passive_changed = settings.tuning.passive != self.settings.tuning.passive;
        self.settings = settings;
        self.main.fsm.tune(self.settings.tuning);
        if let Some(second) = &mut self.second {
            second.fsm.tune(self.settings.tuning);
        }
        if reset || (passive_changed && !self.state().is_connected()) {
            self.stop(cease, now);
            self.backoff.reset();
            self.plain_open = false;
            self.start(now);
        }
    }

    /// The number of the connection that [`Output::Connect`] asked for.
    pub fn connecting(&mut self, conn: ConnId) {
        self.main.id = Some(conn);
        self.main.direction = Direction::Outgoing;
    }

    /// The peer has connected.
    pub fn incoming(&mut self, conn: ConnId, local: SocketAddr, remote: SocketAddr, now: Instant) {
        let refusal = match self.main.fsm.state() {
            State::Idle => Some(messages::connection_rejected()),
            State::Established => Some(messages::collision()),
            _ => None,
        };
        if let Some(refusal) = refusal {
            let mut last_words = Vec::new();
            refusal.encode(&mut last_words);
            self.outputs.push_back(Output::Close { conn, last_words });
            return;
        }
        let slot = if self.main.fsm.state() == State::Active { Slot::Main } else { Slot::Second };
        if slot == Slot::Second {
            // The peer has begun anew: its earlier connection is of no use to it.
            self.dump(Slot::Second, now);
            let jitter = Jitter::new(self.seed ^ conn.0);
            let mut second = Connection::new(self.settings.tuning, jitter, Direction::Incoming);
            second.fsm.handle(Event::StartPassively { retry: None }, now);
            self.second = Some(second);
        }
        if let Some(connection) = self.slot_mut(slot) {
            connection.id = Some(conn);
            connection.direction = Direction::Incoming;
            connection.local = Some(local);
            connection.remote = Some(remote);
        }
        self.step(slot, Event::TcpConnected, now);
    }

    /// Our attempt succeeded.
    pub fn connected(&mut self, conn: ConnId, local: SocketAddr, remote: SocketAddr, now: Instant) {
        if self.main.id == Some(conn) && self.main.fsm.state() == State::Connect {
            self.main.local = Some(local);
            self.main.remote = Some(remote);
            self.step(Slot::Main, Event::TcpConnected, now);
        }
    }

    /// A connection, or an attempt, has ended.
    pub fn closed(&mut self, conn: ConnId, reason: String, now: Instant) {
        if let Some(slot) = self.slot_of(conn) {
            if let Some(connection) = self.slot_mut(slot) {
                // Nothing can be sent any more, and nobody has to close it.
                connection.release();
            }
            self.step(slot, Event::TcpFailed(reason), now);
        }
    }

    /// Bytes came.
    pub fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        if let Some(connection) = self.connection_mut(conn) {
            connection.receive(bytes);
        }
        // The connection may be closed by any message.
        while let Some(connection) = self.connection_mut(conn) {
            match connection.next_message() {
                Ok(Some(message)) => self.message(conn, message, now),
                Ok(None) => return,
                Err(notification) => self.step_conn(conn, Event::Malformed(notification), now),
            }
        }
    }

    /// The contents of an UPDATE were beyond repair: ends the session with this NOTIFICATION.
    pub fn reject_update(&mut self, notification: Notification, now: Instant) {
        self.step(Slot::Main, Event::Malformed(notification), now);
    }

    /// Lets expired timers act.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.idle_until.is_some_and(|at| at <= now) {
            self.start(now);
        }
        for slot in [Slot::Second, Slot::Main] {
            while let Some(effects) = self.slot_mut(slot).and_then(|c| c.fsm.handle_timeout(now)) {
                self.apply(slot, effects, now);
            }
        }
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let second = self.second.as_ref().and_then(|c| c.fsm.next_deadline());
        [self.main.fsm.next_deadline(), second, self.idle_until].into_iter().flatten().min()
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Connections that have control messages to send.
    pub fn wants_transmit(&self) -> impl Iterator<Item = ConnId> {
        let waiting = |c: &Connection| c.id.filter(|_| !c.output.is_empty());
        [waiting(&self.main), self.second.as_ref().and_then(waiting)].into_iter().flatten()
    }

    /// Appends the waiting control messages of `conn` to `out`.
    pub fn transmit(&mut self, conn: ConnId, out: &mut Vec<u8>, now: Instant) {
        if let Some(connection) = self.connection_mut(conn) {
            out.append(&mut connection.output);
            connection.fsm.output_waiting(false, now);
        }
    }

    /// Counts UPDATEs that were handed to the driver.
    pub fn count_updates_out(&mut self, messages: u64) {
        self.counters.messages_out += messages;
        self.counters.updates_out += messages;
    }

    /// Asks the peer for all its routes of `family` again (RFC 2918); false where the peer cannot.
    pub fn request_refresh(&mut self, family: Family, now: Instant) -> bool {
        let able = self.agreed().is_some_and(|a| a.route_refresh && a.families.contains(&family));
        if able {
            self.send(Slot::Main, now, |out| encode_route_refresh(family, RefreshKind::Request, out));
        }
        able
    }

    /// The connection of the Established session.
    pub fn established(&self) -> Option<ConnId> {
        self.main.id.filter(|_| self.main.fsm.state() == State::Established)
    }

    /// The furthest state of its connections.
    pub fn state(&self) -> State {
        let second = self.second.as_ref().map(|c| c.fsm.state());
        second.map_or(self.main.fsm.state(), |second| second.max(self.main.fsm.state()))
    }

    /// Since when it has been in that state.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Why it last failed.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What both OPENs agree on.
    pub fn agreed(&self) -> Option<&Arc<Negotiated>> {
        self.main.agreed.as_ref()
    }

    /// Both ends of the TCP connection.
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (self.main.local, self.main.remote)
    }

    /// See [`Counters`].
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn message(&mut self, conn: ConnId, message: Message, now: Instant) {
        self.counters.messages_in += 1;
        match message {
            Message::Open(open) => self.open(conn, &open, now),
            Message::Keepalive => {
                self.step_conn(conn, Event::Keepalive, now);
                if self.established() == Some(conn) {
                    self.outputs.push_back(Output::Keepalive);
                }
            }
            Message::Update(update) => {
                self.counters.updates_in += 1;
                self.step_conn(conn, Event::Update, now);
                if self.established() == Some(conn) {
                    self.outputs.push_back(Output::Update(Box::new(update)));
                }
            }
            Message::Notification(notification) => {
                self.plain_open = messages::rejects_options(&notification);
                self.step_conn(conn, Event::NotificationReceived(notification), now);
            }
            Message::RouteRefresh(refresh) => {
                self.step_conn(conn, Event::RouteRefresh, now);
                let family = refresh.family.filter(|_| refresh.kind == RefreshKind::Request);
                if self.established() == Some(conn) {
                    self.outputs.extend(family.map(Output::Refresh));
                }
            }
        }
    }

    fn open(&mut self, conn: ConnId, open: &Open, now: Instant) {
        let Some(connection) = self.connection_mut(conn) else { return };
        if connection.fsm.state() != State::OpenSent {
            // The machine answers with an FSM error.
            return self.step_conn(conn, Event::Open { hold_time: self.settings.hold_time }, now);
        }
        let negotiated = match open::validate(open, &self.settings, self.plain_open) {
            Ok(negotiated) => Arc::new(negotiated),
            Err(notification) => return self.step_conn(conn, Event::Malformed(notification), now),
        };
        self.resolve_collision(negotiated.router_id, now);
        // Gone, if it lost.
        let context = negotiated.decode_context(&self.settings);
        if let Some(connection) = self.connection_mut(conn) {
            let hold_time = negotiated.hold_time;
            connection.agree(negotiated, context);
            self.step_conn(conn, Event::Open { hold_time }, now);
        }
    }

    /// An OPEN came: closes its connection or the other one, if both are past TCP.
    fn resolve_collision(&mut self, remote_id: RouterId, now: Instant) {
        let Some(second) = self.second.as_ref() else { return };
        if !self.main.fsm.state().is_connected() || !second.fsm.state().is_connected() {
            return;
        }
        let local = Identity { router_id: self.settings.router_id, asn: self.settings.local_asn };
        let remote = Identity { router_id: remote_id, asn: self.settings.remote_asn };
        let loser = if self.main.direction == second.direction {
            // Both are the peer's: it has given up the older one.
            Slot::Main
        } else if winner(local, remote) == self.main.direction {
            Slot::Second
        } else {
            Slot::Main
        };
        self.dump(loser, now);
    }

    fn dump(&mut self, slot: Slot, now: Instant) {
        self.step(slot, Event::CollisionDump(messages::collision()), now);
    }

    fn step_conn(&mut self, conn: ConnId, event: Event, now: Instant) {
        if let Some(slot) = self.slot_of(conn) {
            self.step(slot, event, now);
        }
    }

    fn step(&mut self, slot: Slot, event: Event, now: Instant) {
        if let Some(connection) = self.slot_mut(slot) {
            let effects = connection.fsm.handle(event, now);
            self.apply(slot, effects, now);
        }
    }

    fn apply(&mut self, slot: Slot, effects: Vec<Effect>, now: Instant) {
        for effect in effects {
            match effect {
                Effect::Connect => self.outputs.push_back(Output::Connect),
                Effect::SendOpen => {
                    let open = open::ours(&self.settings, self.plain_open);
                    self.send(slot, now, |out| open.encode(out));
                },
                Effect::SendKeepalive => self.send_keepalive(slot, now),
                Effect::SendNotification(notification) => self.send(slot, now, |out| notification.encode(out)),
                Effect::Close => {
                    let released = self.slot_mut(slot).and_then(Connection::release);
                    if let Some((conn, last_words)) = released {
                        self.outputs.push_back(Output::Close { conn, last_words });
                    }
                }
                Effect::Established => self.up(slot, now),
                Effect::Failed(down) => self.failed(slot, &down, now),
            }
        }
        self.note_state(now);
    }

    fn send(&mut self, slot: Slot, now: Instant, message: impl FnOnce(&mut Vec<u8>)) {
        if let Some(connection) = self.slot_mut(slot) {
            message(&mut connection.output);
            connection.fsm.output_waiting(true, now);
            self.counters.messages_out += 1;
        }
    }

    /// A KEEPALIVE is left out where another message waits already: that will do the same for the peer's hold timer.
    fn send_keepalive(&mut self, slot: Slot, now: Instant) {
        let established = self.slot_mut(slot).filter(|c| c.fsm.state() == State::Established);
        if established.is_none_or(|c| c.output.is_empty()) {
            self.send(slot, now, encode_keepalive);
        }
    }

    fn up(&mut self, slot: Slot, now: Instant) {
        let other = if slot == Slot::Main { Slot::Second } else { Slot::Main };
        // Closing `main` moves `second` into its place.
        self.dump(other, now);
        if let Some(negotiated) = self.main.agreed.clone() {
            self.plain_open = false;
            self.outputs.push_back(Output::Up(negotiated));
        }
    }

    fn failed(&mut self, slot: Slot, down: &Down, now: Instant) {
        if down.is_error() {
            self.last_error = Some(down.to_string());
        }
        if slot == Slot::Second {
            self.second = None;
            return;
        }
        let reason = down.to_string();
        if self.shown == State::Established {
            self.counters.flaps += 1;
            if now.saturating_duration_since(self.since) >= STABLE {
                self.backoff.reset();
            }
            self.outputs.push_back(Output::Lost(reason));
        } else if down.is_error() {
            self.outputs.push_back(Output::Failed(reason));
        }
        if let Some(second) = self.second.take() {
            self.main = second;
        } else if self.main.fsm.state() == State::Idle && !self.stopped {
            self.restart(down, now);
        }
    }

    fn restart(&mut self, down: &Down, now: Instant) {
        if down.is_peers_fault() && !self.plain_open {
            self.idle_until = Some(now + self.backoff.hold());
        } else {
            let retry = self.backoff.retry(self.settings.tuning.connect_retry);
            self.main.fsm.handle(Event::StartPassively { retry: Some(retry) }, now);
        }
    }

    fn note_state(&mut self, now: Instant) {
        let state = self.state();
        if state != self.shown {
            self.shown = state;
            self.since = now;
        }
    }

    fn slot_of(&self, conn: ConnId) -> Option<Slot> {
        if self.main.id == Some(conn) {
            Some(Slot::Main)
        } else if self.second.as_ref().is_some_and(|c| c.id == Some(conn)) {
            Some(Slot::Second)
        } else {
            None
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        match slot {
            Slot::Main => Some(&mut self.main),
            Slot::Second => self.second.as_mut(),
        }
    }

    fn connection_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slot_of(conn).and_then(|slot| self.slot_mut(slot))
    }
}
