//! What follows from an event: effects of the machine carried out, the collision decided, the next start planned.

use super::backoff::STABLE;
use super::collision::{Identity, winner};
use super::connection::Connection;
use super::fsm::{Down, Effect, Event};
use super::messages;
use super::open;
use super::output::{Output, Slot};
use super::peering::Session;
use super::state::State;
use crate::types::{ConnId, RouterId};
use crate::wire::encode_keepalive;
use std::time::Instant;

impl Session {
    /// An OPEN came: closes its connection or the other one, if both are past TCP.
    pub(super) fn resolve_collision(&mut self, remote_id: RouterId, now: Instant) {
        let Some(second) = self.second.as_ref() else {
            return;
        };
        if !self.main.fsm.state().is_connected() || !second.fsm.state().is_connected() {
            return;
        }
        let local = Identity {
            router_id: self.settings.router_id,
            asn: self.settings.local_asn,
        };
        let remote = Identity {
            router_id: remote_id,
            asn: self.settings.remote_asn,
        };
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

    pub(super) fn dump(&mut self, slot: Slot, now: Instant) {
        self.step(slot, Event::CollisionDump(messages::collision()), now);
    }

    pub(super) fn step_conn(&mut self, conn: ConnId, event: Event, now: Instant) {
        if let Some(slot) = self.slot_of(conn) {
            self.step(slot, event, now);
        }
    }

    pub(super) fn step(&mut self, slot: Slot, event: Event, now: Instant) {
        if let Some(connection) = self.slot_mut(slot) {
            let effects = connection.fsm.handle(event, now);
            self.apply(slot, effects, now);
        }
    }

    pub(super) fn apply(&mut self, slot: Slot, effects: Vec<Effect>, now: Instant) {
        for effect in effects {
            match effect {
                Effect::Connect => self.outputs.push_back(Output::Connect),
                Effect::SendOpen => {
                    let open = open::ours(&self.settings, self.plain_open);
                    self.send(slot, now, |out| open.encode(out));
                }
                Effect::SendKeepalive => self.send_keepalive(slot, now),
                Effect::SendNotification(notification) => {
                    self.send(slot, now, |out| notification.encode(out))
                }
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

    pub(super) fn send(&mut self, slot: Slot, now: Instant, message: impl FnOnce(&mut Vec<u8>)) {
        if let Some(connection) = self.slot_mut(slot) {
            message(&mut connection.output);
            connection.fsm.output_waiting(true, now);
            self.counters.messages_out += 1;
        }
    }

    /// A KEEPALIVE is left out where another message waits already: that will do the same for the peer's hold timer.
    fn send_keepalive(&mut self, slot: Slot, now: Instant) {
        let established = self
            .slot_mut(slot)
            .filter(|c| c.fsm.state() == State::Established);
        if established.is_none_or(|c| c.output.is_empty()) {
            self.send(slot, now, encode_keepalive);
        }
    }

    fn up(&mut self, slot: Slot, now: Instant) {
        let other = if slot == Slot::Main {
            Slot::Second
        } else {
            Slot::Main
        };
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
            self.last_loss = Some(reason.clone());
            let silent = matches!(down, Down::Transport(_));
            self.outputs.push_back(Output::Lost { reason, silent });
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
            self.main
                .fsm
                .handle(Event::StartPassively { retry: Some(retry) }, now);
        }
    }

    pub(super) fn note_state(&mut self, now: Instant) {
        let state = self.state();
        // Attempts go through several states every few seconds: what counts is how long it is up, or is not.
        if (state == State::Established) != (self.shown == State::Established) {
            self.since = now;
        }
        self.shown = state;
    }
}
