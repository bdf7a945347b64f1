//! The path as a datastore: its documents by key.
//!
//! A file has no history and no transactions, and the types say so: this store is neither `Transactional` nor does
//! it hold presence; it has resources and nothing else. What it gave out last is remembered, so that a watch
//! from there tells what changed since; from anywhere else it is [`Error::Compacted`].

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datastore::{
    Answer, Change, Changes, Datastore, Error, Expect, Item, Key, Listing, Outcome, Revision, Space, Write,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::eyes::{Eyes, Seen, Timing};
use super::read;
use super::texts::Texts;
use super::write;
use crate::handle::Handle;
use crate::last_good::Memory;

/// How many of the wholes that were given out are remembered.
const REMEMBERED: usize = 32;

type Whole = Arc<BTreeMap<Key, Item>>;

/// A file, or a folder of `*.yaml`, as a datastore. Cheap to clone.
#[derive(Clone)]
pub struct FileStore {
    path: PathBuf,
    timing: Timing,
    given: Arc<Mutex<VecDeque<(Revision, Whole)>>>,
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
            given: Arc::default(),
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

    /// Remembers what is given out.
    fn give(&self, texts: &Texts) -> Whole {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, whole)) = given.iter().find(|(revision, _)| *revision == texts.revision) {
            return Arc::clone(whole);
        }
        let whole: Whole = Arc::new(texts.view().items);
        given.push_back((texts.revision.clone(), Arc::clone(&whole)));
        while given.len() > REMEMBERED {
            given.pop_front();
        }
        whole
    }

    /// Everything as it is now. Where there is no file yet there is nothing in it.
    async fn now(&self) -> Result<Texts, Error> {
        let store = self.clone();
        let read = move || {
            let absent = !store.path.exists() && store.path.symlink_metadata().is_err();
            let seen = if absent {
                Ok(Vec::new())
            } else {
                read::sources(&store.path)
            };
            let texts = store.take_apart(&seen)?;
            store.give(&texts);
            Ok(texts)
        };
        self.blocking(read).await
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

/// What turns one whole into the other.
fn difference(before: &BTreeMap<Key, Item>, after: &BTreeMap<Key, Item>) -> Vec<Change> {
    let gone = (before.keys()).filter(|key| !after.contains_key(*key));
    let put = (after.values()).filter(|item| {
        let old = before.get(&item.key);
        old.is_none_or(|old| old.version != item.version)
    });
    let mut changes: Vec<Change> = gone.cloned().map(Change::Deleted).collect();
    changes.extend(put.cloned().map(Change::Put));
    changes
}

impl Datastore for FileStore {
    fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        let key = key.clone();
        Box::pin(async move { Ok(self.now().await?.item(&key)) })
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        Box::pin(async move {
            match space {
                Space::Resources => Ok(self.now().await?.listing()),
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
            let from = {
                let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
                let found = given.iter().find(|(revision, _)| *revision == after);
                found.map(|(_, whole)| Arc::clone(whole))
            };
            let from = from.ok_or_else(|| Error::Compacted {
                store: self.describe(),
                revision: after.to_string(),
            })?;
            let (path, timing) = (self.path.clone(), self.timing);
            let eyes = self.blocking(move || Ok(Eyes::open(&path, timing))).await?;
            let watch = Watch {
                store: self.clone(),
                eyes,
                last: from,
                state: State::Fresh,
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
            self.blocking(move || write::write(&path, &name, &write, &expect))
                .await
        })
    }
}

enum State {
    /// What was there when the eyes opened has not been compared yet.
    Fresh,
    Following,
    Ended,
}

struct Watch {
    store: FileStore,
    eyes: Eyes,
    last: Whole,
    state: State,
}

impl Watch {
    /// The next changes, or the error that ends it.
    async fn step(mut self) -> Option<(Result<Changes, Error>, Watch)> {
        loop {
            let seen = match self.state {
                State::Ended => return None,
                State::Fresh => {
                    self.state = State::Following;
                    self.eyes.seen().clone()
                }
                State::Following => self.eyes.next().await.clone(),
            };
            let texts = match self.store.take_apart(&seen) {
                Ok(texts) => texts,
                Err(error) => {
                    self.state = State::Ended;
                    return Some((Err(error), self));
                }
            };
            let whole = self.store.give(&texts);
            let changes = difference(&self.last, &whole);
            self.last = whole;
            if !changes.is_empty() {
                let revision = texts.revision;
                return Some((Ok(Changes { changes, revision }), self));
            }
        }
    }
}
