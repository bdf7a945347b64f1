//! The state machine of one peer: from requests, answers and time to a verdict. Pure; times count from any fixed moment.
//!
//! ```text
//!            prove in a row, full size too                  lose in a row
//! Unknown ─────────────────────────────────► Carries ──────────────────────────► Silent
//!    │                                          ▲                                  │  ▲
//!    │ lose in a row                            └── restore in a row, after hold ──┘  │
//!    └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Small and full-size requests are judged apart: a way that is lost for the full size only is silent for that reason. While a
//! verdict stands requests are rare; the first sign against it makes them frequent. Only whole runs change the
//! verdict, so that single losses cost nothing, and a way that breaks soon again has to wait longer each time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::tuning::Tuning;
use super::verdict::{ProbeVerdict, Seen, Silence, Taken, Way};
use super::wire::Arrival;

/// How many requests may be on their way; more are not sent until some are answered or lost.
const MOST_WAITING: usize = 16;

/// Answers and losses in a row; one of them is zero.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    answered: u32,
    lost: u32,
}

impl Run {
    fn answer(&mut self) {
        self.answered = self.answered.saturating_add(1);
        self.lost = 0;
    }

    fn lose(&mut self) {
        self.lost = self.lost.saturating_add(1);
        self.answered = 0;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Carries,
    Silent(Silence),
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    sequence: u64,
    full: bool,
    sent: Duration,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whether it has the full size.
    pub full: bool,
}

/// One peer.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    tuning: Tuning,
    /// The way as it is wanted; that in `seen` leads to one of its destinations.
    declared: Arc<Way>,
    state: State,
    /// When the verdict became what it is.
    since: Duration,
    seen: Seen,
    small: Run,
    full: Run,
    /// Small requests in a row of which the peer said that they came through a tunnel.
    tunnelled: u32,
    waiting: Vec<Waiting>,
    /// When the next request is due.
    next: Duration,
    /// Requests since the last one of the full size.
    since_full: u32,
    hold: Duration,
    held_until: Duration,
    random: u64,
}

impl Machine {
    /// A peer of which nothing is known; its first request is due within one fast interval of `now`.
    pub fn new(tuning: Tuning, way: Arc<Way>, seed: u64, now: Duration) -> Self {
        let mut machine = Self {
            tuning,
            declared: way.clone(),
            state: State::Unknown,
            since: now,
            seen: Seen {
                way: Some(way),
                ..Seen::default()
            },
            small: Run::default(),
            full: Run::default(),
            tunnelled: 0,
            waiting: Vec::new(),
            next: now,
            since_full: 0,
            hold: Duration::ZERO,
            held_until: Duration::ZERO,
            random: seed,
        };
        machine.next = now + tuning.fast.mul_f64(machine.fraction());
        machine
    }

    /// The way was in use before: it is taken for proven, and probed at once as one that is in doubt.
    pub fn adopt(&mut self) {
        self.state = State::Carries;
    }

    /// The way that is probed.
    pub fn way(&self) -> Option<&Arc<Way>> {
        self.seen.way.as_ref()
    }

    /// The way as it is wanted.
    pub fn declared(&self) -> &Arc<Way> {
        &self.declared
    }

    /// Whether what is known of the present way holds for `way` too: the size alone makes no other way, nor do destinations
    /// that are not in use.
    pub fn serves(&self, way: &Way) -> bool {
        let hop = |way: &Way| (way.from, way.gateway, way.interface.clone());
        let Some(now) = self.way() else { return false };
        hop(now) == hop(way) && (now.to == way.to || way.others.contains(&now.to))
    }

    /// Takes up another size or other destinations of the same way. What was proven of a full size is not proven of another
    /// one; the verdict stays until that fails.
    pub fn redeclare(&mut self, way: Arc<Way>, now: Duration) {
        if way.size != self.declared.size {
            self.full = Run::default();
            self.waiting.retain(|waiting| !waiting.full);
            self.since_full = u32::MAX;
            self.next = self.next.min(now + self.tuning.fast);
        }
        let to = self.way().map_or(way.to, |used| used.to);
        self.declared = way;
        self.lead_to(to);
    }

