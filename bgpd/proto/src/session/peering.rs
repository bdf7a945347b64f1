//! The session with one peer: up to two connections, the automatic start, the back-off, and the collision between
//! the two (RFC 4271 §6.8 and §8.2.1).
//!
//! `main` is the connection that the session stands for: it makes our attempts, or takes over a connection of the
//! peer's while it is only listening. A connection of the peer's that arrives while ours is under way becomes `second`,
//! until the collision is decided; when `main` ends, a living `second` takes its place. Only `main` is ever
//! Established, and then there is no `second`.
//!
//! Calls push [`Output`]s; the caller takes them with [`Session::poll_output`] after each call.

use super::backoff::Backoff;
use super::collision::Direction;
use super::connection::Connection;
use super::fsm::Event;
use super::jitter::Jitter;
use super::messages;
use super::open::{self, Negotiated};
use super::output::{Counters, Output, Slot};
use super::settings::Settings;
use super::state::State;
use crate::types::{ConnId, Family};
use crate::wire::{Message, Notification, Open, RefreshKind, encode_route_refresh};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// The session with one peer.
#[derive(Debug)]
pub struct Session {
    pub(super) settings: Settings,
    pub(super) seed: u64,
    pub(super) main: Connection,
    pub(super) second: Option<Connection>,
    /// Back-off with connections refused ends here.
    pub(super) idle_until: Option<Instant>,
    /// Stopped for good: no automatic start.
    pub(super) stopped: bool,
    pub(super) backoff: Backoff,
    /// The peer rejected OPENs with capabilities: the next goes without (RFC 5492 §3).
    pub(super) plain_open: bool,
    pub(super) outputs: VecDeque<Output>,
    pub(super) shown: State,
    pub(super) since: Instant,
    pub(super) last_error: Option<String>,
    pub(super) last_loss: Option<String>,
    pub(super) counters: Counters,
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
            last_loss: None,
            counters: Counters::default(),
        }
    }

    /// Starts: connects at once, or listens when passive.
    pub fn start(&mut self, now: Instant) {
        self.stopped = false;
        self.idle_until = None;
        let event = if self.settings.tuning.passive {
            Event::StartPassively { retry: None }
        } else {
            Event::Start
        };
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

    /// Whether the next OPEN says that we have restarted and are still collecting the first feed.
    pub fn set_restarting(&mut self, restarting: bool) {
        self.settings.restarting = restarting;
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
        let slot = if self.main.fsm.state() == State::Active {
            Slot::Main
        } else {
            Slot::Second
        };
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
        [self.main.fsm.next_deadline(), second, self.idle_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Connections that have control messages to send.
    pub fn wants_transmit(&self) -> impl Iterator<Item = ConnId> {
        let waiting = |c: &Connection| c.id.filter(|_| !c.output.is_empty());
        [waiting(&self.main), self.second.as_ref().and_then(waiting)]
            .into_iter()
            .flatten()
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
        let able = self
            .agreed()
            .is_some_and(|a| a.route_refresh && a.families.contains(&family));
        if able {
            self.send(Slot::Main, now, |out| {
                encode_route_refresh(family, RefreshKind::Request, out)
            });
        }
        able
    }

    /// The connection of the Established session.
    pub fn established(&self) -> Option<ConnId> {
        self.main
            .id
            .filter(|_| self.main.fsm.state() == State::Established)
    }

    /// The furthest state of its connections.
    pub fn state(&self) -> State {
        let second = self.second.as_ref().map(|c| c.fsm.state());
        second.map_or(self.main.fsm.state(), |second| second.max(self.main.fsm.state()))
    }

    /// Since when it is Established, or since when it is not.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Why it last failed.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Why the last Established session ended; later failed attempts do not hide it.
    pub fn last_loss(&self) -> Option<&str> {
        self.last_loss.as_deref()
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
        let Some(connection) = self.connection_mut(conn) else {
            return;
        };
        if connection.fsm.state() != State::OpenSent {
            // The machine answers with an FSM error.
            return self.step_conn(
                conn,
                Event::Open {
                    hold_time: self.settings.hold_time,
                },
                now,
            );
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

    pub(super) fn slot_of(&self, conn: ConnId) -> Option<Slot> {
        if self.main.id == Some(conn) {
            Some(Slot::Main)
        } else if self.second.as_ref().is_some_and(|c| c.id == Some(conn)) {
            Some(Slot::Second)
        } else {
            None
        }
    }

    pub(super) fn slot_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        match slot {
            Slot::Main => Some(&mut self.main),
            Slot::Second => self.second.as_mut(),
        }
    }

    fn connection_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slot_of(conn).and_then(|slot| self.slot_mut(slot))
    }
}
