//! Values with what a store knows about them.

use std::fmt;
use std::sync::Arc;

use crate::key::Key;

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The mark as the store spells it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the mark.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque! {
    /// One writing of one key: it differs after each write. Only its own store can read it; equality is all
    /// that others may ask (etcd: mod revision; Kubernetes: `resourceVersion`).
    Version
}
opaque! {
    /// One life of a key, from its creation to its deletion: a key that was deleted and made again has another
    /// one (etcd: create revision; Kubernetes: `uid`).
    Incarnation
}
opaque! {
    /// A moment of a space, from which it can be watched. Only its own store can read it.
    Revision
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it lives.
    pub key: Key,
    /// The text: JSON, or for resources YAML (of which JSON is a part).
    pub value: Arc<str>,
    /// This writing of it.
    pub version: Version,
    /// This life of it.
    pub incarnation: Incarnation,
}

/// A whole space at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// All items, sorted by key.
    pub items: Vec<Item>,
    /// Where to watch from.
    pub revision: Revision,
}

/// What happened to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Written.
    Put(Item),
    /// Gone.
    Deleted(Key),
}

impl Change {
    /// The key that it is about.
    pub fn key(&self) -> &Key {
        match self {
            Change::Put(item) => &item.key,
            Change::Deleted(key) => key,
        }
    }
}

/// Changes that belong together (one transaction is never split), with the revision after them. No changes:
/// only the revision has moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// In the order of the store.
    pub changes: Vec<Change>,
    /// Where to go on watching.
    pub revision: Revision,
}
