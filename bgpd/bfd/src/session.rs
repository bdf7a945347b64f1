//! One session (RFC 5880 §6.8): packets and time in, packets and changes of state out. Which packet is for which
//! session, and that it may be read at all, is decided before (`table`).

use crate::packet::{ControlPacket, Diag, PACKET_LEN, State};
use crate::rng::Rng;
use crate::settings::{Hops, Key, Settings};
use crate::state;
use crate::status::SessionStatus;
use crate::table::Why;
use crate::timing::{Jitter, Negotiation, Pair, SLOW};
use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

/// A session that hears nothing looks at the other port only after this, and again after as much.
const FOLLOW_PAUSE: Duration = Duration::from_secs(5);

/// What is known of the other side.
#[derive(Debug)]
struct Remote {
    discr: u32,
    state: State,
    diag: Diag,
    min_tx: Duration,
    min_rx: Duration,
    detect_mult: u8,
    demand: bool,
    /// When the last valid packet came; `None`: a detection time ago, or never.
    heard: Option<Instant>,
}

impl Remote {
    /// RFC 5880 §6.8.1: what holds before the first packet, and again after a detection time of silence.
    fn unknown() -> Self {
        Self {
            discr: 0,
            state: State::Down,
            diag: Diag::NONE,
            min_tx: Duration::ZERO,
            min_rx: Duration::from_micros(1),
            detect_mult: 0,
            demand: false,
            heard: None,
        }
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: State,
    pub to: State,
    pub why: Why,
}

/// What has come of a deadline.
#[derive(Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nothing that others need to know.
    Nothing,
    /// The peer is taken for dead.
    Changed(Change),
    /// The session has said its AdminDown for long enough.
    Gone,
}

#[derive(Debug)]
pub struct Session {
    key: Key,
    discr: NonZeroU32,
    settings: Settings,
    hops: Hops,
    state: State,
    diag: Diag,
    since: Instant,
    created: Instant,
    has_been_up: bool,
    remote: Remote,
    timers: Negotiation,
    jitter: Jitter,
    last_sent: Option<Instant>,
    /// A Poll came then, and is to be answered.
    answer: Option<Instant>,
    /// Our state changed then, and the peer is to know before the next packet is due.
    news: Option<Instant>,
    /// The detection time ends.
    expires: Option<Instant>,
    /// Expiry was put off since the last packet came.
    spared: bool,
    /// AdminDown is said until then.
    retiring: Option<Instant>,
    follow_from: Instant,
    packets_in: u64,
    packets_out: u64,
    failures: u64,
    late: u64,
}

impl Session {
    pub fn new(key: Key, settings: Settings, discr: NonZeroU32, rng: &mut Rng, now: Instant) -> Self {
        Self {
            key,
            discr,
            settings,
            hops: settings.hops,
            state: State::Down,
            diag: Diag::NONE,
            since: now,
            created: now,
            has_been_up: false,
            remote: Remote::unknown(),
            timers: Negotiation::new(Pair::of(&settings, false)),
            jitter: Jitter::draw(settings.detect_mult, rng),
            last_sent: None,
            answer: None,
            news: None,
            expires: None,
            spared: false,
            retiring: None,
            // Two that both follow must not swap ports for ever.
            follow_from: now + rng.delay(Duration::from_secs(2)),
            packets_in: 0,
            packets_out: 0,
            failures: 0,
            late: 0,
        }
    }

    pub fn key(&self) -> Key {
        self.key
    }

    pub fn discr(&self) -> NonZeroU32 {
        self.discr
    }

