//! Between the contract's words and etcd's. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use datastore::{Compare, Expect, Incarnation, Item, Key, Outcome, Transaction, Version, Write};
use etcd_client::{CompareOp, KeyValue, Txn, TxnOp, TxnResponse};

use super::errors::Trouble;
use super::keys::Layout;

/// What etcd takes in one request by default (`--max-request-bytes`), less room for what is around the values.
const LARGEST: usize = 1_572_864 - 8_192;

/// What stands for a value that is not text: no reader takes it, and their error quotes it.
const NOT_TEXT: &str =
    "apiVersion: roadbed.dev/v1\nkind: not UTF-8 text, write it again (roadbed apply) or delete it";

/// A pair as an item. One whose value is not text stays an item: left out it would look deleted, and a spoilt
/// pool would take its routes with it instead of being refused.
pub(super) fn item(key: Key, pair: &KeyValue) -> Item {
    Item {
        key,
        value: Arc::from(std::str::from_utf8(pair.value()).unwrap_or(NOT_TEXT)),
        version: Version::new(pair.mod_revision().to_string()),
        incarnation: Incarnation::new(pair.create_revision().to_string()),
    }
}

/// A write of one key as a transaction.
pub(super) fn single(write: Write, expect: Expect) -> Transaction {
    let key = write.key().clone();
    let transaction = Transaction::default().then(write);
    match expect {
        Expect::Any => transaction,
        Expect::Absent => transaction.when(Compare::Absent(key)),
        Expect::Version(version) => transaction.when(Compare::Version(key, version)),
    }
}

/// A transaction as etcd's.
pub(super) fn transaction(layout: &Layout, transaction: &Transaction) -> Result<Txn, Trouble> {
    let keys: BTreeSet<&Key> = transaction.write.iter().map(Write::key).collect();
    if keys.len() < transaction.write.len() {
        return Err(Trouble::Invalid {
            detail: "the transaction writes one key twice".into(),
            fix: "write each key once".into(),
        });
    }
    check_size(layout, &transaction.write)?;
    let compare = transaction
        .compare
        .iter()
        .map(|compare| self::compare(layout, compare));
    let operation = |write: &Write| match write {
        Write::Put(key, value) => TxnOp::put(layout.path(key), value.as_str(), None),
        Write::Delete(key) => TxnOp::delete(layout.path(key), None),
    };
    Ok(Txn::new()
        .when(compare.collect::<Result<Vec<_>, _>>()?)
        .and_then(transaction.write.iter().map(operation).collect::<Vec<_>>()))
}

fn check_size(layout: &Layout, writes: &[Write]) -> Result<(), Trouble> {
    let size = |write: &Write| match write {
        Write::Put(key, value) => layout.path(key).len() + value.len(),
        Write::Delete(key) => layout.path(key).len(),
    };
    let all: usize = writes.iter().map(size).sum();
    if all <= LARGEST {
        return Ok(());
    }
    let largest = writes
        .iter()
        .max_by_key(|write| size(write))
        .map(|write| write.key().to_string());
    Err(Trouble::Invalid {
        detail: format!(
            "{all} bytes are more than it takes at once ({LARGEST}); the largest is {}",
            largest.unwrap_or_default()
        ),
        fix: "split the resource, or write fewer at once".into(),
    })
}

fn compare(layout: &Layout, compare: &Compare) -> Result<etcd_client::Compare, Trouble> {
    use etcd_client::Compare as Etcd;
    Ok(match compare {
        Compare::Absent(key) => Etcd::create_revision(layout.path(key), CompareOp::Equal, 0),
        Compare::Version(key, version) => {
            Etcd::mod_revision(layout.path(key), CompareOp::Equal, there(version.as_str())?)
        }
        Compare::Incarnation(key, incarnation) => {
            Etcd::create_revision(layout.path(key), CompareOp::Equal, there(incarnation.as_str())?)
        }
        // Of a range etcd wants every key to be so; an empty range is.
        Compare::Unwritten(space, since) => {
            let next = revision(since.as_str())?.saturating_add(1);
            Etcd::mod_revision(layout.prefix(*space), CompareOp::Less, next).with_prefix()
        }
    })
}

/// The revision of a key that is there: 0 would mean one that is not.
fn there(mark: &str) -> Result<i64, Trouble> {
    revision(mark).and_then(|number| {
        if number > 0 {
            Ok(number)
        } else {
            Err(foreign(mark))
        }
    })
}

/// The number of a mark that this store gave.
pub(super) fn revision(mark: &str) -> Result<i64, Trouble> {
    mark.parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(|| foreign(mark))
}

fn foreign(mark: &str) -> Trouble {
    Trouble::Invalid {
        detail: format!("`{mark}` is no revision of this store"),
        fix: "use the marks that it gave".into(),
    }
}

/// What became of a transaction.
pub(super) fn outcome(answer: &TxnResponse) -> Outcome {
    let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
    match answer.succeeded() {
        true => Outcome::Done(Version::new(revision.to_string())),
        false => Outcome::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_or_double_is_never_sent() {
        let layout = Layout::new("/roadbed");
        let key = Key::Sticky("a.b".into());
        let put = |bytes: usize| Write::Put(key.clone(), "x".repeat(bytes));
        assert!(transaction(&layout, &Transaction::default().then(put(1_000_000))).is_ok());
        let large = transaction(&layout, &Transaction::default().then(put(10_000_000)));
        let Err(Trouble::Invalid { detail, .. }) = large else {
            panic!("10 MB were taken");
        };
        assert!(detail.contains("sticky/a.b"), "{detail}");
        let twice = Transaction::default()
            .then(put(1))
            .then(Write::Delete(key.clone()));
        assert!(matches!(
            transaction(&layout, &twice),
            Err(Trouble::Invalid { .. })
        ));
    }

    #[test]
    fn what_stands_for_no_text_is_refused_as_a_resource() {
        let source = config::Source {
            name: "etcd IPPool/pods".into(),
            text: NOT_TEXT.into(),
        };
        let loaded = config::load(&[source]);
        assert!(loaded.intent.is_none());
        let said = loaded
            .problems
            .iter()
            .map(ToString::to_string)
            .collect::<String>();
        assert!(
            said.contains("etcd IPPool/pods") && said.contains("not UTF-8 text, write"),
            "{said}"
        );
        assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(NOT_TEXT).is_err());
    }

    #[test]
    fn marks_of_other_stores_are_refused() {
        let layout = Layout::new("/roadbed");
        for mark in ["", "abc", "-1", "0", "99999999999999999999"] {
            let compare = Compare::Version(Key::Sticky("a.b".into()), Version::new(mark));
            let refused = transaction(&layout, &Transaction::default().when(compare));
            assert!(matches!(refused, Err(Trouble::Invalid { .. })), "{mark}");
        }
    }
}
