//! Sysctls in a container: runtimes mount `/proc/sys` read-only there unless the container may do everything. An agent
//! that may mount (CAP_SYS_ADMIN) makes that one mount writable again, for itself only, and needs no such container.
//!
//! What may be written then is still the kernel's to say: the network's sysctls with CAP_NET_ADMIN, the others with
//! rights that the agent does not have.

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};

/// Makes the sysctls writable where a container's runtime made them read-only; whether it had to.
///
/// # Errors
/// The system's answer, mostly `EPERM` (no CAP_SYS_ADMIN) or `EACCES` (AppArmor refuses mounts).
pub fn open_sysctls() -> Result<bool, nix::Error> {
    let read_only = |path: &str| Ok::<_, nix::Error>(statvfs(path)?.flags().contains(FsFlags::ST_RDONLY));
    // A runtime makes a read-only mount on top of a /proc that is not; all else is somebody's wish.
    if !read_only("/proc/sys")? || read_only("/proc")? {
        return Ok(false);
    }
    let as_before = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | as_before;
    mount(None::<&str>, "/proc/sys", None::<&str>, flags, None::<&str>)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    /// As a container has it, in a mount namespace of a thread's own.
    #[test]
    fn sysctls_that_a_runtime_closed_are_opened() {
        let thread = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).expect("the tests run as root");
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private");
            assert_eq!(open_sysctls(), Ok(false), "there is nothing to do");
            mount(Some("/proc/sys"), "/proc/sys", none, MsFlags::MS_BIND, none).expect("bound");
            let closed = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            mount(none, "/proc/sys", none, closed, none).expect("read-only");
            let write = || {
                std::fs::OpenOptions::new()
                    .write(true)
                    .open("/proc/sys/net/ipv4/ip_forward")
            };
            assert!(write().is_err());
            assert_eq!(open_sysctls(), Ok(true));
            assert!(write().is_ok());
            assert_eq!(open_sysctls(), Ok(false));
        });
        thread.join().expect("no panic");
    }
}
