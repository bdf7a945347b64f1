//! What a benchmark that was killed leaves behind: namespaces and folders whose names begin with its mark and the number of its
//! process. A signal removes the run's own before it ends; what a killed run could not remove, the next one does.

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::place::ip;

/// How all names of a benchmark begin; the number of its process follows, and a hyphen.
#[derive(Debug, Clone, Copy)]
pub struct Mark(pub &'static str);

impl Mark {
    /// A name of this process.
    pub fn name(self, rest: &str) -> String {
        format!("{}{}-{rest}", self.0, std::process::id())
    }

    /// The process that a name belongs to.
    pub fn owner(self, name: &str) -> Option<u32> {
        name.strip_prefix(self.0)?.split_once('-')?.0.parse().ok()
    }

    /// A folder that a later run removes where this one cannot.
    pub fn folder(self) -> anyhow::Result<tempfile::TempDir> {
        let folder = tempfile::Builder::new().prefix(&self.name("")).tempdir();
        folder.context("cannot make a folder")
    }

    /// Ends what a benchmark that was killed has left behind.
    pub fn sweep(self) -> anyhow::Result<()> {
        self.sweep_of(|owner| !std::path::Path::new(&format!("/proc/{owner}")).exists())
    }

    /// Cleans up on SIGINT and SIGTERM, on which nothing is dropped. Call it before there are other threads.
    pub fn sweep_when_told_to_end(self) -> anyhow::Result<()> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block().context("cannot block signals")?;
        std::thread::spawn(move || {
            let told = signals.wait();
            let swept = self.sweep_of(|owner| owner == std::process::id());
            eprintln!("told to end: {told:?}, {swept:?}");
            std::process::exit(1);
        });
        Ok(())
    }

    /// Removes folders of the temporary directory that belong to such processes.
    pub fn sweep_folders(self, whose: impl Fn(u32) -> bool) {
        let folders = std::fs::read_dir(std::env::temp_dir())
            .into_iter()
            .flatten()
            .flatten();
        for folder in folders {
            let name = folder.file_name().to_string_lossy().into_owned();
            if self.owner(&name).is_some_and(&whose)
                && let Err(error) = std::fs::remove_dir_all(folder.path())
            {
                // Its programs may still write there; then the next run removes it.
                eprintln!("{} is not removed: {error}", folder.path().display());
            }
        }
    }

    fn sweep_of(self, whose: impl Fn(u32) -> bool) -> anyhow::Result<()> {
        for line in ip("netns list")?.lines() {
            let Some(name) = line.split_whitespace().next() else {
                continue;
            };
            if !self.owner(name).is_some_and(&whose) {
                continue;
            }
            eprintln!("removing {name}, left by a benchmark that was killed");
            for pid in ip(&format!("netns pids {name}"))?.split_whitespace() {
                if let Ok(pid) = pid.parse() {
                    // It may have ended by itself.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            ip(&format!("netns del {name}"))?;
        }
        self.sweep_folders(whose);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;

    #[test]
    fn names_tell_their_process() {
        let mark = Mark("benchx-");
        assert_eq!(mark.owner(&mark.name("0-bird-r")), Some(std::process::id()));
        assert_eq!(mark.owner("benchx-12-r"), Some(12));
        for other in ["benchy-12-r", "benchx-12", "benchx--12", "x-benchx-12-r", ""] {
            assert_eq!(mark.owner(other), None, "{other}");
        }
    }

    #[test]
    fn folders_of_processes_that_are_gone_are_removed_and_no_others() {
        let mark = Mark("bench-support-test-");
        let own = mark.folder().unwrap();
        // No process has so high a number (PID_MAX_LIMIT is 4,194,304).
        let gone = tempfile::Builder::new()
            .prefix(&format!("{}4194305-", mark.0))
            .tempdir()
            .unwrap();
        let path = gone.keep();
        mark.sweep_folders(|owner| owner == 4_194_305);
        assert!(own.path().exists() && !path.exists());
    }
}
