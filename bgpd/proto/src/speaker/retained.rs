//! What graceful restart remembers of a peer (RFC 4724): what it promised, and what is kept of it.

use crate::types::Family;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What a peer said of its restarts in its last OPEN.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    /// How long it may be away.
    pub time: Duration,
    /// The families in which it is able to keep forwarding.
    pub families: Vec<Family>,
}

/// Routes that are kept although their session has ended.
#[derive(Clone, Debug)]
pub(super) struct Retained {
    /// Families with stale routes.
    pub families: BTreeSet<Family>,
    /// When they go.
    pub until: Instant,
}
