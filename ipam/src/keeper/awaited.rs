//! When a followed view is new enough to decide on. Pure.
//!
//! Marks of a store can only be compared for equality, so "newer" is asked key by key. After a commit, each key
//! that it wrote has to look different from every state that is known to be from before, or as the answer or a
//! listing said that it is. After a conflict, some comparison must not hold any more. What is awaited from an
//! earlier commit stays awaited, so that a view from before both is never taken for one from after the second.

use std::collections::BTreeMap;

use datastore::{Compare, Item, Key, Space, SpaceView, Transaction, Version, Write};

/// Two spaces at about one moment.
#[derive(Clone, Copy)]
pub(crate) struct Spaces<'a> {
    pub resources: &'a SpaceView,
    pub ownership: &'a SpaceView,
}

impl<'a> Spaces<'a> {
    fn item(&self, key: &Key) -> Option<&'a Item> {
        match key.space() {
            Space::Resources => self.resources.items.get(key),
            Space::Ownership => self.ownership.items.get(key),
            Space::Addresses => None,
        }
    }

    fn version(&self, key: &Key) -> Option<Version> {
        self.item(key).map(|item| item.version.clone())
    }

    /// Whether a comparison holds here. What is not followed is taken to hold.
    fn holds(&self, compare: &Compare) -> bool {
        let key = match compare {
            Compare::Absent(key) | Compare::Version(key, _) | Compare::Incarnation(key, _) => key,
            Compare::Unwritten(Space::Resources, revision) => return self.resources.revision == *revision,
            Compare::Unwritten(Space::Ownership, revision) => return self.ownership.revision == *revision,
            Compare::Unwritten(Space::Addresses, _) => return true,
        };
        if key.space() == Space::Addresses {
            return true;
        }
        match (compare, self.item(key)) {
            (Compare::Absent(_), found) => found.is_none(),
            (Compare::Version(_, version), Some(item)) => item.version == *version,
            (Compare::Incarnation(_, incarnation), Some(item)) => item.incarnation == *incarnation,
            _ => false,
        }
    }
}

/// What a view has to show before it is decided on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Awaited {
    keys: BTreeMap<Key, Awaits>,
    /// One of these must not hold any more.
    refuted: Vec<Compare>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Awaits {
    /// States from before.
    stale: Vec<Option<Version>>,
    /// A state that is new enough although it may look like one from before.
    enough: Option<Option<Version>>,
}

impl Awaited {
    /// What a transaction changes that was decided on `seen`: carried out (`done`), or perhaps.
    pub(crate) fn commit(
        mut self,
        transaction: &Transaction,
        seen: Spaces<'_>,
        done: Option<&Version>,
    ) -> Self {
        self.refuted.clear();
        let followed = |write: &&Write| write.key().space() != Space::Addresses;
        for write in transaction.write.iter().filter(followed) {
            let awaits = self.keys.entry(write.key().clone()).or_default();
            awaits.stale.push(seen.version(write.key()));
            awaits.enough = match (write, done) {
                (Write::Put(..), Some(version)) => Some(Some(version.clone())),
                _ => None,
            };
        }
        self
    }

    /// What a conflict says: one of these comparisons does not hold.
    pub(crate) fn conflict(mut self, transaction: &Transaction) -> Self {
        self.refuted = transaction.compare.clone();
        self
    }

    /// The same, once a listing has told how things are.
    pub(crate) fn listed(mut self, listing: Spaces<'_>) -> Self {
        for (key, awaits) in &mut self.keys {
            awaits.enough = Some(listing.version(key));
        }
        if self.refuted.iter().all(|compare| listing.holds(compare)) {
            self.refuted.clear();
        }
        self
    }

    /// Whether a followed view is new enough.
    pub(crate) fn shown(&self, view: Spaces<'_>) -> bool {
        let keys = self.keys.iter().all(|(key, awaits)| {
            let now = view.version(key);
            awaits.enough.as_ref() == Some(&now) || !awaits.stale.contains(&now)
        });
        keys && (self.refuted.is_empty() || self.refuted.iter().any(|compare| !view.holds(compare)))
    }
}

#[cfg(test)]
mod tests;
