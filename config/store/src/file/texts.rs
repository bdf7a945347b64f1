//! The documents of the files at a path, by key. Pure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{Document, Problem, Source, documents};
use datastore::{Incarnation, Item, Key, Listing, Revision, SpaceView, Version};

use super::edit::core_of;
use crate::disk::digest;

/// Every document with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) documents: BTreeMap<Key, Document>,
    pub(crate) revision: Revision,
}

/// The version of a text: its hash. The same text again is the same version, for nothing has changed.
pub(crate) fn version_of(text: &str) -> Version {
    Version::new(short(text.as_bytes()))
}

fn short(bytes: &[u8]) -> String {
    let mut digest = digest(bytes);
    digest.truncate(32);
    digest
}

impl Texts {
    /// Takes the sources apart. `path` is what the whole is called where no single place can be named.
    ///
    /// # Errors
    /// Texts that cannot be told apart: syntax errors, documents without a kind and name, a name twice.
    pub(crate) fn read(sources: &[Source], path: &Path) -> Result<Texts, Vec<Problem>> {
        let mut found = BTreeMap::new();
        for source in sources {
            for document in documents(source)? {
                let key = Key::resource(document.kind, document.name.clone());
                let (line, file) = (document.line, document.source.clone());
                if let Some(first) = found.insert(key.clone(), document) {
                    let message = format!(
                        "{key} is a second time, the first is at {}:{}",
                        first.source, first.line
                    );
                    return Err(vec![Problem {
                        line,
                        ..Problem::whole_file(&file, message, "remove one of them")
                    }]);
                }
            }
        }
        let mut whole = path.display().to_string();
        for (key, document) in &found {
            whole.push_str(&format!("\n{key} {}", version_of(core_of(document))));
        }
        Ok(Texts {
            documents: found,
            revision: Revision::new(short(whole.as_bytes())),
        })
    }

    /// One document as an item.
    fn item(&self, key: &Key) -> Option<Item> {
        let core = core_of(self.documents.get(key)?);
        Some(Item {
            key: key.clone(),
            value: Arc::from(core),
            version: version_of(core),
            incarnation: Incarnation::new(key.to_string()),
        })
    }

    /// All of them.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item> {
        self.documents.keys().filter_map(|key| self.item(key))
    }

    /// The same as a view.
    pub(crate) fn view(&self) -> SpaceView {
        SpaceView::from(Listing {
            items: self.items().collect(),
            revision: self.revision.clone(),
        })
    }
}