    pub fn hops(&self) -> Hops {
        self.hops
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes other timers; the encapsulation stays.
    pub fn tune(&mut self, settings: Settings) {
        self.settings = settings;
        let up = self.state == State::Up;
        self.timers.aim(Pair::of(&settings, up), up);
        self.rearm();
    }

    /// A valid packet for this session (RFC 5880 §6.8.6 from "Set bfd.RemoteDiscr" on).
    pub fn receive(&mut self, packet: &ControlPacket, now: Instant) -> Option<Change> {
        self.packets_in += 1;
        let anew = packet.your_discr == 0 && packet.my_discr.get() != self.remote.discr;
        self.remote = Remote {
            discr: packet.my_discr.get(),
            state: packet.state,
            diag: packet.diag,
            min_tx: packet.min_tx,
            min_rx: packet.min_rx,
            detect_mult: packet.detect_mult.get(),
            demand: packet.demand,
            heard: Some(now),
        };
        if packet.fin {
            self.timers.answered();
        }
        self.spared = false;
        self.rearm();
        if self.state == State::AdminDown {
            return None;
        }
        let why = match (anew, packet.state) {
            (true, State::Down) => Why::Restarted,
            (_, state) => Why::Peer(state, packet.diag),
        };
        let change = state::next(self.state, packet.state).map(|(to, diag)| self.enter(to, diag, why, now));
        if packet.poll {
            self.answer = Some(now);
        }
        change
    }

    /// Lets what has expired act. Call it after all packets that have come are read.
    pub fn expire(&mut self, now: Instant) -> Expiry {
        if self.retiring.is_some_and(|at| at <= now) {
            return Expiry::Gone;
        }
        let Some(deadline) = self.expires.filter(|at| *at <= now) else {
            return Expiry::Nothing;
        };
        let alive = matches!(self.state, State::Init | State::Up);
        if alive && !self.spared && now - deadline > self.detection_time() / 2 {
            // It is us who stood still, and perhaps the peer with us: one more packet is waited for.
            self.spared = true;
            self.late += 1;
            self.expires = Some(now + self.peer_interval());
            return Expiry::Nothing;
        }
        self.remote = Remote::unknown();
        self.expires = None;
        if !alive {
            return Expiry::Nothing;
        }
        Expiry::Changed(self.enter(State::Down, Diag::TIME_EXPIRED, Why::TimeExpired, now))
    }

    /// The packet that is due, if one is.
    pub fn transmit(&mut self, rng: &mut Rng, now: Instant) -> Option<[u8; PACKET_LEN]> {
        self.transmit_at().filter(|at| *at <= now)?;
        // What answers a Poll goes out apart from the rhythm, and says what is new as well.
        let fin = self.answer.take().is_some();
        self.news = None;
        let poll = !fin && self.timers.polling();
        if !fin {
            self.last_sent = Some(now);
            self.jitter = Jitter::draw(self.settings.detect_mult, rng);
        }
        if poll {
            self.timers.asked();
        }
        self.packets_out += 1;
        Some(self.packet(poll, fin).encode())
    }

    /// When [`Session::transmit`] has something; a time that has passed: now.
    pub fn transmit_at(&self) -> Option<Instant> {
        [self.answer, self.news, self.periodic_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When [`Session::expire`] wants to be called.
    pub fn expire_at(&self) -> Option<Instant> {
        [self.expires, self.retiring].into_iter().flatten().min()
    }

    /// The session is not wanted any more (RFC 5880 §6.8.16): it says AdminDown for as long as the peer would wait for
    /// packets, at the pace that was agreed, so that one lost packet does not look like a death. False: nobody
    /// has heard of it, and it can go at once.
    pub fn retire(&mut self, now: Instant) -> bool {
        if self.remote.heard.is_none() {
            return false;
        }
        if self.retiring.is_none() {
            self.retiring = Some(now + self.interval() * u32::from(self.settings.detect_mult));
            self.state = State::AdminDown;
            self.diag = Diag::ADMIN_DOWN;
            self.since = now;
            self.answer = None;
        }
        self.news = Some(now);
        true
    }

    /// Whether it is going.
    pub fn is_retiring(&self) -> bool {
        self.retiring.is_some()
    }

    /// A peer that calls on the other port is followed there, if that is wanted and nothing is heard on this one.
    pub fn follow(&mut self, rng: &mut Rng, now: Instant) {
        let lost = self.state == State::Down && self.remote.heard.is_none();
        if self.settings.follow && lost && now >= self.follow_from {
            self.hops = self.hops.other();
            self.follow_from = now + FOLLOW_PAUSE + rng.delay(FOLLOW_PAUSE);
            self.news = Some(now);
        }
    }

    pub fn status(&self) -> SessionStatus {
        let heard = self.remote.heard.is_some();
        SessionStatus {
            key: self.key,
            hops: self.hops,
            state: self.state,
            since: self.since,
            created: self.created,
            has_been_up: self.has_been_up,
            diag: self.diag,
            remote: heard.then_some((self.remote.state, self.remote.diag)),
            transmit_interval: self.interval(),
            detection_time: heard.then(|| self.detection_time()),
            packets_in: self.packets_in,
            packets_out: self.packets_out,
            failures: self.failures,
            late: self.late,
        }
    }

    fn enter(&mut self, to: State, diag: Diag, why: Why, now: Instant) -> Change {
        let from = std::mem::replace(&mut self.state, to);
        let up = to == State::Up;
        self.diag = diag;
        self.since = now;
        self.has_been_up |= up;
        if from == State::Up && why.is_failure() {
            self.failures += 1;
        }
        if to == State::Down {
            self.follow_from = now + FOLLOW_PAUSE;
        }
        self.timers.aim(Pair::of(&self.settings, up), up);
        self.rearm();
        self.news = Some(now);
        Change { from, to, why }
    }

    /// The agreed interval of our packets.
    fn interval(&self) -> Duration {
        self.timers.active().tx.max(self.remote.min_rx)
    }

    /// The agreed interval of the peer's packets.
    fn peer_interval(&self) -> Duration {
        self.timers.active().rx.max(self.remote.min_tx)
    }

    fn detection_time(&self) -> Duration {
        self.peer_interval() * u32::from(self.remote.detect_mult)
    }

    fn rearm(&mut self) {
        if !self.spared {
            self.expires = self.remote.heard.map(|at| at + self.detection_time());
        }
    }

    fn periodic_at(&self) -> Option<Instant> {
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        let unwanted = self.remote.min_rx.is_zero();
        if unwanted || (self.remote.demand && both_up && !self.timers.polling()) {
            return None;
        }
        Some(match self.last_sent {
            Some(last) => last + self.jitter.apply(self.interval()),
            None => self.created,
        })
    }

    fn packet(&self, poll: bool, fin: bool) -> ControlPacket {
        let said = self.timers.said();
        ControlPacket {
            diag: self.diag,
            state: self.state,
            poll,
            fin,
            // What BFD loses when this process ends, it must not be asked about: forwarding goes on without it.
            control_plane_independent: false,
            demand: false,
            detect_mult: NonZeroU8::new(self.settings.detect_mult).unwrap_or(NonZeroU8::MIN),
            my_discr: self.discr,
            your_discr: self.remote.discr,
            min_tx: if self.state == State::Up {
                said.tx
            } else {
                said.tx.max(SLOW)
            },
            min_rx: said.rx,
            min_echo_rx: Duration::ZERO,
        }
    }
}
