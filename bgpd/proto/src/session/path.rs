//! What somebody who watches the path to the peer has to say about the session.

use super::fsm::Event;
use super::messages;
use super::output::Slot;
use super::peering::Session;
use super::state::State;
use std::time::Instant;

impl Session {
    /// The path to the peer is dead: an Established session ends, and neither side is to keep anything; before that TCP
    /// decides.
    pub fn path_down(&mut self, why: String, now: Instant) {
        if self.established().is_none() {
            return;
        }
        let cease = self.hard(messages::path_down());
        self.step(Slot::Main, Event::PathDown { why, cease }, now);
    }

    /// The path to the peer is back: the pause before the next attempt is cut short, and an attempt that got no answer
    /// is made again.
    pub fn retry_now(&mut self, now: Instant) {
        let waiting = matches!(self.main.fsm.state(), State::Connect | State::Active);
        if waiting && self.second.is_none() && !self.settings.tuning.passive {
            self.step(Slot::Main, Event::ConnectRetryTimer, now);
        }
    }
}
