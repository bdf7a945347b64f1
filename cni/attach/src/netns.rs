//! Other network namespaces: opened by path, entered only by threads made for it.
//!
//! `setns` changes the calling thread for good as far as others can tell, so it never happens on a thread that
//! runs anything else (network_namespaces(7), setns(2)).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::error::Error;

/// A network namespace that is held open.
pub(crate) struct Netns {
    file: File,
    path: PathBuf,
}

impl Netns {
    /// Opens the namespace at this path.
    ///
    /// # Errors
    /// Nothing there, something else there, or the namespace of the calling thread.
    pub(crate) fn open(path: &Path) -> Result<Netns, Error> {
        // O_NONBLOCK: a path that names a pipe must not hold the agent.
        let flags = (OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = file.map_err(|source| Error::NoNetns {
            path: path.to_owned(),
            source,
        })?;
        let not_a_netns = || Error::NotANetns {
            path: path.to_owned(),
        };
        let is_nsfs = fstatfs(&file).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC);
        if !is_nsfs {
            return Err(not_a_netns());
        }
        let own = File::open("/proc/thread-self/ns/net").and_then(|f| f.metadata());
        let own = own.map_err(Error::at("read the network namespace of the agent"))?;
        let other = file
            .metadata()
            .map_err(Error::at("read the pod's network namespace"))?;
        if (own.dev(), own.ino()) == (other.dev(), other.ino()) {
            return Err(Error::OwnNetns {
                path: path.to_owned(),
            });
        }
        let netns = Netns {
            file,
            path: path.to_owned(),
        };
        // A namespace of another kind (mount, user ...) looks the same until it is entered.
        netns.inside(|| ()).map_err(|_| not_a_netns())?;
        Ok(netns)
    }

    /// The open file, for netlink attributes.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Where it was found.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the work on a thread of its own inside the namespace, and waits for it.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let inside = thread::Builder::new()
                .name("rb-netns".into())
                .spawn_scoped(scope, || {
                    setns(&self.file, CloneFlags::CLONE_NEWNET)?;
                    Ok(work())
                })?;
            inside
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
        })
    }
}
