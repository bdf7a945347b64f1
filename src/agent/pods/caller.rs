//! Who asks for a verb: the connection of a plugin, and whether the plugin is still there.
//!
//! A call can lie unread for a while: in the queue of the socket while every connection is taken, or before an agent that was
//! stopped. Its runtime may have given it up by then and have gone on with the next verbs of the same attachment. Carried out
//! late, a DEL would take away what was added after it, an ADD would leave an address behind that no DEL follows, and a GC would
//! go by a list that is old. A plugin that has gone closes its connection, and the kernel tells.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use config::api::ApiError;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::answer::try_later;

/// The connection of a call.
#[derive(Debug, Clone)]
pub struct Caller(Option<Arc<OwnedFd>>);

impl Caller {
    /// The caller at the other end of a connection. Where the process has no file descriptor left, it counts as there.
    pub fn at(connection: BorrowedFd<'_>) -> Caller {
        Caller(connection.try_clone_to_owned().ok().map(Arc::new))
    }

    /// Refuses what nobody waits for any more.
    ///
    /// # Errors
    /// The caller has closed the connection.
    pub fn refuse_if_gone(&self, verb: &str) -> Result<(), ApiError> {
        if !self.is_gone() {
            return Ok(());
        }
        tracing::warn!(verb, "a call is not carried out: its plugin has gone");
        Err(try_later(
            format!("{verb} is not carried out: nobody waits for it any more"),
            "",
        ))
    }

    fn is_gone(&self) -> bool {
        let Some(connection) = &self.0 else { return false };
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        // The request was read: what is left is silence, or the end.
        match recv(connection.as_raw_fd(), &mut [0], flags) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error, Errno::EAGAIN | Errno::EINTR),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::Caller;

    #[test]
    fn one_that_has_gone_is_told_from_one_that_waits() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let caller = Caller::at(ours.as_fd());
        assert!(caller.refuse_if_gone("DEL").is_ok());
        theirs.write_all(b"more").unwrap();
        assert!(caller.refuse_if_gone("DEL").is_ok(), "it says something");
        let (ours, theirs) = UnixStream::pair().unwrap();
        let caller = Caller::at(ours.as_fd());
        drop(theirs);
        let refused = caller.refuse_if_gone("DEL").unwrap_err();
        assert_eq!(refused.kind, config::api::ErrorKind::TryLater);
    }
}
