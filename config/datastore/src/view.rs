//! A space as it is known from a listing and what was watched since. Pure.

use std::collections::BTreeMap;

use crate::key::Key;
use crate::value::{Change, Changes, Item, Listing, Revision};

/// Everything in a space at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceView {
    /// Every item by its key.
    pub items: BTreeMap<Key, Item>,
    /// The moment, for the store.
    pub revision: Revision,
}

impl From<Listing> for SpaceView {
    fn from(listing: Listing) -> Self {
        SpaceView {
            items: listing
                .items
                .into_iter()
                .map(|item| (item.key.clone(), item))
                .collect(),
            revision: listing.revision,
        }
    }
}

impl SpaceView {
    /// Moves on by what was watched.
    pub fn apply(&mut self, changes: Changes) {
        for change in changes.changes {
            match change {
                Change::Put(item) => {
                    self.items.insert(item.key.clone(), item);
                }
                Change::Deleted(key) => {
                    self.items.remove(&key);
                }
            }
        }
        self.revision = changes.revision;
    }
}
