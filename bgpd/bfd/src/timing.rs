//! When packets are due, and for how long silence is taken for life (RFC 5880 §6.8.2 to §6.8.4 and §6.8.7).
//!
//! A change of our timers while a session is Up goes through a Poll Sequence: what makes us slower, or makes us
//! declare the peer dead sooner, holds only when the peer has answered; the opposite holds at once. One sequence
//! runs to its end before the next begins, so that an answer confirms exactly the values that it answers.

use crate::rng::Rng;
use crate::settings::Settings;
use std::time::Duration;

/// While not Up nobody sends faster than this (RFC 5880 §6.8.3).
pub const SLOW: Duration = Duration::from_secs(1);

/// Our two timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Desired Min TX Interval.
    pub tx: Duration,
    /// Required Min RX Interval.
    pub rx: Duration,
}

impl Pair {
    /// What is to be announced in a session that is Up, or is not.
    pub fn of(settings: &Settings, up: bool) -> Self {
        Self {
            tx: if up {
                settings.min_tx
            } else {
                settings.min_tx.max(SLOW)
            },
            rx: settings.min_rx,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    Idle,
    /// Begun, and no packet with P has gone out.
    Due,
    Sent,
}

/// Our timers: what we want, what we say, what holds.
#[derive(Debug)]
pub struct Negotiation {
    aim: Pair,
    said: Pair,
    active: Pair,
    poll: Poll,
}

impl Negotiation {
    pub fn new(pair: Pair) -> Self {
        Self {
            aim: pair,
            said: pair,
            active: pair,
            poll: Poll::Idle,
        }
    }

    /// New wishes. `up`: whether the session is, else they hold at once.
    pub fn aim(&mut self, pair: Pair, up: bool) {
        self.aim = pair;
        if !up {
            *self = Self::new(pair);
        } else if self.poll == Poll::Idle {
            self.begin();
        }
    }

    fn begin(&mut self) {
        if self.said == self.aim {
            return;
        }
        self.said = self.aim;
        self.active.tx = self.active.tx.min(self.said.tx);
        self.active.rx = self.active.rx.max(self.said.rx);
        self.poll = Poll::Due;
    }

    /// A packet with P has gone out.
    pub fn asked(&mut self) {
        if self.poll == Poll::Due {
            self.poll = Poll::Sent;
        }
    }

    /// A packet with F came.
    pub fn answered(&mut self) {
        if self.poll == Poll::Sent {
            self.poll = Poll::Idle;
            self.active = self.said;
            self.begin();
        }
    }

    /// Whether packets carry P.
    pub fn polling(&self) -> bool {
        self.poll != Poll::Idle
    }

    /// What packets say.
    pub fn said(&self) -> Pair {
        self.said
    }

    /// What we work by.
    pub fn active(&self) -> Pair {
        self.active
    }
}

/// The random share of an interval after which a packet follows the last one, in millionths.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(u32);

impl Jitter {
    /// 0.75 to 1.00; to 0.90 where a single late packet would already be a loss.
    pub fn draw(detect_mult: u8, rng: &mut Rng) -> Self {
        let room = if detect_mult == 1 { 150_000 } else { 250_000 };
        Jitter(750_000 + rng.up_to(room))
    }

    pub fn apply(self, interval: Duration) -> Duration {
        interval * self.0 / 1_000_000
    }
}
