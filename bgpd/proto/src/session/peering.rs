//! The session with one peer: up to two connections, the automatic start, the back-off, and the collision between
//! the two (RFC 4271 §6.8 and §8.2.1).
//!
//! `main` is the connection that the session stands for: it makes our attempts, or takes over a connection of the
//! peer's while it is only listening. A connection of the peer's that arrives while ours is under way becomes `second`,
//! until the collision is decided; when `main` ends, a living `second` takes its place. Only `main` is ever
//! Established, and then there is no `second` but one: where graceful restart was agreed, a peer that connects anew has
//! restarted without a word (RFC 4724 §5). It is let in, and once its OPEN shows that it is the same speaker, the new
//! connection takes the place of the old one.
//!
//! Calls push [`Output`]s; the caller takes them with [`Session::poll_output`] after each call.

use super::backoff::Backoff;
use super::collision::{Direction, Identity};
use super::connection::Connection;
use super::fsm::Event;
use super::jitter::Jitter;
use super::messages;
use super::open::{self, Negotiated};
use super::output::{Counters, Output, Slot};
use super::settings::Settings;
use super::state::State;
use crate::types::{ConnId, Family};
use crate::wire::{Message, Notification, Open, RefreshKind, RouteRefresh, encode_route_refresh};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// The peer rejected an OPEN with capabilities: the next one goes without (RFC 5492 §3), and no other.
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

    /// Stops with a Cease and stays Idle. The peer is to keep nothing: where it would, the Cease becomes a Hard Reset.
    pub fn stop(&mut self, cease: Notification, now: Instant) {
        let cease = self.hard(cease);
        self.halt(cease, now);
    }

    /// A NOTIFICATION that must not be taken for a restart: where it would be, it becomes a Hard Reset (RFC 8538 §3).
    pub(super) fn hard(&self, notification: Notification) -> Notification {
        match self.agreed() {
            Some(agreed) if agreed.notification_restart => Notification::hard_reset(&notification),
            _ => notification,
        }
    }

    /// Stops as [`Session::stop`] does, for a fault of the peer's or of the way to it, and starts again after `pause`; without
    /// one, only when it is started.
    pub fn reset(&mut self, cease: Notification, pause: Option<Duration>, now: Instant) {
        self.last_error = Some(format!("closed by us: {cease}"));
        self.stop(cease, now);
        if let Some(pause) = pause {
            self.stopped = false;
            self.idle_until = Some(now + pause);
        }
    }

    /// Until when the peer is refused and no attempt is made, after a failure that would only repeat itself.
    pub fn idle_until(&self) -> Option<Instant> {
        self.idle_until
    }

    /// Whether nothing will be tried until it is started.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn halt(&mut self, cease: Notification, now: Instant) {
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
            self.halt(cease, now);
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
            State::Established if !self.may_be_replaced(now) => {
                // If the other end of the session is gone, this finds out.
                self.send_keepalive(Slot::Main, now);
                Some(messages::collision())
            }
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

    /// Sends a KEEPALIVE that is due soon; whether there was one.
    pub fn keep_alive_early(&mut self, now: Instant) -> bool {
        let effects = self.main.fsm.keep_alive_early(now);
        let sent = effects.is_some();
        self.apply(Slot::Main, effects.unwrap_or_default(), now);
        sent
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

    /// TCP took some of what was handed to the driver; `rest` is whether it holds on to more of it.
    pub fn written(&mut self, conn: ConnId, rest: bool, now: Instant) {
        if let Some(connection) = self.connection_mut(conn) {
            let waiting = rest || !connection.output.is_empty();
            connection.fsm.output_waiting(false, now);
            connection.fsm.output_waiting(waiting, now);
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

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
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

    /// Something is known of why an attempt came to nothing.
    pub fn note(&mut self, error: String) {
        self.last_error = Some(error);
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

    pub(super) fn message(&mut self, conn: ConnId, message: Message, now: Instant) {
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
                self.note_rejection(conn, &notification);
                self.step_conn(conn, Event::NotificationReceived(notification), now);
            }
            Message::RouteRefresh(refresh) => {
                self.step_conn(conn, Event::RouteRefresh, now);
                if self.established() == Some(conn) {
                    self.refresh(&refresh);
                }
            }
        }
    }

    /// What is of no agreed family is nobody's business, and so are marks that were not agreed.
    fn refresh(&mut self, refresh: &RouteRefresh) {
        let (Some(family), Some(agreed)) = (refresh.family, self.agreed()) else {
            return;
        };
        let known = refresh.kind == RefreshKind::Request || agreed.enhanced_refresh;
        if known && agreed.families.contains(&family) {
            let kind = refresh.kind;
            self.outputs.push_back(Output::Refresh { family, kind });
        }
    }

    fn open(&mut self, conn: ConnId, open: &Open, now: Instant) {
        let Some(connection) = self.connection_mut(conn) else {
            return;
        };
        let (plain, state) = (connection.plain, connection.fsm.state());
        let agreed = connection.agreed.clone();
        if state == State::OpenConfirm
            && agreed == open::validate(open, &self.settings, plain).ok().map(Arc::new)
        {
            // The same once more is no error (RFC 4271 §8.2.2). OpenBGPD says so what it has not got rid of over a connection
            // that broke when it had just begun.
            return;
        }
        if state != State::OpenSent {
            // The machine answers with an FSM error.
            return self.step_conn(
                conn,
                Event::Open {
                    hold_time: self.settings.hold_time,
                },
                now,
            );
        }
        let negotiated = match open::validate(open, &self.settings, plain) {
            Ok(negotiated) => Arc::new(negotiated),
            Err(notification) => return self.step_conn(conn, Event::Malformed(notification), now),
        };
        let remote = Identity {
            router_id: negotiated.router_id,
            asn: negotiated.asn,
        };
        if self.established().is_some() {
            self.resolve_restart(remote, now);
        } else {
            self.resolve_collision(remote, now);
        }
        // Gone, if it lost.
        let context = negotiated.decode_context(&self.settings);
        if let Some(connection) = self.connection_mut(conn) {
            let hold_time = negotiated.hold_time;
            connection.agree(negotiated, context);
            self.step_conn(conn, Event::Open { hold_time }, now);
        }
    }

    /// A NOTIFICATION came: if it answers our OPEN and rejects its parameters, the next one goes without, where a session
    /// without them makes sense at all.
    fn note_rejection(&mut self, conn: ConnId, notification: &Notification) {
        let answers =
            |c: &mut Connection| matches!(c.fsm.state(), State::OpenSent | State::OpenConfirm) && !c.plain;
        if messages::rejects_options(notification)
            && self.settings.can_be_plain()
            && self.connection_mut(conn).is_some_and(answers)
        {
            self.plain_open = true;
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

    pub(super) fn connection_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slot_of(conn).and_then(|slot| self.slot_mut(slot))
    }
}