    /// While nothing answers, every second loss makes another destination's turn; what is on its way to the last one is
    /// not waited for any more.
    fn turn(&mut self) {
        let searching =
            self.state != State::Carries && self.small.lost > 0 && self.small.lost.is_multiple_of(2);
        let Some(used) = self
            .way()
            .filter(|_| searching && !self.declared.others.is_empty())
        else {
            return;
        };
        let mut all = [self.declared.to]
            .into_iter()
            .chain(self.declared.others.iter().copied());
        let after = all.by_ref().skip_while(|to| *to != used.to).nth(1);
        let to = after.unwrap_or(self.declared.to);
        self.waiting.clear();
        self.lead_to(to);
    }

    fn lead_to(&mut self, to: IpAddr) {
        let way = Way {
            to,
            ..(*self.declared).clone()
        };
        self.seen.way = Some(Arc::new(way));
    }

    /// When [`Machine::expire`] or [`Machine::send`] has something to do next.
    pub fn due(&self) -> Duration {
        self.expiry().map_or(self.next, |expiry| expiry.min(self.next))
    }

    /// When the oldest request on its way is lost.
    pub fn expiry(&self) -> Option<Duration> {
        let oldest = self.waiting.iter().map(|waiting| waiting.sent).min();
        oldest.map(|sent| sent + self.tuning.timeout)
    }

