//! Where containerd runs: the namespaces of a node, entered by `nsenter` (util-linux), and the cgroups in them.
//!
//! A node has a `/sys` of its own that shows its interfaces; the machine's cgroups are not under it. runc needs
//! them, so [`Place::prepare`] mounts the hierarchies that the machine has once more, inside the node alone.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::Error;

/// The namespaces of a node, by their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The network namespace; host ends of pods land here.
    pub net: PathBuf,
    /// The mount namespace; where the node's programs see the namespaces of sandboxes under `/run/netns`.
    pub mnt: PathBuf,
}

impl Place {
    /// A program that will run there. Its process is that of the command itself: `nsenter` becomes it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let flag = |name: &str, path: &PathBuf| format!("--{name}={}", path.display());
        command
            .args([flag("net", &self.net), flag("mount", &self.mnt)])
            .args(["--", "env", "-C", "/"])
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Runs a program there to its end and insists on success.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String, Error> {
        let (program, arguments) = words.split_first().unwrap_or((&"true", &[]));
        let done = self.command(program).args(arguments).output();
        let done = done.map_err(Error::system(format!("run {program} on the node")))?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() {
            return Ok(text);
        }
        Err(Error::Program {
            what: words.join(" "),
            output: text + &String::from_utf8_lossy(&done.stderr),
        })
    }

    /// Mounts the machine's cgroup hierarchies on the node, where they are not yet.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        // The table of mounts still has those of the machine, below the node's `/sys`; only a look tells.
        if !self.run(&["ls", "-A", "/sys/fs/cgroup"])?.trim().is_empty() {
            return Ok(());
        }
        let all = hierarchies()?;
        let unified = all.iter().all(|h| h.kind == "cgroup2");
        if !unified {
            self.run(&["mount", "-t", "tmpfs", "cgroups", "/sys/fs/cgroup"])?;
        }
        for Hierarchy { dir, kind, options } in all {
            let dir = dir.to_string_lossy().into_owned();
            self.run(&["mkdir", "-p", &dir])?;
            self.run(&["mount", "-t", &kind, "-o", &options, "cgroup", &dir])?;
        }
        Ok(())
    }
}

/// One mounted cgroup hierarchy of the machine.
pub(crate) struct Hierarchy {
    /// Where it is mounted.
    pub dir: PathBuf,
    kind: String,
    options: String,
}

/// The cgroup hierarchies of the machine, version 1 and 2 (cgroups(7)).
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>, Error> {
    let table =
        std::fs::read_to_string("/proc/self/mounts").map_err(Error::system("read /proc/self/mounts"))?;
    let of_line = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (dir, kind, options) = (words.next()?, words.next()?, words.next()?);
        let general = ["rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime"];
        let own: Vec<&str> = options.split(',').filter(|o| !general.contains(o)).collect();
        (matches!(kind, "cgroup" | "cgroup2") && dir.starts_with("/sys/fs/cgroup")).then(|| Hierarchy {
            dir: dir.into(),
            kind: kind.to_owned(),
            options: if own.is_empty() {
                "rw".to_owned()
            } else {
                own.join(",")
            },
        })
    };
    Ok(table.lines().filter_map(of_line).collect())
}
