//! What can go wrong for a caller of this crate.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// An error for the operator.
#[derive(Debug, Error)]
pub enum Error {
    /// The kernel refused something, or the netlink socket failed.
    #[error("{what}: {source}")]
    Netlink {
        /// What was being done.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The wanted state was not reached in time.
    #[error("tunnels are not ready after {} ms: {problems}", waited.as_millis())]
    NotReady {
        /// How long was waited.
        waited: Duration,
        /// What stands in the way, or that nothing was applied yet.
        problems: String,
    },
    /// The owner task has ended.
    #[error("the tunnel task has ended: the agent is stopping")]
    Stopped,
}

impl Error {
    pub(crate) fn netlink(what: impl Into<String>, source: io::Error) -> Self {
        Self::Netlink {
            what: what.into(),
            source,
        }
    }

    /// Whether the kernel says that the link is not there.
    pub(crate) fn is_no_device(&self) -> bool {
        const ENODEV: i32 = 19;
        matches!(self, Self::Netlink { source, .. } if source.raw_os_error() == Some(ENODEV))
    }
}
