//! The timers of all peers: one list of deadlines, and who acts when one has come.

use super::hub::Speaker;
use crate::types::PeerId;
use std::time::{Duration, Instant};

/// No KEEPALIVE goes earlier than this: bounds the look for those that may.
const EARLIEST: Duration = Duration::from_secs(2);

impl Speaker {
    /// Lets all expired timers act, and does a slice of the work that is left over.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.due_by(now);
        let awake = !due.is_empty();
        for (at, id) in due {
            self.deadlines.remove(&(at, id));
            let Some(peer) = self.peers.get_mut(&id) else {
                continue;
            };
            peer.scheduled = None;
            if peer.next_deadline().is_some_and(|at| at <= now) {
                peer.session.handle_timeout(now);
                peer.rests_until = peer.rests_until.filter(|at| *at > now);
                if let Some(feed) = &mut peer.feed {
                    feed.handle_timeout(now);
                }
                self.expire_retained(id, now);
                self.expire_refresh(id, now);
            }
            self.drain(id, now);
        }
        if awake {
            self.keep_alive_early(now);
        }
        if self.work.take_if(|since| *since <= now).is_some() {
            self.rib.work();
        }
        self.settle(now);
    }

    /// KEEPALIVEs that are due soon go along with what was due.
    fn keep_alive_early(&mut self, now: Instant) {
        for (at, id) in self.due_by(now + EARLIEST) {
            if let Some(peer) = self.peers.get_mut(&id)
                && peer.session.keep_alive_early(now)
            {
                peer.scheduled = None;
                self.deadlines.remove(&(at, id));
                self.drain(id, now);
            }
        }
    }

    /// The deadlines up to and with `by`.
    fn due_by(&self, by: Instant) -> Vec<(Instant, PeerId)> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= by);
        due.copied().collect()
    }

    /// When [`Speaker::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deferral = (!self.fully_fed).then_some(self.deferral);
        let next = self.deadlines.first().map(|(at, _)| *at);
        [next, deferral, self.work].into_iter().flatten().min()
    }

    /// Notes what a peer wants after something has happened to it: time, or to send.
    pub(super) fn schedule(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            // It is no peer any more.
            self.deadlines.retain(|(_, other)| *other != id);
            return;
        };
        if peer.session.wants_transmit().next().is_some() {
            self.talking.insert(id);
        }
        // A deadline that has moved on is found out when it comes: most move on with each message.
        if let Some(next) = peer.next_deadline()
            && peer.scheduled.is_none_or(|at| next < at)
        {
            if let Some(at) = peer.scheduled.replace(next) {
                self.deadlines.remove(&(at, id));
            }
            self.deadlines.insert((next, id));
        }
    }
}
