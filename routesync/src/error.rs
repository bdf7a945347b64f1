//! What can go wrong, in words for the operator.

use std::io;

use crate::model::RouteKey;

/// An error of route synchronisation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The netlink sockets could not be opened or set up.
    #[error("cannot open a netlink route socket: {0}; the daemon needs CAP_NET_ADMIN")]
    Open(#[source] io::Error),
    /// Talking to the kernel failed.
    #[error("netlink: {what}: {source}")]
    Netlink {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a dump or a request.
    #[error("the kernel refused to {what}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The kernel's words.
        reason: String,
    },
    /// The route did not get into the kernel in time.
    #[error("route {key} is not installed: {reason}")]
    NotInstalled {
        /// The route.
        key: RouteKey,
        /// Why not, as far as known.
        reason: String,
    },
    /// The route that was waited for is no longer wanted.
    #[error("route {0} is not wanted any more")]
    NotWanted(RouteKey),
    /// The synchronisation task has ended.
    #[error("route synchronisation has stopped")]
    Stopped,
}
