//! One write to the files at a path: read, compare, edit, check, replace. Blocks; all under the lock.

use std::io;
use std::path::{Path, PathBuf};

use config::{Document, Problem, Source, documents, load};
use datastore::{Error, Expect, Key, Outcome, Write};

use super::edit;
use super::history::History;
use super::lock::Lock;
use super::read;
use super::texts::{Texts, version_of};
use crate::disk;

/// A new file of resources can be read by all: it holds no secrets.
const MODE: u32 = 0o644;

/// Carries out one write. What is read on the way, and what it leads to, goes into the history.
pub(crate) fn write(
    path: &Path,
    store: &str,
    write: &Write,
    expect: &Expect,
    history: &mut History,
) -> Result<Outcome, Error> {
    let work = Work { path, store };
    // Links are followed: what is replaced is the file that they lead to.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let _lock = Lock::take(&real).map_err(|error| work.io(&error))?;
    let sources = work.sources()?;
    let texts = Texts::read(&sources, path).map_err(|problems| work.unreadable(&problems))?;
    history.observe(&texts);
    let key = write.key();
    let old = texts.documents.get(key);
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => old.is_none(),
        Expect::Version(version) => old.is_some_and(|old| version_of(edit::core_of(old)) == *version),
    };
    if !holds {
        return Ok(Outcome::Conflict);
    }
    let (edited, done) = match write {
        Write::Put(_, value) => {
            let new = work.one(key, value)?;
            let version = version_of(edit::core_of(&new));
            if old.is_some_and(|old| edit::core_of(old) == edit::core_of(&new)) {
                return Ok(Outcome::Done(version));
            }
            let edited = work.put(&sources, old, &new)?;
            work.check_edit(&edited, &texts, key, Some(&new))?;
            (edited, Some(version))
        }
        Write::Delete(_) => {
            let Some(old) = old else {
                return Ok(Outcome::Done(version_of(texts.revision.as_str())));
            };
            let edited = work.delete(&sources, old)?;
            work.check_edit(&edited, &texts, key, None)?;
            (edited, None)
        }
    };
    let after = edited.into(&sources);
    work.check_whole(&sources, &after.sources)?;
    work.store(&after)?;
    let texts = Texts::read(&after.sources, path).map_err(|problems| work.unreadable(&problems))?;
    history.observe(&texts);
    let version = done.unwrap_or_else(|| version_of(texts.revision.as_str()));
    Ok(Outcome::Done(version))
}

/// The name of a new file in a folder. A file system takes 255 bytes; the longest names of resources are cut and told
/// apart by their hash.
fn file_name(new: &Document) -> String {
    let mut name = format!("{}-{}", new.kind.name().to_lowercase(), new.name);
    if name.len() > 200 {
        let hash = disk::digest(name.as_bytes());
        name = [name.get(..160), hash.get(..16)]
            .map(Option::unwrap_or_default)
            .join("-");
    }
    name + ".yaml"
}

/// A source that is to be written.
struct Edited(Source);

/// All sources after the edit, and which of them to write.
struct After {
    sources: Vec<Source>,
    written: Source,
}

impl Edited {
    fn into(self, sources: &[Source]) -> After {
        let Edited(written) = self;
        let mut sources = sources.to_vec();
        match sources.iter_mut().find(|source| source.name == written.name) {
            Some(source) => source.text.clone_from(&written.text),
            None => sources.push(written.clone()),
        }
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        After { sources, written }
    }
}

struct Work<'w> {
    path: &'w Path,
    store: &'w str,
}

