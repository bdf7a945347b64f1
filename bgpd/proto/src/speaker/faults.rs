//! What was wrong with what a peer sent, and did not end its session: counted, the last ones kept, and said at a bounded
//! rate (RFC 7606 §6 and §8 want it seen).

use super::action::Event;
use super::hub::Speaker;
use crate::types::{Family, PeerId};
use crate::wire::{Action, Fault};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many are kept.
const KEPT: usize = 16;

/// One event for a peer in this time; the others are only counted.
const PAUSE: Duration = Duration::from_secs(10);

/// Faults of a peer since it was configured.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Attributes that were dropped, the rest of their UPDATE used.
    pub discarded: u64,
    /// UPDATEs whose routes were taken as withdrawn.
    pub treated_as_withdraw: u64,
    /// Families that were switched off until the end of the session.
    pub families_disabled: u64,
    /// Anything else that was ignored.
    pub ignored: u64,
    /// The last sixteen, the newest last, and when they came.
    pub last: VecDeque<(Instant, String)>,
    /// When the last event was.
    said: Option<Instant>,
    /// How many came since, that nothing was said of.
    unsaid: u64,
}

impl Faults {
    /// Keeps it; returns how many were passed over before it if it is time to say something again.
    fn note(&mut self, what: &str, now: Instant) -> Option<u64> {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((now, what.to_owned()));
        if (self.said).is_some_and(|at| now.saturating_duration_since(at) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl Speaker {
    /// Faults of the attributes of an UPDATE, and the families that it switched off.
    pub(super) fn note_faults(&mut self, id: PeerId, faults: &[Fault], disabled: &[Family], now: Instant) {
        if faults.is_empty() && disabled.is_empty() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let of = |action| faults.iter().filter(move |fault| fault.action == action).count() as u64;
        peer.faults.discarded += of(Action::Discard);
        peer.faults.treated_as_withdraw += u64::from(of(Action::TreatAsWithdraw) > 0);
        peer.faults.families_disabled += disabled.len() as u64;
        for fault in faults {
            self.say_fault(id, fault.to_string(), now);
        }
        for family in disabled {
            let what = format!("routes of {family} cannot be read; the family is off until the session ends");
            self.say_fault(id, what, now);
        }
    }

    /// Something else was wrong, and was ignored.
    pub(super) fn note_fault(&mut self, id: PeerId, what: String, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.faults.ignored += 1;
        }
        self.say_fault(id, what, now);
    }

    fn say_fault(&mut self, id: PeerId, what: String, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if let Some(unsaid) = peer.faults.note(&what, now) {
            let event = Event::Fault {
                peer: id,
                what,
                unsaid,
            };
            self.events.push_back(event);
        }
    }
}
