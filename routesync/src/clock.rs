//! Time as a parameter.

use std::time::{Instant, SystemTime};

/// The time, given to every call that needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub at: Instant,
    pub wall: SystemTime,
}
