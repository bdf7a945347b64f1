//! What this process has seen of the documents, in order. Pure.
//!
//! A file has no history of its own. What is read is compared with what was read before, and the differences are
//! numbered: from each number that is still kept a watch can tell everything since. Numbers carry a mark of the
//! process, so that those of another one are not taken for ours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use datastore::{Change, Incarnation, Item, Key, Listing, Revision};

use super::texts::Texts;

/// How many differences are kept.
const KEPT: usize = 1024;

/// The documents as they were seen last, and how they came to be so.
#[derive(Debug)]
pub(crate) struct History {
    mark: u64,
    number: u64,
    items: BTreeMap<Key, Item>,
    /// Number after the changes, and the changes.
    changes: VecDeque<(u64, Vec<Change>)>,
    /// How often each key has gone.
    deaths: BTreeMap<Key, u64>,
}

impl History {
    /// Nothing seen yet. `mark` differs from process to process.
    pub(crate) fn new(mark: u64) -> History {
        History {
            mark,
            number: 0,
            items: BTreeMap::new(),
            changes: VecDeque::new(),
            deaths: BTreeMap::new(),
        }
    }

    /// Takes in what was read.
    pub(crate) fn observe(&mut self, texts: &Texts) {
        let mut changes = Vec::new();
        for key in self.items.keys() {
            if !texts.documents.contains_key(key) {
                changes.push(Change::Deleted(key.clone()));
                *self.deaths.entry(key.clone()).or_default() += 1;
            }
        }
        for mut item in texts.items() {
            if self
                .items
                .get(&item.key)
                .is_none_or(|old| old.version != item.version)
            {
                let life = self.deaths.get(&item.key).copied().unwrap_or_default();
                item.incarnation = Incarnation::new(format!("{}#{life}", item.key));
                changes.push(Change::Put(item));
            }
        }
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            match change {
                Change::Put(item) => drop(self.items.insert(item.key.clone(), item.clone())),
                Change::Deleted(key) => drop(self.items.remove(key)),
            }
        }
        self.number += 1;
        self.changes.push_back((self.number, changes));
        if self.changes.len() > KEPT {
            self.changes.pop_front();
        }
    }

    /// One document.
    pub(crate) fn get(&self, key: &Key) -> Option<Item> {
        self.items.get(key).cloned()
    }

    /// All of them.
    pub(crate) fn listing(&self) -> Listing {
        Listing {
            items: self.items.values().cloned().collect(),
            revision: self.revision(self.number),
        }
    }

    /// The first changes after a revision: none where it is the last one, [`None`] where it is not known here.
    pub(crate) fn after(&self, revision: &Revision) -> Option<Vec<datastore::Changes>> {
        let (mark, number) = revision.as_str().split_once('-')?;
        let number: u64 = number.parse().ok()?;
        let first_kept = self.changes.front().map_or(self.number, |(first, _)| first - 1);
        if mark != format!("{:x}", self.mark) || number < first_kept || number > self.number {
            return None;
        }
        let since = self.changes.iter().filter(|(of, _)| *of > number);
        let changes = |(of, changes): &(u64, Vec<Change>)| datastore::Changes {
            changes: changes.clone(),
            revision: self.revision(*of),
        };
        Some(since.map(changes).collect())
    }

    fn revision(&self, number: u64) -> Revision {
        Revision::new(Arc::from(format!("{:x}-{number}", self.mark)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use config::Source;

    use super::*;

    fn texts(nodes: &[(&str, u8)]) -> Texts {
        let node = |(name, number): &(&str, u8)| {
            format!(
                "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name}, labels: {{ n: x{number} }} }}\n"
            )
        };
        let text: String = nodes.iter().map(node).collect();
        let name = "f".to_owned();
        Texts::read(&[Source { name, text }], Path::new("f")).expect("good")
    }

    #[test]
    fn every_difference_is_told_once_and_lives_are_told_apart() {
        let mut history = History::new(7);
        history.observe(&texts(&[("a", 1), ("b", 1)]));
        let start = history.listing().revision;
        let a = history.listing().items[0].clone();
        history.observe(&texts(&[("a", 1), ("b", 1)]));
        assert_eq!(history.after(&start), Some(vec![]), "nothing new");
        history.observe(&texts(&[("a", 2)]));
        history.observe(&texts(&[("b", 1), ("a", 2)]));
        let seen = history.after(&start).expect("kept");
        let said: Vec<Vec<String>> = seen
            .iter()
            .map(|changes| {
                let word = |change: &Change| match change {
                    Change::Put(item) => format!("put {} {}", item.key, item.incarnation),
                    Change::Deleted(key) => format!("deleted {key}"),
                };
                changes.changes.iter().map(word).collect()
            })
            .collect();
        assert_eq!(
            said,
            [
                vec!["deleted Node/b".to_owned(), "put Node/a Node/a#0".to_owned()],
                vec!["put Node/b Node/b#1".to_owned()]
            ]
        );
        assert_eq!(history.after(&seen[0].revision).map(|left| left.len()), Some(1));
        assert_ne!(history.get(&a.key).map(|now| now.version), Some(a.version));
    }

    #[test]
    fn what_is_not_kept_is_not_known() {
        let mut history = History::new(7);
        history.observe(&texts(&[("a", 1)]));
        let start = history.listing().revision;
        assert!(History::new(8).after(&start).is_none(), "another process");
        for n in 0..=KEPT {
            history.observe(&texts(&[("a", if n % 2 == 0 { 2 } else { 3 })]));
        }
        assert!(history.after(&start).is_none(), "too old");
        for text in ["", "7", "7-x", "7-99999999"] {
            assert!(history.after(&Revision::new(text)).is_none(), "{text}");
        }
    }
}
