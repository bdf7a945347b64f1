//! When a change is over: pure, time is a parameter.
//!
//! A writer truncates, writes in pieces and closes. Reading waits for a quiet moment after the last event; while
//! a written file has not been closed, it waits longer, so that a slow writer is not taken at half.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Collects events until it is time to read.
#[derive(Debug)]
pub(crate) struct Debounce {
    quiet: Duration,
    patience: Duration,
    last: Option<Instant>,
    open: HashSet<PathBuf>,
}

impl Debounce {
    /// `quiet`: the pause after which a change counts as over. `patience`: the same while a file is open.
    pub(crate) fn new(quiet: Duration, patience: Duration) -> Self {
        Self {
            quiet,
            patience,
            last: None,
            open: HashSet::new(),
        }
    }

    /// Something changed.
    pub(crate) fn touched(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// A file was written to and not closed yet.
    pub(crate) fn written(&mut self, path: &Path, now: Instant) {
        self.open.insert(path.to_owned());
        self.touched(now);
    }

    /// A file was closed by its writer, or is gone.
    pub(crate) fn closed(&mut self, path: &Path, now: Instant) {
        self.open.remove(path);
        self.touched(now);
    }

    /// When to read; none if nothing changed.
    pub(crate) fn due(&self) -> Option<Instant> {
        let wait = if self.open.is_empty() {
            self.quiet
        } else {
            self.patience
        };
        self.last.map(|last| last + wait)
    }

    /// Whether it is time; if so, what was collected is done with.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            self.last = None;
            self.open.clear();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_quiet_and_longer_for_an_open_file() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut debounce = Debounce::new(Duration::from_millis(100), Duration::from_millis(2000));
        assert!(!debounce.take(at(0)));
        debounce.touched(at(0));
        debounce.touched(at(90));
        assert!(!debounce.take(at(189)));
        assert!(debounce.take(at(190)));
        assert!(!debounce.take(at(500)), "once");

        let file = Path::new("f");
        debounce.written(file, at(1000));
        assert!(!debounce.take(at(2500)), "the writer is not done");
        debounce.closed(file, at(2600));
        assert!(debounce.take(at(2700)));
        debounce.written(file, at(3000));
        assert!(debounce.take(at(5000)), "no writer is waited for without end");
    }
}
