//! What is particular to the store in memory; what it shares with all others is in the conformance suite.

use futures::StreamExt;
use futures::executor::block_on;

use super::*;
use crate::conformance::{self, Capabilities};
use crate::value::Change;

fn key(name: &str) -> Key {
    Key::Sticky(name.into())
}

fn put(name: &str, value: &str) -> Write {
    Write::Put(key(name), value.into())
}

fn node() -> NodeName {
    "node-a".parse().unwrap()
}

#[test]
fn it_conforms() {
    let store = Memory::new();
    let compactor = store.clone();
    let capabilities = Capabilities {
        compact: Some(Box::new(move || {
            compactor.compact();
            Box::pin(ready(()))
        })),
        presence_ttl: Some(Duration::from_secs(5)),
        ..Capabilities::everything(conformance::thread_sleep)
    };
    block_on(conformance::check(&store, &capabilities));
}

#[test]
fn a_lost_answer_leaves_the_write_there_and_one_lost_before_does_not() {
    let store = Memory::new();
    let mut plan = vec![Fault::LostBefore, Fault::Lost].into_iter();
    store.set_faults(move |call| match call.writes() {
        true => plan.next().unwrap_or(Fault::None),
        false => Fault::None,
    });
    for there in [false, true] {
        let lost = store.write_now(&put("a", "1"), &Expect::Absent);
        assert!(matches!(lost, Err(Error::Unknown { .. })), "{lost:?}");
        assert_eq!(store.get_now(&key("a")).unwrap().is_some(), there);
    }
    assert_eq!(
        store.write_now(&put("a", "2"), &Expect::Absent),
        Ok(Outcome::Conflict)
    );
}

#[test]
fn a_full_store_reads() {
    let store = Memory::new();
    store.write_now(&put("a", "1"), &Expect::Any).unwrap();
    store.set_faults(|_| Fault::Full);
    assert!(store.get_now(&key("a")).unwrap().is_some());
    let full = store.write_now(&put("a", "2"), &Expect::Any);
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    store.set_faults(|_| Fault::FullAfter);
    let full = store.write_now(&put("b", "1"), &Expect::Absent);
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    assert!(store.get_now(&key("b")).unwrap().is_some());
    store.clear_faults();
    assert!(store.write_now(&put("a", "2"), &Expect::Any).unwrap().is_done());
}

#[test]
fn broken_watches_end_and_new_ones_see_all() {
    let store = Memory::new();
    let start = store.list_now(Space::Ownership).unwrap().revision;
    let mut watch = block_on(store.watch(Space::Ownership, start.clone())).unwrap();
    store.break_watches();
    assert!(matches!(
        block_on(watch.next()),
        Some(Err(Error::Unavailable { .. }))
    ));
    assert!(block_on(watch.next()).is_none());
    store.write_now(&put("a", "1"), &Expect::Any).unwrap();
    let mut watch = block_on(store.watch(Space::Ownership, start)).unwrap();
    assert_eq!(block_on(watch.next()).unwrap().unwrap().changes.len(), 1);
}

#[test]
fn a_presence_that_ran_out_comes_back_while_its_holder_lives() {
    let store = Memory::new();
    let start = store.list_now(Space::Ownership).unwrap().revision;
    let held = Key::Presence("node-a".into());
    let hold = store.hold_now(&node(), "{}".into()).unwrap();
    store.expire(&node());
    assert_eq!(store.get_now(&held), Ok(None));
    store.renew();
    assert!(store.get_now(&held).unwrap().is_some());
    let second = store.hold_now(&node(), "{}".into()).unwrap();
    drop(hold);
    assert!(
        store.get_now(&held).unwrap().is_some(),
        "an earlier holder has no say"
    );
    drop(second);
    store.renew();
    assert_eq!(store.get_now(&held), Ok(None));
    let seen = store.changes_now(Space::Ownership, &start).unwrap();
    let deleted = |changes: &&Changes| matches!(changes.changes[..], [Change::Deleted(_)]);
    assert_eq!(seen.iter().filter(deleted).count(), 2);
}

#[test]
fn marks_of_another_store_are_refused() {
    let store = Memory::new();
    let foreign = Expect::Version(Version::new("abc"));
    let refused = store.write_now(&put("a", "1"), &foreign);
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}
