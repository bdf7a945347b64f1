//! Events of the file system, boiled down to the debounce.
//!
//! What is watched is the folder around the path, and not the file: editors replace files by renaming, and a
//! ConfigMap's files are symlinks whose target folder is swapped. The folder of the real file is watched as
//! well. Events that do not concern the path are dropped, so that a busy folder does not keep us waiting.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::debounce::Debounce;
use super::read::is_resource_file;

/// What the watcher's thread and the store's task share.
pub(crate) struct Shared {
    pub(crate) debounce: Mutex<Debounce>,
    pub(crate) wake: Notify,
}

impl Shared {
    /// Runs a function on the debounce. A panic while it was held leaves it as usable as before.
    pub(crate) fn debounce<T>(&self, f: impl FnOnce(&mut Debounce) -> T) -> T {
        f(&mut self.debounce.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The kernel's watches for one path. Without them (limits of inotify) the poll still sees every change.
pub(crate) struct PathWatcher {
    path: PathBuf,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl PathWatcher {
    pub(crate) fn new(path: &Path, shared: Arc<Shared>) -> Self {
        let target = path.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let now = Instant::now();
            match event {
                Ok(event) => shared.debounce(|debounce| feed(debounce, &target, &event, now)),
                // Lost events (queue overflow): look.
                Err(_) => shared.debounce(|debounce| debounce.touched(now)),
            }
            shared.wake.notify_one();
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "no file events; changes are found by polling only"))
            .ok();
        Self {
            path: path.to_owned(),
            watcher,
            watched: BTreeSet::new(),
        }
    }

    /// Brings the watched folders up to date: they may have been made, moved or swapped.
    pub(crate) fn refresh(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = folders(&self.path);
        for gone in self.watched.difference(&wanted) {
            // Fails where the folder is gone; the kernel has dropped that watch already.
            let _ = watcher.unwatch(gone);
        }
        // Watching again what is watched is harmless, and needed where a folder was made anew.
        self.watched = wanted
            .into_iter()
            .filter(
                |folder| match watcher.watch(folder, RecursiveMode::NonRecursive) {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::debug!(folder = %folder.display(), %error, "not watched");
                        false
                    }
                },
            )
            .collect();
    }
}

/// The folders whose events can concern the path.
fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for path in [Some(path.to_owned()), path.canonicalize().ok()]
        .into_iter()
        .flatten()
    {
        folders.extend(path.parent().map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
            .to_owned()
        }));
        if path.is_dir() {
            folders.insert(path);
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

/// Whether an event at this place can concern the path. Names that begin with `..` are how Kubernetes swaps
/// the content of a volume. While the path leads nowhere, everything around it may bring it back.
fn concerns(target: &Path, place: &Path) -> bool {
    let Ok(real) = target.canonicalize() else {
        return true;
    };
    let swap = place
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(".."));
    let named = [target, &real]
        .iter()
        .any(|path| path.file_name() == place.file_name());
    swap || named || (real.is_dir() && is_resource_file(place))
}

fn feed(debounce: &mut Debounce, target: &Path, event: &Event, now: Instant) {
    if event.need_rescan() {
        debounce.touched(now);
        return;
    }
    for place in event.paths.iter().filter(|place| concerns(target, place)) {
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => debounce.written(place, now),
            EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Remove(_) => {
                debounce.closed(place, now)
            }
            EventKind::Access(_) => {}
            EventKind::Modify(ModifyKind::Name(_)) => debounce.closed(place, now),
            _ => debounce.touched(now),
        }
    }
}