impl Work<'_> {
    fn invalid(&self, detail: impl Into<String>, fix: impl Into<String>) -> Error {
        Error::Invalid {
            store: self.store.to_owned(),
            detail: detail.into(),
            fix: fix.into(),
        }
    }

    fn io(&self, error: &io::Error) -> Error {
        let fix = match error.kind() {
            io::ErrorKind::WouldBlock => {
                let detail = "another program is writing it".to_owned();
                let store = self.store.to_owned();
                return Error::Unavailable { store, detail };
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "it is on a read-only mount (a ConfigMap?): change it where it comes from"
            }
            io::ErrorKind::PermissionDenied => "run this as a user who may write it and its folder",
            io::ErrorKind::NotFound => "make its folder, or set datastore.path",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
            _ => "see to its disk and folder",
        };
        self.invalid(format!("nothing was changed, it cannot be written: {error}"), fix)
    }

    fn unreadable(&self, problems: &[Problem]) -> Error {
        let first = problems.iter().find(|problem| problem.is_error());
        let said = first.map(ToString::to_string).unwrap_or_default();
        self.invalid(
            format!("its text cannot be taken apart: {said}"),
            "mend it by hand first",
        )
    }

    fn sources(&self) -> Result<Vec<Source>, Error> {
        // What is not there yet is made; anything else that cannot be read is not written over.
        if !self.path.exists() && self.path.symlink_metadata().is_err() {
            return Ok(Vec::new());
        }
        read::sources(self.path).map_err(|problem| self.invalid(problem.to_string(), "nothing was changed"))
    }

    /// The value as the one document that it has to be.
    fn one(&self, key: &Key, value: &str) -> Result<Document, Error> {
        let source = Source {
            name: key.to_string(),
            text: value.to_owned(),
        };
        let mut found = documents(&source).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            self.invalid(first, "nothing was changed")
        })?;
        match (found.pop(), found.len()) {
            (Some(one), 0) if Key::resource(one.kind, one.name.clone()) == *key => Ok(one),
            _ => Err(self.invalid(
                format!("the text for {key} is not that one document"),
                "write one document with that kind and name",
            )),
        }
    }

    fn source<'s>(&self, sources: &'s [Source], document: &Document) -> Result<&'s Source, Error> {
        let found = sources.iter().find(|source| source.name == document.source);
        found.ok_or_else(|| self.invalid("a file has gone while it was read", "try again"))
    }

    fn span<'d>(&self, document: &'d Document) -> Result<&'d std::ops::Range<usize>, Error> {
        document.span.as_ref().ok_or_else(|| {
            let (file, line) = (&document.source, document.line);
            self.invalid(
                format!(
                    "{} {} is an item of a list ({file}:{line})",
                    document.kind.name(),
                    document.name
                ),
                "make it a document of its own, after a line of `---`, or change it by hand",
            )
        })
    }

    fn put(&self, sources: &[Source], old: Option<&Document>, new: &Document) -> Result<Edited, Error> {
        if let Some(old) = old {
            let source = self.source(sources, old)?;
            let text = edit::replace(&source.text, self.span(old)?, &new.text);
            let name = source.name.clone();
            return Ok(Edited(Source { name, text }));
        }
        let file = if self.path.is_dir() {
            self.path.join(file_name(new))
        } else {
            self.path.to_owned()
        };
        let name = file.display().to_string();
        let there = sources.iter().find(|source| source.name == name);
        let text = edit::append(there.map_or("", |source| &source.text), &new.text);
        Ok(Edited(Source { name, text }))
    }

    fn delete(&self, sources: &[Source], old: &Document) -> Result<Edited, Error> {
        let source = self.source(sources, old)?;
        let text = edit::remove(&source.text, self.span(old)?);
        let name = source.name.clone();
        Ok(Edited(Source { name, text }))
    }

    /// The text reads as it is meant: this document is new, every other one of the file as it was.
    fn check_edit(
        &self,
        edited: &Edited,
        before: &Texts,
        key: &Key,
        new: Option<&Document>,
    ) -> Result<(), Error> {
        let Edited(source) = edited;
        let mut wanted: Vec<(Key, &str)> = (before.documents.iter())
            .filter(|(other, document)| *other != key && document.source == source.name)
            .map(|(other, document)| (other.clone(), document.json.as_str()))
            .collect();
        wanted.extend(new.map(|new| (key.clone(), new.json.as_str())));
        wanted.sort();
        let after = documents(source).unwrap_or_default();
        let mut found: Vec<(Key, &str)> = (after.iter())
            .map(|document| {
                (
                    Key::resource(document.kind, document.name.clone()),
                    document.json.as_str(),
                )
            })
            .collect();
        found.sort();
        if found == wanted {
            return Ok(());
        }
        Err(self.invalid(
            format!(
                "{} is written in a way that {key} cannot be changed in it safely",
                source.name
            ),
            "nothing was changed: change it by hand",
        ))
    }

    /// A good whole is not made a bad one. A bad one may be mended step by step.
    fn check_whole(&self, before: &[Source], after: &[Source]) -> Result<(), Error> {
        let loaded = load(after);
        let Some(first) = loaded.problems.iter().find(|problem| problem.is_error()) else {
            return Ok(());
        };
        let was_bad = load(before).problems.iter().any(Problem::is_error);
        if was_bad {
            return Ok(());
        }
        Err(self.invalid(
            format!("the resources as a whole would be refused: {first}"),
            "nothing was changed",
        ))
    }

    fn store(&self, after: &After) -> Result<(), Error> {
        let file = PathBuf::from(&after.written.name);
        let file = file.canonicalize().unwrap_or(file);
        // In a folder, a file that holds nothing any more goes.
        let done = if after.written.text.trim().is_empty() && self.path.is_dir() {
            std::fs::remove_file(&file)
        } else {
            disk::replace(&file, after.written.text.as_bytes(), MODE)
        };
        done.map_err(|error| self.io(&error))
    }
}
