//! What follows from an event: effects of the machine carried out, the collision decided, the next start planned.

use super::backoff::STABLE;
use super::collision::{Identity, winner};
use super::connection::Connection;
use super::fsm::{Down, Effect, Event};
use super::messages;
use super::open;
use super::output::{End, Output, Slot};
use super::peering::Session;
use super::state::State;
use crate::types::ConnId;
use crate::wire::encode_keepalive;
use std::time::{Duration, Instant};

/// Two speakers that have opened a connection each settle which one stays well within this time.
const COLLISION_WINDOW: Duration = Duration::from_secs(5);

impl Session {
    /// An OPEN came: closes its connection or the other one, if both are past TCP.
    pub(super) fn resolve_collision(&mut self, remote: Identity, now: Instant) {
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

    /// Whether another connection of the peer's may mean that it has restarted. One that comes within a moment of the
    /// session's own start is an ordinary collision that the peer has not decided yet.
    pub(super) fn may_be_replaced(&self, now: Instant) -> bool {
        self.main
            .agreed
            .as_ref()
            .is_some_and(|agreed| agreed.graceful_restart)
            && now.saturating_duration_since(self.since) >= COLLISION_WINDOW
    }

    /// The peer of an Established session has sent an OPEN on another connection: the same speaker has restarted and takes
    /// the session up there (RFC 4724 §5), another one has no business here. The old connection is closed without a
    /// NOTIFICATION, which nobody would read.
    pub(super) fn resolve_restart(&mut self, remote: Identity, now: Instant) {
        let same = self
            .main
            .agreed
            .as_ref()
            .is_some_and(|agreed| (agreed.router_id, agreed.asn) == (remote.router_id, remote.asn));
        if !same {
            return self.dump(Slot::Second, now);
        }
        let Some(second) = self.second.take() else {
            return;
        };
        let mut old = std::mem::replace(&mut self.main, second);
        if let Some((conn, _)) = old.release() {
            self.outputs.push_back(Output::Close {
                conn,
                last_words: Vec::new(),
            });
        }
        let reason = "the peer has restarted: it has connected anew".to_string();
        self.counters.flaps += 1;
        self.last_error = Some(reason.clone());
        self.last_loss = Some(reason.clone());
        let end = End::Transport;
        self.outputs.push_back(Output::Lost { reason, end });
        self.note_state(now);
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
                    let plain = self.plain_open;
                    if let Some(connection) = self.slot_mut(slot) {
                        connection.plain = plain;
                    }
                    let open = open::ours(&self.settings, plain);
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
    pub(super) fn send_keepalive(&mut self, slot: Slot, now: Instant) {
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
        self.counters.connect_retries = 0;
        if let Some(negotiated) = self.main.agreed.clone() {
            self.plain_open = false;
            self.outputs.push_back(Output::Up(negotiated));
        }
    }

    fn failed(&mut self, slot: Slot, down: &Down, now: Instant) {
        if down.is_error() {
            self.last_error = Some(down.to_string());
        }
        if self.slot_mut(slot).is_some_and(|c| std::mem::take(&mut c.plain)) {
            // One attempt is enough: what was rejected must have been something else.
            self.plain_open = false;
        }
        if slot == Slot::Second {
            self.second = None;
            return;
        }
        let reason = down.to_string();
        if !matches!(down, Down::Stopped(_)) {
            self.counters.connect_retries += 1;
        }
        if self.shown == State::Established {
            self.counters.flaps += 1;
            if now.saturating_duration_since(self.since) >= STABLE {
                self.backoff.reset();
            }
            self.last_loss = Some(reason.clone());
            let end = match down {
                Down::Transport(_) => End::Transport,
                Down::Stopped(n) | Down::Received(n) | Down::Sent(n) | Down::Collision(n)
                    if n.is_hard_reset() =>
                {
                    End::HardReset
                }
                // RFC 9384: who sends it has found the path dead, whatever was agreed about restarts.
                Down::Received(n) if n.is_path_down() => End::HardReset,
                Down::PathDown { .. } => End::HardReset,
                _ => End::Notification,
            };
            self.outputs.push_back(Output::Lost { reason, end });
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
