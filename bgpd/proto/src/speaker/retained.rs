//! What graceful restart remembers of a peer (RFC 4724, RFC 9494): what it promised, and what is kept of it.

use crate::types::{Family, PerFamily};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a peer said of its restarts in its last OPEN.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    /// How long it may be away.
    pub time: Duration,
    /// A NOTIFICATION, or a hold timer that expires, is a restart too (RFC 8538): both sides set the N bit.
    pub notification: bool,
    /// The families in which it is able to keep forwarding.
    pub families: Vec<Family>,
    /// How long its routes may be used after that, where both sides do so (RFC 9494).
    pub long_lived: PerFamily<Option<Duration>>,
}

/// Routes that are kept although their session has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Retained {
    /// Families with stale routes, and how long they are kept.
    pub families: BTreeMap<Family, Phase>,
}

/// How far the absence of a peer is, for one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its routes are used as before, until then.
    Graceful(Instant),
    /// Its routes are used where nothing better is known, until then.
    LongLived(Instant),
}

impl Phase {
    /// When it is over.
    pub fn until(self) -> Instant {
        match self {
            Phase::Graceful(until) | Phase::LongLived(until) => until,
        }
    }
}

impl Retained {
    /// When the first family has to be looked at.
    pub fn next(&self) -> Option<Instant> {
        self.families.values().map(|phase| phase.until()).min()
    }

    /// When nothing is kept any more, at the latest, but for long-lived routes that are still to become so.
    pub fn until(&self) -> Option<Instant> {
        self.families.values().map(|phase| phase.until()).max()
    }
}
