//! Named namespaces: made on a thread of their own, held by bind mounts, entered by threads.
//!
//! Network namespaces lie in `/run/netns` as iproute2 keeps them (ip-netns(8)), so `ip netns exec` works.
//! A node's mount and UTS namespaces are held by bind mounts in the lab's folder: no process has to stay
//! alive for them. Unmounting the files is all it takes to remove a namespace that nobody is in any more.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Where named network namespaces lie.
pub const NETNS_DIR: &str = "/run/netns";

/// Nothing to pass to `mount`.
const NONE: Option<&str> = None;

/// The namespaces of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// The network namespace's file.
    pub net: PathBuf,
    /// The mount namespace's file; a pod has none.
    pub mnt: Option<PathBuf>,
    /// The UTS namespace's file (the host name); a pod has none.
    pub uts: Option<PathBuf>,
}

impl Namespaces {
    /// Runs `f` on a thread of its own inside the namespaces. Processes that `f` starts stay in them.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| f()));
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread, which must be one made for it.
    fn enter(&self) -> Result<(), Error> {
        // A thread shares root and working directory with its process until it says otherwise, and the
        // kernel refuses another mount namespace to such a thread (setns(2)).
        unshare(CloneFlags::CLONE_FS).map_err(Error::system("unshare the file system context"))?;
        let kinds = [
            (Some(&self.net), CloneFlags::CLONE_NEWNET),
            (self.uts.as_ref(), CloneFlags::CLONE_NEWUTS),
            (self.mnt.as_ref(), CloneFlags::CLONE_NEWNS),
        ];
        // All files are opened before the mount namespace changes and hides them.
        let mut open = Vec::new();
        for (path, kind) in kinds {
            let Some(path) = path else { continue };
            let what = || format!("enter the namespace {}", path.display());
            open.push((File::open(path).map_err(Error::system(what()))?, kind, what()));
        }
        for (file, kind, what) in open {
            setns(file, kind).map_err(Error::system(what))?;
        }
        Ok(())
    }

    /// Creates the namespaces, runs `setup` inside them, and holds them. Nothing stays when it fails.
    pub fn create(&self, setup: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), Error> {
        let created = self.try_create(setup);
        if created.is_err() {
            self.remove();
        }
        created
    }

    fn try_create(&self, setup: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), Error> {
        for path in self.files() {
            File::create_new(path)
                .map_err(Error::system(format!("create the namespace {}", path.display())))?;
        }
        std::thread::scope(|scope| {
            let (ready, is_ready) = mpsc::channel();
            let (held, is_held) = mpsc::channel::<()>();
            let inside = scope.spawn(move || {
                self.become_new(setup)?;
                // The receiver waits for this or for the end of the thread; both are fine.
                let _ = ready.send(nix::unistd::gettid());
                let _ = is_held.recv();
                Ok(())
            });
            let bound = match is_ready.recv() {
                Ok(thread) => self.hold(&format!("/proc/self/task/{thread}/ns")),
                Err(_) => Ok(()),
            };
            drop(held);
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .and(bound)
        })
    }

    /// In the new thread: new namespaces. The mount namespace begins as a copy that follows the host's mounts
    /// (so that namespaces made later appear in it) and gives nothing back.
    fn become_new(&self, setup: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let mut flags = CloneFlags::CLONE_NEWNET;
        flags.set(CloneFlags::CLONE_NEWNS, self.mnt.is_some());
        flags.set(CloneFlags::CLONE_NEWUTS, self.uts.is_some());
        unshare(flags).map_err(Error::system("make namespaces (is this root?)"))?;
        if self.mnt.is_some() {
            mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
                .map_err(Error::system("detach the mount namespace"))?;
        }
        setup()
    }

    fn hold(&self, from: &str) -> Result<(), Error> {
        let kinds = [
            (Some(&self.net), "net"),
            (self.uts.as_ref(), "uts"),
            (self.mnt.as_ref(), "mnt"),
        ];
        for (path, kind) in kinds {
            let Some(path) = path else { continue };
            mount(
                Some(format!("{from}/{kind}").as_str()),
                path,
                NONE,
                MsFlags::MS_BIND,
                NONE,
            )
            .map_err(Error::system(format!("hold the namespace {}", path.display())))?;
        }
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.net), self.uts.as_ref(), self.mnt.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Lets go of the namespaces. What is gone already is no error.
    pub fn remove(&self) {
        for path in self.files() {
            while umount2(path, MntFlags::MNT_DETACH).is_ok() {}
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A folder for namespace files: a mount of its own, private, because the kernel refuses to hold a mount
/// namespace on a mount that propagates.
pub fn make_private_dir(dir: &Path) -> Result<(), Error> {
    let what = || format!("prepare {}", dir.display());
    std::fs::create_dir_all(dir).map_err(Error::system(what()))?;
    mount(Some(dir), dir, NONE, MsFlags::MS_BIND, NONE).map_err(Error::system(what()))?;
    mount(NONE, dir, NONE, MsFlags::MS_PRIVATE, NONE).map_err(Error::system(what()))
}

/// Makes `/run/netns` a shared mount as iproute2 does, under the same lock, so that namespaces named later
/// appear in mount namespaces made earlier.
pub fn prepare_netns_dir() -> Result<(), Error> {
    let what = || format!("prepare {NETNS_DIR}");
    std::fs::create_dir_all(NETNS_DIR).map_err(Error::system(what()))?;
    let _lock = lock(Path::new(NETNS_DIR))?;
    let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
    match mount(Some(""), NETNS_DIR, Some("none"), flags, NONE) {
        Ok(()) => return Ok(()),
        Err(Errno::EINVAL) => {} // not a mount point yet
        Err(e) => return Err(Error::system(what())(e)),
    }
    mount(
        Some(NETNS_DIR),
        NETNS_DIR,
        Some("none"),
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(Error::system(what()))?;
    mount(Some(""), NETNS_DIR, Some("none"), flags, NONE).map_err(Error::system(what()))
}

/// Holds a folder's lock until dropped.
pub fn lock(dir: &Path) -> Result<Flock<File>, Error> {
    let what = || format!("lock {}", dir.display());
    let file = File::open(dir).map_err(Error::system(what()))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| Error::system(what())(e))
}
