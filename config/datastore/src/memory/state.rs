//! The store itself: pure, one step at a time.
//!
//! One revision counter for everything. A committed transaction that changes something is one revision, kept in the
//! history until it is compacted; a key remembers the revision that made it and the one that wrote it last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use super::{NAME, number};
use crate::error::Error;
use crate::key::{Key, Space};
use crate::transaction::{Compare, Outcome, Transaction, Write};
use crate::value::{Change, Changes, Incarnation, Item, Listing, Revision, Version};

/// All that the store knows.
pub(super) struct State {
    revision: u64,
    /// History before this revision is gone.
    compacted: u64,
    values: BTreeMap<Key, Value>,
    history: BTreeMap<u64, Vec<Change>>,
    /// Living holders of presence keys: their number and the value that they keep there.
    holders: BTreeMap<Key, (u64, Arc<str>)>,
    last_holder: u64,
    /// Counts [`State::break_watches`].
    pub(super) epoch: u64,
    wakers: Vec<Waker>,
}

struct Value {
    text: Arc<str>,
    created: u64,
    modified: u64,
}

impl Default for State {
    fn default() -> Self {
        State {
            // etcd begins with 1 as well; 0 means "from the beginning".
            revision: 1,
            compacted: 0,
            values: BTreeMap::new(),
            history: BTreeMap::new(),
            holders: BTreeMap::new(),
            last_holder: 0,
            epoch: 0,
            wakers: Vec::new(),
        }
    }
}

impl State {
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn get(&self, key: &Key) -> Option<Item> {
        self.values.get(key).map(|value| value.item(key))
    }

    pub fn list(&self, space: Space) -> Listing {
        let inside = self.values.iter().filter(|(key, _)| key.space() == space);
        Listing {
            items: inside.map(|(key, value)| value.item(key)).collect(),
            revision: Revision::new(self.revision.to_string()),
        }
    }

    /// One [`Changes`] for each revision after `after` that touched the space.
    pub fn changes(&self, space: Space, after: u64) -> Result<Vec<Changes>, Error> {
        if after.saturating_add(1) < self.compacted {
            return Err(Error::Compacted {
                store: NAME.into(),
                revision: after.to_string(),
            });
        }
        let later = self.history.range(after.saturating_add(1)..);
        let of_space = later.map(|(revision, changes)| Changes {
            changes: (changes.iter().filter(|change| change.key().space() == space))
                .cloned()
                .collect(),
            revision: Revision::new(revision.to_string()),
        });
        Ok(of_space.filter(|changes| !changes.changes.is_empty()).collect())
    }

    /// Writes all if all comparisons hold.
    pub fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        let keys: BTreeSet<&Key> = transaction.write.iter().map(Write::key).collect();
        if keys.len() < transaction.write.len() {
            return Err(Error::Invalid {
                store: NAME.into(),
                detail: "a transaction writes one key twice".into(),
                fix: "write each key once".into(),
            });
        }
        for compare in &transaction.compare {
            if !self.holds(compare)? {
                return Ok(Outcome::Conflict);
            }
        }
        self.write(&transaction.write);
        Ok(Outcome::Done(Version::new(self.revision.to_string())))
    }

    fn holds(&self, compare: &Compare) -> Result<bool, Error> {
        Ok(match compare {
            Compare::Absent(key) => !self.values.contains_key(key),
            Compare::Version(key, version) => {
                let wanted = number(version.as_str())?;
                self.values.get(key).is_some_and(|value| value.modified == wanted)
            }
            Compare::Incarnation(key, incarnation) => {
                let wanted = number(incarnation.as_str())?;
                self.values.get(key).is_some_and(|value| value.created == wanted)
            }
            Compare::Unwritten(space, since) => {
                let since = number(since.as_str())?;
                let mut inside = self.values.iter().filter(|(key, _)| key.space() == *space);
                inside.all(|(_, value)| value.modified <= since)
            }
        })
    }

    /// Does all of it as one revision; none if nothing changes.
    fn write(&mut self, writes: &[Write]) {
        let next = self.revision + 1;
        let mut changes = Vec::new();
        for write in writes {
            match write {
                Write::Put(key, text) => {
                    let created = self.values.get(key).map_or(next, |value| value.created);
                    let value = Value {
                        text: text.as_str().into(),
                        created,
                        modified: next,
                    };
                    changes.push(Change::Put(value.item(key)));
                    self.values.insert(key.clone(), value);
                }
                Write::Delete(key) => {
                    if self.values.remove(key).is_some() {
                        changes.push(Change::Deleted(key.clone()));
                    }
                }
            }
        }
        if !changes.is_empty() {
            self.revision = next;
            self.history.insert(next, changes);
            self.wake();
        }
    }

    pub fn compact(&mut self) {
        self.compacted = self.revision;
        self.history = self.history.split_off(&self.revision);
        self.wake();
    }

    pub fn break_watches(&mut self) {
        self.epoch += 1;
        self.wake();
    }

    /// A new holder of a presence key; an earlier one has no say any more.
    pub fn hold(&mut self, key: Key, value: Arc<str>) -> u64 {
        self.last_holder += 1;
        self.holders
            .insert(key.clone(), (self.last_holder, Arc::clone(&value)));
        self.write(&[Write::Put(key, value.to_string())]);
        self.last_holder
    }

    pub fn let_go(&mut self, key: &Key, number: u64) {
        if self.holders.get(key).is_some_and(|(holder, _)| *holder == number) {
            self.holders.remove(key);
            self.write(&[Write::Delete(key.clone())]);
        }
    }

    pub fn expire(&mut self, key: &Key) {
        self.write(&[Write::Delete(key.clone())]);
    }

    pub fn renew(&mut self) {
        let lost = self
            .holders
            .iter()
            .filter(|(key, _)| !self.values.contains_key(key));
        let puts: Vec<Write> = lost
            .map(|(key, (_, value))| Write::Put(key.clone(), value.to_string()))
            .collect();
        self.write(&puts);
    }

    /// Wakes `waker` at the next thing that a watch may want to see.
    pub fn wake_me(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

impl Value {
    fn item(&self, key: &Key) -> Item {
        Item {
            key: key.clone(),
            value: Arc::clone(&self.text),
            version: Version::new(self.modified.to_string()),
            incarnation: Incarnation::new(self.created.to_string()),
        }
    }
}
