//! The finite state machine of one connection (RFC 4271 §8.2.2), as a pure function of event and time.
//!
//! An [`Event`] goes in, [`Effect`]s come out, and the deadlines of the four timers are there to be asked for. The
//! machine knows neither sockets nor bytes: `Connection` turns bytes into events and effects into bytes. Automatic
//! restart, back-off and collision belong to `Session`, which owns up to two machines for a peer.
//!
//! Deviations, each for a reason: the hold timer also runs in OpenConfirm where a hold time of zero was negotiated (a
//! peer that never sends its first KEEPALIVE would keep us there for ever); a header error in Established is answered
//! with its own NOTIFICATION instead of an FSM error (§6.1 outranks the table). Unexpected messages are answered with
//! the subcodes of RFC 6608.

mod event;
#[cfg(test)]
mod tests;

pub use event::{Down, Effect, Event};

use super::jitter::Jitter;
use super::messages;
use super::state::State;
use super::timers::{OPEN_HOLD, Timer, Timers};
use crate::wire::Notification;
use std::time::{Duration, Instant};

/// RFC 9687 §3.2: the send hold time is at least this.
const SEND_HOLD_FLOOR: Duration = Duration::from_secs(8 * 60);

/// A KEEPALIVE may go this part of its pause early.
const EARLY: u32 = 16;

/// How the machine was told to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Pause between TCP attempts, before jitter.
    pub connect_retry: Duration,
    /// Never connect, only accept.
    pub passive: bool,
    /// Pause between KEEPALIVEs, before jitter, where a third of the hold time is not short enough.
    pub keepalive: Option<Duration>,
}

impl Tuning {
    /// Pause between KEEPALIVEs under a negotiated hold time, before jitter; zero where there are none.
    pub fn keepalive_time(self, hold: Duration) -> Duration {
        if hold.is_zero() {
            return hold;
        }
        let third = (hold / 3).max(Duration::from_secs(1));
        self.keepalive
            .map_or(third, |wanted| wanted.clamp(Duration::from_secs(1), third))
    }
}

/// State and timers of one connection.
#[derive(Clone, Debug)]
pub struct Fsm {
    state: State,
    timers: Timers,
    tuning: Tuning,
    jitter: Jitter,
    /// Negotiated hold time; zero switches hold and keepalive off.
    hold: Duration,
}

type Effects = Vec<Effect>;

impl Fsm {
    /// A machine in Idle.
    pub fn new(tuning: Tuning, jitter: Jitter) -> Self {
        Self {
            state: State::Idle,
            timers: Timers::default(),
            tuning,
            jitter,
            hold: OPEN_HOLD,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// When [`Fsm::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Takes new tuning; running timers are left alone.
    pub fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    /// Handles one expired timer; `None` when no timer has expired.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Effects> {
        let event = match self.timers.take_expired(now)? {
            Timer::ConnectRetry => Event::ConnectRetryTimer,
            Timer::Hold => Event::HoldTimer,
            Timer::Keepalive => Event::KeepaliveTimer,
            Timer::SendHold => Event::SendHoldTimer,
        };
        Some(self.handle(event, now))
    }

    /// Sends a KEEPALIVE that is due soon: with many peers, most of the work of keeping quiet sessions is to wake up for each.
    pub fn keep_alive_early(&mut self, now: Instant) -> Option<Effects> {
        let early = self.tuning.keepalive_time(self.hold) / EARLY;
        let soon = self.timers.keepalive.is_some_and(|at| at <= now + early);
        (soon && self.state == State::Established).then(|| self.handle(Event::KeepaliveTimer, now))
    }

    /// One step of the machine.
    pub fn handle(&mut self, event: Event, now: Instant) -> Effects {
        match self.state {
            State::Idle => self.idle(event, now),
            State::Connect => self.connect(event, now),
            State::Active => self.active(event, now),
            State::OpenSent => self.open_sent(event, now),
            State::OpenConfirm => self.open_confirm(event, now),
            State::Established => self.established(event, now),
        }
    }

    /// Bytes wait for the peer (`true`), or it has taken them all: starts and stops the send hold timer of RFC 9687, which
    /// runs where the hold time is zero too: nothing else would find a peer that no longer reads.
    pub fn output_waiting(&mut self, waiting: bool, now: Instant) {
        if !waiting {
            self.timers.send_hold = None;
        } else if self.timers.send_hold.is_none() && self.state == State::Established {
            self.timers.send_hold = Some(now + SEND_HOLD_FLOOR.max(self.hold * 2));
        }
    }

    fn idle(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start => self.try_connect(now),
            Event::StartPassively { retry } => {
                self.state = State::Active;
                self.timers.connect_retry = retry.filter(|_| !self.tuning.passive).map(|pause| now + pause);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn connect(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start | Event::StartPassively { .. } => Vec::new(),
            Event::TcpConnected => self.send_open(now),
            Event::ConnectRetryTimer => {
                let mut effects = vec![Effect::Close];
                effects.extend(self.try_connect(now));
                effects
            }
            other => self.give_up(Down::before_open(other)),
        }
    }

    fn active(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start | Event::StartPassively { .. } => Vec::new(),
            Event::TcpConnected => self.send_open(now),
            Event::ConnectRetryTimer => self.try_connect(now),
            other => self.give_up(Down::before_open(other)),
        }
    }

    fn open_sent(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start | Event::StartPassively { .. } => Vec::new(),
            Event::Open { hold_time } => {
                self.state = State::OpenConfirm;
                self.hold = hold_time;
                self.timers.connect_retry = None;
                self.restart_hold(now);
                self.restart_keepalive(now);
                vec![Effect::SendKeepalive]
            }
            Event::TcpFailed(why) => {
                // RFC 4271: back to listening, the peer may try again at once.
                self.timers = Timers::default();
                self.state = State::Active;
                if !self.tuning.passive {
                    self.timers.connect_retry = Some(now + self.jitter.apply(self.tuning.connect_retry));
                }
                vec![Effect::Close, Effect::Failed(Down::Transport(why))]
            }
            other => self.end(other),
        }
    }

