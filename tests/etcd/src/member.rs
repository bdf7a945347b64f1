//! One etcd process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::janitor::Janitor;
use crate::network::{Site, inside};

/// A member: its place, how it is started, and its process while it runs.
pub(crate) struct Member {
    pub site: Site,
    pub arguments: Vec<String>,
    pub process: Option<Child>,
    pub paused: bool,
    pub cut: bool,
    pub isolated: bool,
}

impl Member {
    /// Starts the process; its output is appended to `log`.
    pub fn start(&mut self, log: &Path, janitor: &Janitor) {
        assert!(self.process.is_none(), "this member runs already");
        let output = File::options().create(true).append(true).open(log);
        let output = output.unwrap_or_else(|e| panic!("cannot write {}: {e}", log.display()));
        let other = output
            .try_clone()
            .unwrap_or_else(|e| panic!("cannot use {}: {e}", log.display()));
        let mut command = Command::new("etcd");
        command
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(other);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let child = inside(self.site.namespace.as_deref(), || command.spawn());
        let child = child.unwrap_or_else(|e| panic!("cannot start etcd (package etcd-server): {e}"));
        janitor.pid(child.id());
        self.process = Some(child);
        self.paused = false;
    }

    /// SIGKILL: without a quorum etcd does not end on SIGTERM.
    pub fn kill(&mut self, janitor: &Janitor) {
        let Some(mut child) = self.process.take() else {
            return;
        };
        let _ = child.kill();
        let _ = child.wait();
        janitor.gone(child.id());
        self.paused = false;
    }

    /// Stops or continues the process.
    pub fn pause(&mut self, paused: bool) {
        let child = self
            .process
            .as_ref()
            .expect("only a member that runs can be paused");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("process numbers fit"));
        let signal = if paused { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(pid, signal).unwrap_or_else(|e| panic!("cannot send {signal} to etcd: {e}"));
        self.paused = paused;
    }

    /// Whether it runs and can be talked to.
    pub fn is_up(&self) -> bool {
        self.process.is_some() && !self.paused && !self.cut && !self.isolated
    }

    /// The end of the process that nobody asked for, if there was one.
    pub fn died(&mut self) -> Option<String> {
        let child = self.process.as_mut()?;
        let status = child.try_wait().ok().flatten()?;
        Some(status.to_string())
    }
}
