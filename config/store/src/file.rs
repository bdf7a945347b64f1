//! The file datastore: one task that reads, loads and publishes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use config::{Loaded, Problem, Source};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::debounce::Debounce;
use crate::error::Error;
use crate::read;
use crate::state::StoreState;
use crate::watcher::{PathWatcher, Shared};

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

/// Starts file datastores.
#[derive(Debug)]
pub struct FileStore;

impl FileStore {
    /// Reads the path and follows it from then on. What is wrong with the text is in the state; that the file
    /// is not there yet, too. Must be called within a tokio runtime.
    pub fn start(path: impl Into<PathBuf>) -> Result<Handle, Error> {
        Self::start_with(path, Timing::default())
    }

    /// The same with other waiting times.
    pub fn start_with(path: impl Into<PathBuf>, timing: Timing) -> Result<Handle, Error> {
        let path = path.into();
        if path.file_name().is_none() {
            let (path, why) = (
                path.display().to_string(),
                "not the name of a file or folder: give one".to_owned(),
            );
            return Err(Error::Path { path, why });
        }
        let debounce = Mutex::new(Debounce::new(timing.quiet, timing.patience));
        let shared = Arc::new(Shared {
            debounce,
            wake: Notify::new(),
        });
        // Watch before reading: a change in between is seen.
        let mut watcher = PathWatcher::new(&path, Arc::clone(&shared));
        watcher.refresh();
        let seen = read::sources(&path);
        let first = StoreState::empty(SystemTime::now()).after(
            judge(seen.clone()),
            &path.display().to_string(),
            SystemTime::now(),
        );
        report(&path, &first);
        let (publish, state) = watch::channel(Arc::new(first));
        let task = Task {
            path: path.clone(),
            poll: timing.poll,
            shared: Arc::clone(&shared),
            watcher,
            seen,
            publish,
        };
        Ok(Handle {
            inner: Arc::new(Inner {
                path,
                state,
                shared,
                task: tokio::spawn(task.run()),
            }),
        })
    }
}

/// A running datastore; it stops when the last clone of its handle is dropped.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    state: watch::Receiver<Arc<StoreState>>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Handle {
    /// The state, now and after every change.
    pub fn state(&self) -> watch::Receiver<Arc<StoreState>> {
        self.inner.state.clone()
    }

    /// The path that is followed.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Reads again soon, without waiting for an event.
    pub fn reload(&self) {
        self.inner
            .shared
            .debounce(|debounce| debounce.touched(Instant::now()));
        self.inner.shared.wake.notify_one();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Seen = Result<Vec<Source>, Problem>;

fn judge(seen: Seen) -> Loaded {
    match seen {
        Ok(sources) => config::load(&sources),
        Err(problem) => Loaded {
            intent: None,
            problems: vec![problem],
        },
    }
}

fn report(path: &Path, state: &StoreState) {
    let path = path.display();
    for problem in &state.problems {
        if problem.is_error() {
            tracing::error!("{problem}")
        } else {
            tracing::warn!("{problem}")
        }
    }
    if state.is_bad() {
        tracing::error!(%path, revision = state.revision, "resources refused, the last good state stays");
    } else {
        tracing::info!(%path, revision = state.revision, "resources read");
    }
}

struct Task {
    path: PathBuf,
    poll: Duration,
    shared: Arc<Shared>,
    watcher: PathWatcher,
    seen: Seen,
    publish: watch::Sender<Arc<StoreState>>,
}

impl Task {
    async fn run(mut self) {
        let mut next_poll = Instant::now() + self.poll;
        loop {
            let due = self.shared.debounce(|debounce| debounce.due());
            let until = due.map_or(next_poll, |due| due.min(next_poll));
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
            let now = Instant::now();
            if self.shared.debounce(|debounce| debounce.take(now)) {
                self.read_and_publish().await;
            } else if now >= next_poll {
                next_poll = now + self.poll;
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

    async fn read_and_publish(&mut self) {
        self.watcher.refresh();
        let Some(seen) = self.read().await else { return };
        if seen == self.seen {
            return;
        }
        self.seen = seen.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || judge(seen)).await else {
            tracing::error!("loading resources failed; the last good state stays");
            return;
        };
        let name = self.path.display().to_string();
        let next = self.publish.borrow().after(loaded, &name, SystemTime::now());
        report(&self.path, &next);
        self.publish.send_if_modified(|state| {
            let changed = **state != next;
            *state = Arc::new(next);
            changed
        });
    }
}
