//! Clears up after a test that was killed: a shell that waits for the end of its input and then ends the processes
//! and removes the namespaces and the folder that it was told of. A normal end goes the same way, so it is
//! tried with every test.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Reads `pid N`, `gone N`, `netns NAME`, `dir PATH`. A process is ended only if it is (still) etcd.
const SCRIPT: &str = r#"
pids=" "; spaces=""; dirs=""
while read -r kind value; do
  case "$kind" in
    pid) pids="$pids$value " ;;
    gone) pids=$(printf '%s' "$pids" | sed "s/ $value / /") ;;
    netns) spaces="$spaces $value" ;;
    dir) dirs="$value" ;;
  esac
done
for pid in $pids; do
  [ "$(cat /proc/$pid/comm 2>/dev/null)" = etcd ] && kill -9 "$pid"
done
for space in $spaces; do ip netns del "$space"; done
[ -n "$dirs" ] && rm -rf "$dirs"
"#;

/// The watcher process of one cluster.
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts it, in a process group of its own so that an interrupt from the keyboard does not end it as well.
    pub fn start() -> Janitor {
        let child = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start sh: {e}"));
        Janitor(child)
    }

    pub fn pid(&self, pid: u32) {
        self.tell("pid", &pid.to_string());
    }

    pub fn gone(&self, pid: u32) {
        self.tell("gone", &pid.to_string());
    }

    pub fn namespace(&self, name: &str) {
        self.tell("netns", name);
    }

    pub fn dir(&self, dir: &Path) {
        self.tell("dir", &dir.display().to_string());
    }

    fn tell(&self, kind: &str, value: &str) {
        if let Some(mut input) = self.0.stdin.as_ref() {
            // A watcher that is gone only means that a killed test leaves something behind.
            let _ = writeln!(input, "{kind} {value}");
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
