//! That the suite can fail: stores with one defect each, and the check that has to find it.

use std::sync::Arc;
use std::time::Duration;

use config::NodeName;
use futures::executor::block_on;
use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::*;
use crate::{
    Answer, Changes, Compare, Error, Expect, Hold, Incarnation, Item, Key, Listing, Memory, Outcome,
    Presence, Revision, Space, Transaction, Transactional, Write,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    WritesAnyway,
    DeletesAnyway,
    OneLife,
    Unsorted,
    LosesPage,
    WatchDropsSome,
    WatchRepeats,
    WatchIsSilentAboutThePast,
    SplitsTransactions,
    HalfTransactions,
    IgnoresUnwritten,
    IgnoresIncarnations,
    CutsValues,
    TakesTooMuch,
    PresenceStays,
}

struct Broken {
    inner: Memory,
    defect: Defect,
}

impl Broken {
    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn item(&self, mut item: Item) -> Item {
        if self.is(Defect::OneLife) {
            item.incarnation = Incarnation::new("1");
        }
        if self.is(Defect::CutsValues) && item.value.len() > 1000 {
            item.value = Arc::from(&item.value[..1000]);
        }
        item
    }
}

impl Datastore for Broken {
    fn describe(&self) -> String {
        format!("{:?}", self.defect)
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        let found = self.inner.get_now(key);
        ready(found.map(|item| item.map(|item| self.item(item)))).boxed()
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        let listing = self.inner.list_now(space).map(|mut listing| {
            listing.items = listing.items.into_iter().map(|item| self.item(item)).collect();
            if self.is(Defect::Unsorted) {
                listing.items.reverse();
            }
            if self.is(Defect::LosesPage) {
                listing.items.truncate(1000);
            }
            listing
        });
        ready(listing).boxed()
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        let after = match after.as_str().parse::<u64>() {
            Ok(number) if self.is(Defect::WatchRepeats) => Revision::new((number - 1).to_string()),
            _ => after,
        };
        let defect = self.defect;
        let mut count = 0;
        let stream = self
            .inner
            .watch(space, after)
            .now_or_never()
            .unwrap()
            .map(|stream| {
                let steps = stream.flat_map(move |changes| {
                    let split = match changes {
                        Err(Error::Compacted { .. }) if defect == Defect::WatchIsSilentAboutThePast => {
                            Vec::new()
                        }
                        Ok(changes) if defect == Defect::SplitsTransactions => {
                            let revision = changes.revision;
                            let each = changes.changes.into_iter().map(|change| Changes {
                                changes: vec![change],
                                revision: revision.clone(),
                            });
                            each.map(Ok).collect()
                        }
                        changes => vec![changes],
                    };
                    count += 1;
                    match defect == Defect::WatchDropsSome && count % 7 == 0 {
                        true => stream::iter(Vec::new()),
                        false => stream::iter(split),
                    }
                });
                match defect == Defect::WatchIsSilentAboutThePast {
                    true => steps.chain(stream::pending()).boxed(),
                    false => steps.boxed(),
                }
            });
        ready(stream).boxed()
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        let anyway = match write {
            Write::Put(..) => self.is(Defect::WritesAnyway),
            Write::Delete(_) => self.is(Defect::DeletesAnyway),
        };
        let expect = if anyway { Expect::Any } else { expect };
        let large = matches!(&write, Write::Put(_, value) if value.len() > 5_000_000);
        if large && !self.is(Defect::TakesTooMuch) {
            let (store, detail, fix) = (self.describe(), "too large".into(), "write less".into());
            return ready(Err(Error::Invalid { store, detail, fix })).boxed();
        }
        ready(self.inner.write_now(&write, &expect)).boxed()
    }

    fn transactional(&self) -> Option<&dyn Transactional> {
        Some(self)
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Transactional for Broken {
    fn commit(&self, transaction: &Transaction) -> Answer<'_, Outcome> {
        let mut transaction = transaction.clone();
        transaction.compare.retain(|compare| match compare {
            Compare::Unwritten(..) => !self.is(Defect::IgnoresUnwritten),
            Compare::Incarnation(..) => !self.is(Defect::IgnoresIncarnations),
            _ => true,
        });
        let outcome = self.inner.commit_now(&transaction);
        if self.is(Defect::HalfTransactions) && outcome == Ok(Outcome::Conflict) {
            let half = transaction.write.into_iter().take(1).collect();
            let _ = self.inner.commit_now(&Transaction {
                compare: Vec::new(),
                write: half,
            });
        }
        ready(outcome).boxed()
    }
}

impl Presence for Broken {
    fn hold(&self, node: &NodeName, value: String, _: Duration) -> Answer<'_, Hold> {
        let hold = self
            .inner
            .hold_now(node, value)
            .map(|hold| match self.is(Defect::PresenceStays) {
                true => {
                    std::mem::forget(hold);
                    Hold::new(())
                }
                false => hold,
            });
        ready(hold).boxed()
    }
}

/// What the suite says about a store with a defect.
fn failures(defect: Defect) -> Vec<String> {
    let inner = Memory::new();
    let compactor = inner.clone();
    let capabilities = Capabilities {
        compact: Some(Box::new(move || {
            compactor.compact();
            ready(()).boxed()
        })),
        presence_ttl: Some(Duration::from_secs(5)),
        refuses: Some(10_000_000),
        patience: Duration::from_millis(300),
        ..Capabilities::everything(thread_sleep)
    };
    block_on(run(&Broken { inner, defect }, &capabilities))
}

#[test]
fn each_defect_is_found_by_the_check_that_is_about_it() {
    assert_eq!(failures(Defect::None), Vec::<String>::new());
    for (defect, check) in [
        (Defect::WritesAnyway, "a write where nothing may be"),
        (Defect::DeletesAnyway, "deletion on a condition"),
        (Defect::OneLife, "versions and incarnations"),
        (Defect::Unsorted, "a listing is complete and sorted"),
        (Defect::LosesPage, "many items"),
        (Defect::WatchDropsSome, "a watch misses nothing under writers"),
        (Defect::WatchRepeats, "a watch goes on from a revision"),
        (
            Defect::WatchIsSilentAboutThePast,
            "history that is gone is said so",
        ),
        (Defect::SplitsTransactions, "no watch splits a transaction"),
        (Defect::HalfTransactions, "a transaction is all or nothing"),
        (Defect::IgnoresUnwritten, "what was not written since"),
        (Defect::IgnoresIncarnations, "each comparison of a transaction"),
        (Defect::CutsValues, "a big value"),
        (Defect::TakesTooMuch, "a value that is too big"),
        (Defect::PresenceStays, "presence lasts as long as its holder"),
    ] {
        let failures = failures(defect);
        let found = failures.iter().any(|failure| failure.starts_with(check));
        assert!(found, "{defect:?} was not found by `{check}`: {failures:#?}");
    }
}
