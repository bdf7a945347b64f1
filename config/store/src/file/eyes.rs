//! Looking at a path until it says something else: events, debounced, and a slow poll for what events miss.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use config::{Problem, Source};
use tokio::sync::Notify;

use super::debounce::Debounce;
use super::read;
use super::watcher::{PathWatcher, Shared};

/// How long the store waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Pause after the last event before the files are read.
    pub quiet: Duration,
    /// The same while a writer has not closed its file.
    pub patience: Duration,
    /// How often the files are looked at without any event.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(200),
            patience: Duration::from_secs(2),
            poll: Duration::from_secs(5),
        }
    }
}

/// What is at the path: its texts, or why they cannot be had.
pub(crate) type Seen = Result<Vec<Source>, Problem>;

/// Follows one path.
pub(crate) struct Eyes {
    path: PathBuf,
    poll: Duration,
    next_poll: Instant,
    shared: Arc<Shared>,
    watcher: PathWatcher,
    seen: Seen,
}

impl Eyes {
    /// Reads the path and watches it from then on. Blocks for the reading; needs no runtime yet.
    pub(crate) fn open(path: &Path, timing: Timing) -> Eyes {
        let debounce = Mutex::new(Debounce::new(timing.quiet, timing.patience));
        let shared = Arc::new(Shared {
            debounce,
            wake: Notify::new(),
        });
        // Watch before reading: a change in between is seen.
        let mut watcher = PathWatcher::new(path, Arc::clone(&shared));
        watcher.refresh();
        Eyes {
            path: path.to_owned(),
            poll: timing.poll,
            next_poll: Instant::now() + timing.poll,
            shared,
            watcher,
            seen: read::sources(path),
        }
    }

    /// What was seen last.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// A function that makes [`Eyes::next`] look soon.
    pub(crate) fn nudge(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            shared.debounce(|debounce| debounce.touched(Instant::now()));
            shared.wake.notify_one();
        }
    }

    /// Waits until the path says something else.
    pub(crate) async fn next(&mut self) -> &Seen {
        loop {
            let due = self.shared.debounce(|debounce| debounce.due());
            let until = due.map_or(self.next_poll, |due| due.min(self.next_poll));
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
            let now = Instant::now();
            if self.shared.debounce(|debounce| debounce.take(now)) {
                self.watcher.refresh();
                if let Some(seen) = self.read().await.filter(|seen| *seen != self.seen) {
                    self.seen = seen;
                    return &self.seen;
                }
            } else if now >= self.next_poll {
                self.next_poll = now + self.poll;
                self.watcher.refresh();
                // What the poll finds is read after a quiet moment too: the writer may be at work.
                if self.read().await.is_some_and(|seen| seen != self.seen) {
                    self.shared
                        .debounce(|debounce| debounce.due().is_none().then(|| debounce.touched(now)));
                }
            }
        }
    }

    /// Reads on a thread for blocking work: a network file system may take its time.
    async fn read(&self) -> Option<Seen> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || read::sources(&path))
            .await
            .ok()
    }
}
