//! Processes by pid and start time, so that a pid used again is never mistaken for ours.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// One process for as long as the machine is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (proc(5), field 22 of `/proc/PID/stat`).
    pub start: u64,
}

impl ProcessId {
    /// The process that has this pid now; `None` when there is none, or only its remains.
    pub fn of(pid: i32) -> Option<ProcessId> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name is in parentheses and may contain anything; what follows the last one is fixed.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        Some(ProcessId {
            pid,
            start: fields.nth(18)?.parse().ok()?,
        })
    }

    /// It runs still.
    pub fn is_alive(&self) -> bool {
        ProcessId::of(self.pid) == Some(*self)
    }

    /// Sends a signal, if it runs still.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits until it is gone; says whether it is.
    pub fn wait_gone(&self, deadline: Duration) -> bool {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Ends processes: SIGTERM to all, and SIGKILL to those that are there after `grace`.
pub fn end_all(processes: &[ProcessId], grace: Duration) {
    for process in processes {
        process.signal(Signal::SIGTERM);
    }
    let deadline = Instant::now() + grace;
    for process in processes {
        if !process.wait_gone(deadline.saturating_duration_since(Instant::now())) {
            process.signal(Signal::SIGKILL);
            process.wait_gone(Duration::from_secs(2));
        }
    }
}

/// Every process whose network namespace is this one, ourselves left out.
pub fn inside(netns: &Path) -> Vec<ProcessId> {
    let Ok(wanted) = std::fs::metadata(netns) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            let found = std::fs::metadata(format!("/proc/{pid}/ns/net"));
            found.is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
        })
        .filter_map(|pid| ProcessId::of(i32::try_from(pid).ok()?))
        .collect()
}

/// Starts a daemon from the calling thread's namespaces: a process group of its own, output appended to `log`.
/// A thread reaps it when it ends.
pub fn start_daemon(command: &mut Command, log: &File) -> io::Result<ProcessId> {
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?);
    let mut child = command.process_group(0).spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let id = ProcessId::of(pid);
    std::thread::Builder::new()
        .name("reaper".into())
        .stack_size(64 * 1024)
        .spawn(move || {
            let _ = child.wait();
        })?;
    id.ok_or_else(|| io::Error::other("it ended at once"))
}

/// Opens a log for appending.
pub fn open_log(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(Error::system(format!("open the log {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_and_gone_when_it_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(child.id() as i32).unwrap();
        assert!(id.is_alive());
        assert!(
            !ProcessId {
                start: id.start + 1,
                ..id
            }
            .is_alive()
        );
        child.kill().unwrap();
        assert!(
            id.wait_gone(Duration::from_secs(5)),
            "a process that nobody reaped yet counts as gone"
        );
        child.wait().unwrap();
    }
}
