//! The path as a datastore: its documents by key.
//!
//! A file has no history and no transactions, and the types say so: this store is neither `Transactional` nor does
//! it hold presence; it has resources and nothing else. What this process saw is remembered, so that a watch
//! tells what changed since a revision of it; from any other it is [`Error::Compacted`].

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datastore::{
    Answer, Changes, Datastore, Error, Expect, Item, Key, Listing, Outcome, Revision, Space, Write,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::Notify;

use super::eyes::{Eyes, Seen, Timing};
use super::history::History;
use super::read;
use super::texts::Texts;
use super::write;
use crate::handle::Handle;
use crate::last_good::Memory;

/// What the clones of a store have in common.
struct Shared {
    history: Mutex<History>,
    changed: Notify,
}

/// A file, or a folder of `*.yaml`, as a datastore. Cheap to clone.
#[derive(Clone)]
pub struct FileStore {
    path: PathBuf,
    timing: Timing,
    seen: Arc<Shared>,
}

impl FileStore {
    /// The store at a path, which need not be there yet.
    ///
    /// # Errors
    /// A path without a name, such as `/`.
    pub fn new(path: impl Into<PathBuf>) -> Result<FileStore, crate::Error> {
        Self::with_timing(path, Timing::default())
    }

    /// The same with other waiting times for its watches.
    ///
    /// # Errors
    /// As for [`FileStore::new`].
    pub fn with_timing(path: impl Into<PathBuf>, timing: Timing) -> Result<FileStore, crate::Error> {
        let path = path.into();
        if path.file_name().is_none() {
            let (path, why) = (
                path.display().to_string(),
                "not the name of a file or folder: give one".to_owned(),
            );
            return Err(crate::Error::Path { path, why });
        }
        Ok(FileStore {
            path,
            timing,
            seen: Arc::new(Shared {
                history: Mutex::new(History::new(RandomState::new().build_hasher().finish())),
                changed: Notify::new(),
            }),
        })
    }

    /// Reads the path and follows it from then on, as [`crate::open`] does, but keeps nothing on disk. To be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// As for [`FileStore::new`].
    pub fn start(path: impl Into<PathBuf>) -> Result<Handle, crate::Error> {
        Self::start_with(path, Timing::default())
    }

    /// The same with other waiting times.
    ///
    /// # Errors
    /// As for [`FileStore::new`].
    pub fn start_with(path: impl Into<PathBuf>, timing: Timing) -> Result<Handle, crate::Error> {
        super::start(&path.into(), timing, Memory::default())
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn invalid(&self, detail: impl Into<String>, fix: impl Into<String>) -> Error {
        Error::Invalid {
            store: self.describe(),
            detail: detail.into(),
            fix: fix.into(),
        }
    }

    fn compacted(&self, revision: &Revision) -> Error {
        Error::Compacted {
            store: self.describe(),
            revision: revision.to_string(),
        }
    }

    /// The documents of what was seen.
    fn take_apart(&self, seen: &Seen) -> Result<Texts, Error> {
        let sources = seen.as_ref().map_err(|problem| Error::Unavailable {
            store: self.describe(),
            detail: problem.to_string(),
        })?;
        Texts::read(sources, &self.path).map_err(|problems| {
            let first = problems.iter().find(|problem| problem.is_error());
            self.invalid(
                first.map(ToString::to_string).unwrap_or_default(),
                "mend it by hand",
            )
        })
    }

    /// Does something with everything as it is now. Where there is no file yet there is nothing in it. Reading and
    /// remembering is one step, so that the order of what is remembered is that of the file.
    async fn look<T: Send + 'static>(
        &self,
        then: impl FnOnce(&History) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.clone();
        self.blocking(move || {
            let mut history = store.history();
            store.observe(&mut history)?;
            Ok(then(&history))
        })
        .await
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.seen.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, history: &mut History) -> Result<(), Error> {
        let absent = !self.path.exists() && self.path.symlink_metadata().is_err();
        let seen = if absent {
            Ok(Vec::new())
        } else {
            read::sources(&self.path)
        };
        history.observe(&self.take_apart(&seen)?);
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(Error::Unknown {
                store: self.describe(),
                detail: error.to_string(),
            }),
        }
    }
}

impl Datastore for FileStore {
    fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        let key = key.clone();
        Box::pin(async move { self.look(move |history| history.get(&key)).await })
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        Box::pin(async move {
            match space {
                Space::Resources => self.look(History::listing).await,
                // Nobody claims anything in a file.
                Space::Ownership | Space::Addresses => Ok(Listing {
                    items: Vec::new(),
                    revision: Revision::new("none"),
                }),
            }
        })
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        Box::pin(async move {
            if space != Space::Resources {
                return Ok(stream::pending().boxed());
            }
            let (path, timing) = (self.path.clone(), self.timing);
            let eyes = self.blocking(move || Ok(Eyes::open(&path, timing))).await?;
            let known = after.clone();
            if self.look(move |history| history.after(&known)).await?.is_none() {
                return Err(self.compacted(&after));
            }
            let watch = Watch {
                store: self.clone(),
                eyes,
                after,
                ready: VecDeque::new(),
                ended: false,
            };
            Ok(stream::unfold(watch, Watch::step).boxed())
        })
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        Box::pin(async move {
            if write.key().space() != Space::Resources {
                let detail = format!("{} cannot be kept in a file", write.key());
                return Err(self.invalid(
                    detail,
                    "blocks are claimed with datastore.kind etcd or kubernetes",
                ));
            }
            let (path, name) = (self.path.clone(), self.describe());
            let store = self.clone();
            self.blocking(move || {
                let mut history = store.history();
                let outcome = write::write(&path, &name, &write, &expect, &mut history);
                drop(history);
                store.seen.changed.notify_waiters();
                outcome
            })
            .await
        })
    }
}

struct Watch {
    store: FileStore,
    eyes: Eyes,
    after: Revision,
    ready: VecDeque<Changes>,
    ended: bool,
}

impl Watch {
    /// The next changes, or the error that ends it.
    async fn step(mut self) -> Option<(Result<Changes, Error>, Watch)> {
        while !self.ended {
            if let Some(changes) = self.ready.pop_front() {
                self.after = changes.revision.clone();
                return Some((Ok(changes), self));
            }
            let seen = Arc::clone(&self.store.seen);
            let mut told = pin!(seen.changed.notified());
            // From here on no notice is missed.
            told.as_mut().enable();
            let known = self.after.clone();
            let absent = self.eyes.seen().as_ref().err().cloned();
            let found = match absent {
                Some(problem) => self.store.take_apart(&Err(problem)).map(|_| None),
                None => self.store.look(move |history| history.after(&known)).await,
            };
            match found {
                Ok(Some(changes)) if changes.is_empty() => {
                    tokio::select! {
                        () = told => {}
                        _ = self.eyes.next() => {}
                    }
                }
                Ok(Some(changes)) => self.ready.extend(changes),
                Ok(None) => {
                    self.ended = true;
                    let error = self.store.compacted(&self.after);
                    return Some((Err(error), self));
                }
                Err(error) => {
                    self.ended = true;
                    return Some((Err(error), self));
                }
            }
        }
        None
    }
}
