//! How many prefixes a peer may send, and what happens when it sends more.

use super::action::Event;
use super::hub::Speaker;
use crate::session::messages;
use crate::types::{Family, PeerId, PerFamily};
use std::time::{Duration, Instant};

/// A limit for one family of a peer. All that the peer sends counts, accepted or not: it is all held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPrefix {
    /// So many prefixes are still good.
    pub limit: u32,
    /// A warning comes at this share of the limit, in percent.
    pub warn_percent: u8,
    /// After how long the session is started again that one prefix too many has ended; `None`: not before the
    /// configuration of the peer changes.
    pub restart: Option<Duration>,
    /// What one prefix too many leads to.
    pub action: MaxPrefixAction,
}

/// What one prefix too many leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxPrefixAction {
    /// The session ends with Cease, Maximum Number of Prefixes Reached (RFC 4486 §4), and all routes of the peer go.
    Restart,
    /// It is said, and no more.
    Warn,
}

/// How near to its limit a family of a peer has come in the session; it is said when it comes nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    #[default]
    Quiet,
    Near,
    Over,
}

impl MaxPrefix {
    fn alarm(&self, received: u64) -> Alarm {
        let limit = u64::from(self.limit);
        if received > limit {
            Alarm::Over
        } else if received * 100 >= limit * u64::from(self.warn_percent) {
            Alarm::Near
        } else {
            Alarm::Quiet
        }
    }
}

impl Speaker {
    /// Tells the RIB what it may take in from a peer whose session is up.
    pub(super) fn apply_limits(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.alarms = PerFamily::default();
        peer.exceeded = false;
        let of = |limit: Option<MaxPrefix>| {
            limit
                .filter(|limit| limit.action == MaxPrefixAction::Restart)
                .map(|limit| limit.limit)
        };
        let wanted = peer.config.max_prefix;
        let limits = PerFamily {
            ipv4: of(wanted.ipv4),
            ipv6: of(wanted.ipv6),
        };
        self.rib.set_limits(id, limits);
    }

    /// Routes came, or the limits are others: says how near they are, and ends the session that has gone too far.
    pub(super) fn check_limits(&mut self, id: PeerId, now: Instant) {
        for family in Family::ALL {
            let Some(peer) = self.peers.get_mut(&id) else {
                return;
            };
            let Some(limit) = *peer.config.max_prefix.get(family) else {
                continue;
            };
            let refused = self.rib.over_limit(id) == Some(family);
            let received = self.rib.counts(id, family).received as u64 + u64::from(refused);
            let alarm = limit.alarm(received);
            let before = std::mem::replace(peer.alarms.get_mut(family), alarm);
            if alarm <= before {
                // It is said once in a session that it was near.
                *peer.alarms.get_mut(family) = before;
                continue;
            }
            self.events.push_back(Event::PrefixLimit {
                peer: id,
                family,
                received,
                limit: limit.limit,
            });
            if alarm == Alarm::Over && limit.action == MaxPrefixAction::Restart {
                peer.exceeded = true;
                let cease = messages::too_many_prefixes(family, limit.limit);
                peer.session.reset(cease, limit.restart, now);
                return;
            }
        }
    }

    /// The limits of a peer are others: they hold at once, and a peer that had too many for the old ones may try again.
    pub(super) fn change_limits(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.session.established().is_some() {
            self.apply_limits(id);
            self.check_limits(id, now);
        } else if std::mem::take(&mut peer.exceeded) {
            peer.session.start(now);
        }
        self.drain(id, now);
    }
}
