//! The processes of a machine, found and ended by pid.
//!
//! User-mode Linux leaves helpers in sessions of their own; all of them carry the machine's command line, whose
//! `init=` argument names a folder that no other machine has.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the kernel may take to end what was killed.
const GONE: Duration = Duration::from_secs(10);

/// The processes that have this word among their arguments, but for the caller's own.
pub(crate) fn with_argument(word: &str) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let own = nix::unistd::getpid();
    pids.map(Pid::from_raw)
        .filter(|pid| *pid != own && has_argument(*pid, word))
        .collect()
}

fn has_argument(pid: Pid, word: &str) -> bool {
    let line = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
    // QEMU has the kernel's whole command line as one argument of its own.
    line.split(|byte| *byte == 0 || *byte == b' ')
        .any(|argument| argument == word.as_bytes())
}

/// Kills them all, until none is left: one may be starting another as it is found. Those that survive are returned.
pub(crate) fn end_all(word: &str) -> Vec<Pid> {
    let end = Instant::now() + GONE;
    loop {
        let left = with_argument(word);
        if left.is_empty() || Instant::now() > end {
            return left;
        }
        for pid in left {
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn exactly_the_processes_with_the_argument_are_ended() {
        let start = |word: &str| {
            let mut command = Command::new("sleep");
            // Words after a bad interval would end it: the name it is called by is an argument too.
            std::os::unix::process::CommandExt::arg0(&mut command, word);
            command
                .arg("60")
                .stdin(Stdio::null())
                .spawn()
                .expect("sleep starts")
        };
        let unique = format!("init=/vm-test-{}/init", std::process::id());
        let other = format!("{unique}-other");
        let (mut hit, mut missed) = (start(&unique), start(&other));
        // The arguments of a process that has just begun are not there yet.
        let end = Instant::now() + GONE;
        while with_argument(&unique).is_empty() || with_argument(&other).is_empty() {
            assert!(Instant::now() < end, "the processes are not listed");
            std::thread::sleep(Duration::from_millis(1));
        }
        // A killed child stays listed, without arguments, until its parent asks for its end.
        assert!(end_all(&unique).is_empty());
        assert!(!hit.wait().expect("it ends").success());
        assert!(
            missed.try_wait().expect("it can be asked").is_none(),
            "the other one was ended too"
        );
        missed.kill().expect("it can be killed");
        missed.wait().expect("it ends");
    }
}
