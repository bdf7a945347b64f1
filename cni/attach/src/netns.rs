//! Other network namespaces: opened by path, entered only by a thread made for it.
//!
//! `setns` changes the calling thread for good as far as others can tell, so it never happens on a thread that
//! runs anything else (network_namespaces(7), setns(2)). One such thread serves all steps of a call.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::error::Error;
use crate::fault;

/// A network namespace that is held open.
pub(crate) struct Netns {
    file: File,
    path: PathBuf,
}

type Job<'env> = Box<dyn FnOnce() + Send + 'env>;

/// A thread inside a namespace, that does what it is given.
pub(crate) struct Inside<'env> {
    jobs: mpsc::Sender<Job<'env>>,
}

impl<'env> Inside<'env> {
    /// Does the work inside, and waits for it.
    pub(crate) fn run<T: Send + 'env>(&self, work: impl FnOnce() -> T + Send + 'env) -> io::Result<T> {
        let ended = || io::Error::other("the thread in the namespace ended");
        let (answer, result) = mpsc::sync_channel(1);
        let job = Box::new(move || drop(answer.send(work())));
        self.jobs.send(job).map_err(|_| ended())?;
        result.recv().map_err(|_| ended())
    }
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
        let is_nsfs = fstatfs(&file).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC);
        if !is_nsfs {
            return Err(Error::NotANetns {
                path: path.to_owned(),
            });
        }
        let own = std::fs::metadata("/proc/thread-self/ns/net");
        let own = own.map_err(Error::at("read the network namespace of the agent"))?;
        let other = file
            .metadata()
            .map_err(Error::at("read the pod's network namespace"))?;
        if (own.dev(), own.ino()) == (other.dev(), other.ino()) {
            return Err(Error::OwnNetns {
                path: path.to_owned(),
            });
        }
        Ok(Netns {
            file,
            path: path.to_owned(),
        })
    }

    /// The open file, for netlink attributes.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Does the work with a thread inside the namespace at hand.
    ///
    /// # Errors
    /// Those of the work; a namespace of another kind (mount, user ...), which looks the same until it is entered.
    pub(crate) fn enter<'env, T>(
        &'env self,
        work: impl FnOnce(&Inside<'env>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let plan = fault::current();
        thread::scope(|scope| {
            let (jobs, todo) = mpsc::channel::<Job<'env>>();
            let (ready, entered) = mpsc::sync_channel(1);
            let thread = thread::Builder::new().name("rb-netns".into());
            let thread = thread.spawn_scoped(scope, move || {
                plan.take_over();
                let inside = setns(&self.file, CloneFlags::CLONE_NEWNET);
                let go_on = inside.is_ok();
                let _ = ready.send(inside);
                if go_on {
                    todo.into_iter().for_each(|job| job());
                }
            });
            let thread = thread.map_err(Error::at("make a thread for the pod's namespace"))?;
            let result = match entered.recv() {
                Ok(Ok(())) => work(&Inside { jobs }),
                _ => Err(Error::NotANetns {
                    path: self.path.clone(),
                }),
            };
            let panicked =
                |_| Error::at("work in the pod's namespace")(io::Error::other("a thread panicked"));
            thread.join().map_err(panicked).and(result)
        })
    }
}