    /// Whether a request is due.
    pub fn wants(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// Counts as lost what was not answered in time. Whether anything was.
    pub fn expire(&mut self, now: Duration) -> bool {
        let before = self.waiting.len();
        while let Some(at) = self
            .waiting
            .iter()
            .position(|waiting| waiting.sent + self.tuning.timeout <= now)
        {
            let lost = self.waiting.remove(at);
            if lost.full {
                self.full.lose();
                self.judge(now);
            } else {
                self.small.lose();
                self.tunnelled = 0;
                self.judge(now);
                self.turn();
            }
        }
        let any = self.waiting.len() != before;
        if any {
            self.hurry(now);
        }
        any
    }

    /// Takes note that a request is sent under the number `sequence` and plans the next, `steady` being the interval of
    /// quiet times. None if too many are on their way.
    pub fn send(&mut self, now: Duration, sequence: u64, steady: Duration) -> Option<Turn> {
        let interval = if self.in_doubt(now) {
            self.tuning.fast
        } else {
            steady
        };
        // From 0.8 to 1.2 of it: peers that began together do not stay together.
        self.next = now + interval.mul_f64(0.8 + 0.4 * self.fraction());
        if self.waiting.len() >= MOST_WAITING {
            return None;
        }
        let full = self.wants_full(now);
        self.since_full = if full {
            0
        } else {
            self.since_full.saturating_add(1)
        };
        self.seen.sent += 1;
        self.seen.sent_full += u64::from(full);
        self.waiting.push(Waiting {
            sequence,
            full,
            sent: now,
        });
        Some(Turn { full })
    }

    /// Whether the request that was planned last could be sent. One that could not is lost like others.
    pub fn attempted(&mut self, error: Option<Arc<str>>) {
        self.seen.error = error;
    }

    /// The peer has said which way it takes itself. Whether that is news.
    pub fn said(&mut self, theirs: Option<Taken>) -> bool {
        std::mem::replace(&mut self.seen.theirs, theirs) != theirs
    }

    /// The peer has answered the request `sequence`, which came to it by `arrival`. False if it is not waited for (any more).
    pub fn answered(&mut self, now: Duration, sequence: u64, arrival: Arrival) -> bool {
        let Some(at) = self
            .waiting
            .iter()
            .position(|waiting| waiting.sequence == sequence)
        else {
            return false;
        };
        let waiting = self.waiting.remove(at);
        self.overtaken(waiting);
        match (arrival, waiting.full) {
            (Arrival::Native, full) => {
                self.seen.round_trip = Some(now.saturating_sub(waiting.sent));
                self.seen.answered += 1;
                self.seen.answered_full += u64::from(full);
                self.tunnelled = 0;
                if full {
                    self.full.answer()
                } else {
                    self.small.answer()
                }
            }
            (Arrival::Tunnel, true) => self.full.lose(),
            (Arrival::Tunnel, false) => {
                self.tunnelled = self.tunnelled.saturating_add(1);
                self.small.lose();
            }
        }
        self.judge(now);
        self.hurry(now);
        true
    }

    /// Older requests of the size of `answered` are lost, for packets of one flow keep their order. Counted now, before the
    /// answer: counted when their time is over they would stand in a row with losses that come after it.
    fn overtaken(&mut self, answered: Waiting) {
        let before = self.waiting.len();
        self.waiting
            .retain(|waiting| waiting.full != answered.full || waiting.sequence > answered.sequence);
        if self.waiting.len() != before {
            let run = if answered.full {
                &mut self.full
            } else {
                &mut self.small
            };
            run.lose();
        }
    }

    /// The verdict as of `now`.
    pub fn verdict(&self, now: Duration) -> ProbeVerdict {
        let seen = Seen {
            answered_in_row: self.small.answered,
            lost_in_row: self.small.lost,
            since: now.saturating_sub(self.since),
            ..self.seen.clone()
        };
        match self.state {
            State::Unknown => ProbeVerdict::Unknown(seen),
            State::Carries => ProbeVerdict::Carries(seen),
            State::Silent(why) => ProbeVerdict::Silent(why, seen),
        }
    }

    /// Whether the last answers speak for another verdict than the one that stands, so that more are wanted soon.
    fn in_doubt(&self, now: Duration) -> bool {
        match self.state {
            State::Unknown => true,
            State::Carries => self.small.lost > 0 || self.full.lost > 0 || self.full.answered == 0,
            State::Silent(Silence::TooLarge) => now >= self.held_until && self.full.answered > 0,
            State::Silent(_) => now >= self.held_until && self.small.answered > 0,
        }
    }

    /// The next request is early if the verdict has come into doubt.
    fn hurry(&mut self, now: Duration) {
        if self.in_doubt(now) {
            self.next = self.next.min(now + self.tuning.fast);
        }
    }

    fn wants_full(&self, now: Duration) -> bool {
        // Nothing is to be learned of the full size where nothing arrives at all.
        if self.small.answered == 0 {
            return false;
        }
        let every = match self.state {
            State::Carries if !self.in_doubt(now) => self.tuning.full_every.saturating_sub(1),
            _ => 1,
        };
        self.since_full >= every
    }

    fn judge(&mut self, now: Duration) {
        let Tuning {
            prove,
            restore,
            lose,
            prove_full,
            ..
        } = self.tuning;
        let silence = if self.small.lost >= lose {
            Some(if self.tunnelled >= lose {
                Silence::Tunnelled
            } else {
                Silence::Lost
            })
        } else if self.full.lost >= lose && self.small.answered > 0 {
            Some(Silence::TooLarge)
        } else {
            None
        };
        let enough = if matches!(self.state, State::Silent(_)) {
            restore
        } else {
            prove
        };
        let proven = self.small.answered >= enough && self.full.answered >= prove_full;
        match (self.state, silence) {
            (State::Carries, Some(why)) => {
                self.hold_on(now);
                self.change(State::Silent(why), now);
            }
            (State::Unknown | State::Silent(_), Some(why)) => self.change(State::Silent(why), now),
            (State::Unknown | State::Silent(_), None) if proven && now >= self.held_until => {
                self.change(State::Carries, now);
            }
            _ => {}
        }
    }

    /// A way that carried has stopped: it has to wait, longer if that happens often.
    fn hold_on(&mut self, now: Duration) {
        let carried = now.saturating_sub(self.since);
        self.hold = if self.hold.is_zero() || carried >= self.tuning.calm {
            self.tuning.hold
        } else {
            self.hold.saturating_mul(2).min(self.tuning.hold_most)
        };
        self.held_until = now + self.hold;
    }

    fn change(&mut self, state: State, now: Duration) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// From 0 to 1 (splitmix64).
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        f64::from(u32::try_from(z >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