    fn open_confirm(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start | Event::StartPassively { .. } => Vec::new(),
            Event::KeepaliveTimer => self.send_keepalive(now),
            Event::Keepalive => {
                self.state = State::Established;
                self.restart_hold(now);
                vec![Effect::Established]
            }
            other => self.end(other),
        }
    }

    fn established(&mut self, event: Event, now: Instant) -> Effects {
        match event {
            Event::Start | Event::StartPassively { .. } => Vec::new(),
            Event::KeepaliveTimer => self.send_keepalive(now),
            Event::Keepalive | Event::Update | Event::RouteRefresh => {
                self.restart_hold(now);
                Vec::new()
            }
            other => self.end(other),
        }
    }

    /// Leaves one of the three connected states for Idle, with the NOTIFICATION that the event deserves.
    fn end(&mut self, event: Event) -> Effects {
        let down = match event {
            Event::Stop(cease) => Down::Stopped(cease),
            Event::CollisionDump(cease) => Down::Collision(cease),
            Event::Malformed(notification) => Down::Sent(notification),
            Event::NotificationReceived(notification) => Down::Received(notification),
            Event::TcpFailed(why) => Down::Transport(why),
            Event::HoldTimer => Down::HoldExpired,
            Event::SendHoldTimer => Down::SendHoldExpired,
            Event::PathDown { why, cease } => Down::PathDown { why, cease },
            unexpected => Down::Sent(self.unexpected(&unexpected)),
        };
        self.give_up(down)
    }

    fn unexpected(&self, event: &Event) -> Notification {
        messages::unexpected_message(self.state, event.message_type())
    }

    fn give_up(&mut self, down: Down) -> Effects {
        let mut effects = Vec::with_capacity(3);
        if self.state.is_connected() {
            effects.extend(down.notification().map(Effect::SendNotification));
        }
        effects.push(Effect::Close);
        effects.push(Effect::Failed(down));
        self.state = State::Idle;
        self.timers = Timers::default();
        effects
    }

    fn try_connect(&mut self, now: Instant) -> Effects {
        self.state = State::Connect;
        self.timers.connect_retry = Some(now + self.jitter.apply(self.tuning.connect_retry));
        vec![Effect::Connect]
    }

    fn send_open(&mut self, now: Instant) -> Effects {
        self.state = State::OpenSent;
        self.timers = Timers {
            hold: Some(now + OPEN_HOLD),
            ..Timers::default()
        };
        vec![Effect::SendOpen]
    }

    fn send_keepalive(&mut self, now: Instant) -> Effects {
        self.restart_keepalive(now);
        vec![Effect::SendKeepalive]
    }

    fn restart_hold(&mut self, now: Instant) {
        self.timers.hold = match (self.hold.is_zero(), self.state) {
            (true, State::Established) => None,
            (true, _) => Some(now + OPEN_HOLD),
            (false, _) => Some(now + self.hold),
        };
    }

    fn restart_keepalive(&mut self, now: Instant) {
        self.timers.keepalive =
            (!self.hold.is_zero()).then(|| now + self.jitter.apply(self.tuning.keepalive_time(self.hold)));
    }
}
