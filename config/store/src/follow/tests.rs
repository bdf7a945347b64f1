//! Following a store in memory that fails as it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use config::fields::ResourceKind;
use datastore::memory::{Call, Fault};
use datastore::{Expect, Key, Memory as Store, Write};
use tokio::time::timeout;

use super::*;
use crate::last_good::{FILE, Saved};
use crate::state::{Origin, StoreState};

const DEADLINE: Duration = Duration::from_secs(20);

const QUICK: Timing = Timing {
    first_look: Duration::from_secs(5),
    limit: Duration::from_secs(5),
    retry_min: Duration::from_millis(5),
    retry_max: Duration::from_millis(50),
    check: Duration::from_millis(50),
    relist: Duration::from_secs(3600),
    quiet: Duration::from_millis(5),
};

fn put(store: &Store, name: &str, cidr: &str) {
    let text = format!(
        "{{apiVersion: roadbed.dev/v1, kind: IPPool, metadata: {{name: {name}}}, spec: {{cidr: {cidr}}}}}"
    );
    let write = Write::Put(Key::resource(ResourceKind::IpPool, name), text);
    store.write_now(&write, &Expect::Any).expect("written");
}

async fn start_on(store: &Store) -> Handle {
    follow(Arc::new(store.clone()), "memory", QUICK).await
}

async fn until<T: Clone>(what: &str, mut receiver: watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) -> T {
    match timeout(DEADLINE, receiver.wait_for(wanted)).await {
        Ok(Ok(found)) => found.clone(),
        _ => panic!("{what} did not come"),
    }
}

fn pools(state: &StoreState) -> usize {
    state.intent.as_ref().map_or(0, |intent| intent.pools.len())
}

async fn until_pools(handle: &Handle, count: usize) -> Arc<StoreState> {
    until(&format!("{count} pools"), handle.state(), |state| {
        pools(state) == count
    })
    .await
}

async fn until_away(handle: &Handle, away: bool) -> Contact {
    until("the contact", handle.contact(), |contact| {
        contact.is_away() == away
    })
    .await
}

#[tokio::test]
async fn what_is_there_is_there_at_once_and_changes_follow() {
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    let handle = start_on(&store).await;
    let state = handle.state().borrow().clone();
    assert_eq!(
        (pools(&state), state.origin, state.is_bad()),
        (1, Origin::Live, false)
    );
    put(&store, "b", "10.2.0.0/16");
    until_pools(&handle, 2).await;
    let key = Key::Sticky("default.db-0".to_owned());
    store
        .write_now(&Write::Put(key.clone(), "{}".to_owned()), &Expect::Any)
        .expect("written");
    until("the record", handle.ownership(), |view| {
        view.as_ref().is_some_and(|view| view.items.contains_key(&key))
    })
    .await;
    assert!(until_away(&handle, false).await.last_seen.is_some());
}

#[tokio::test]
async fn bad_resources_keep_the_last_good_intent() {
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    let handle = start_on(&store).await;
    put(&store, "b", "10.1.0.0/20");
    let bad = until("the refusal", handle.state(), |state| state.is_bad()).await;
    assert_eq!((pools(&bad), bad.revision), (1, 1));
    let said = bad.problems.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("memory IPPool/"), "{said}");
    put(&store, "b", "10.2.0.0/16");
    until_pools(&handle, 2).await;
    // A wiped store is no order to remove everything.
    for name in ["a", "b"] {
        let delete = Write::Delete(Key::resource(ResourceKind::IpPool, name));
        store.write_now(&delete, &Expect::Any).expect("deleted");
    }
    let wiped = until("the doubt", handle.state(), |state| {
        state
            .problems
            .iter()
            .any(|problem| problem.message.contains("holds no resources"))
    })
    .await;
    assert!(pools(&wiped) > 0);
}

#[tokio::test]
async fn an_outage_is_noticed_and_nothing_of_it_is_missed() {
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    let handle = start_on(&store).await;
    let before = SystemTime::now();
    // The watch says nothing and does not end: only the checks can notice.
    store.set_faults(|_| Fault::Unavailable);
    let away = until_away(&handle, true).await;
    assert!(away.away_since.is_some_and(|since| since >= before), "{away:?}");
    assert!(away.problem.is_some_and(|why| why.contains("cannot be reached")));
    let state = handle.state().borrow().clone();
    assert_eq!(
        (pools(&state), state.is_bad()),
        (1, false),
        "the state is what the store said last"
    );
    store.clear_faults();
    put(&store, "b", "10.2.0.0/16");
    until_pools(&handle, 2).await;
    assert_eq!(until_away(&handle, false).await.problem, None);
}

#[tokio::test]
async fn broken_watches_and_lost_history_are_got_over() {
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    let handle = start_on(&store).await;
    for round in 2..6 {
        store.break_watches();
        put(&store, &format!("p{round}"), &format!("10.{round}.0.0/16"));
        if round % 2 == 0 {
            store.compact();
        }
        until_pools(&handle, round).await;
    }
    until_away(&handle, false).await;
}

#[tokio::test]
async fn a_store_that_fails_often_is_followed_all_the_same() {
    let store = Store::new();
    let handle = {
        let calls = AtomicUsize::new(0);
        // About half of the reads fail, in no order (Knuth's multiplicative hash).
        store.set_faults(move |call: &Call<'_>| {
            let number = calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761);
            let failing = !call.writes() && number >> 20 & 1 == 1;
            if failing { Fault::Unavailable } else { Fault::None }
        });
        start_on(&store).await
    };
    for n in 1..=10 {
        put(&store, &format!("p{n}"), &format!("10.{n}.0.0/16"));
        if n % 3 == 0 {
            store.break_watches();
        }
    }
    until_pools(&handle, 10).await;
}

#[tokio::test]
async fn a_wrong_certificate_is_said_as_it_is() {
    let store = Store::new();
    store.set_faults(|_| Fault::Refused);
    let handle = start_on(&store).await;
    let state = handle.state().borrow().clone();
    assert!(state.is_bad() && state.intent.is_none());
    let said = state.problems[0].to_string();
    assert!(
        said.contains("refuses us") && said.contains("nothing was kept"),
        "{said}"
    );
}

async fn start_kept(store: &Store, folder: &std::path::Path) -> Handle {
    let rules = Rules { shared_out: true };
    let memory = Memory::open(Some(folder), "memory", rules).await;
    start(Arc::new(store.clone()), "memory", rules, memory, QUICK).await
}

/// Waits until the file holds so many items.
async fn until_kept(folder: &std::path::Path, count: usize) {
    let kept = || {
        let bytes = std::fs::read(folder.join(FILE)).ok()?;
        Some(
            Saved::decode(&bytes)
                .expect("whole at any moment")
                .view
                .items
                .len(),
        )
    };
    let wait = async {
        while kept() != Some(count) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(DEADLINE, wait).await.is_ok(),
        "{:?} kept instead of {count}",
        kept()
    );
}

#[tokio::test]
async fn a_node_boots_without_its_store_and_the_live_state_wins() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    put(&store, "b", "10.2.0.0/16");
    let handle = start_kept(&store, folder.path()).await;
    until_kept(folder.path(), 2).await;
    // What is bad is not kept.
    put(&store, "c", "10.1.0.0/20");
    until("the refusal", handle.state(), |state| state.is_bad()).await;
    drop(handle);

    store.set_faults(|_| Fault::Unavailable);
    let handle = start_kept(&store, folder.path()).await;
    let state = handle.state().borrow().clone();
    assert!(matches!(state.origin, Origin::LastGood { .. }), "{state:?}");
    assert_eq!((pools(&state), state.is_bad(), state.revision), (2, true, 1));
    assert!(
        state
            .problems
            .iter()
            .any(|p| p.fix.contains("last good resources")),
        "{state:?}"
    );
    assert_eq!(*handle.resources().borrow(), None, "nothing live");
    assert_eq!(handle.saved().map(|saved| saved.view.items.len()), Some(2));

    // Back, but bad: still the kept one, and the reason is another.
    store.clear_faults();
    let bad = until("the store's own word", handle.state(), |state| {
        state
            .problems
            .iter()
            .any(|problem| problem.file.starts_with("memory IPPool"))
    })
    .await;
    assert!(matches!(bad.origin, Origin::LastGood { .. }) && pools(&bad) == 2);
    put(&store, "c", "10.3.0.0/16");
    let live = until_pools(&handle, 3).await;
    assert_eq!(
        (live.origin, live.is_bad(), live.revision),
        (Origin::Live, false, 2)
    );
    until_kept(folder.path(), 3).await;
}

#[tokio::test]
async fn an_unchanged_state_is_not_written_again() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::new();
    put(&store, "a", "10.1.0.0/16");
    drop({
        let handle = start_kept(&store, folder.path()).await;
        until_kept(folder.path(), 1).await;
        handle
    });
    let written = || {
        std::fs::metadata(folder.path().join(FILE))
            .and_then(|m| m.modified())
            .ok()
    };
    let first = written();
    let handle = start_kept(&store, folder.path()).await;
    assert_eq!(handle.state().borrow().origin, Origin::Live);
    put(&store, "b", "10.2.0.0/16");
    until_kept(folder.path(), 2).await;
    let second = written();
    assert_ne!(first, second);
    // The keeper does one thing after the other: had it written "a" alone again, that would have been before.
    let kept = Saved::decode(&std::fs::read(folder.path().join(FILE)).expect("read")).expect("good");
    assert_eq!(kept.kind, "memory");
}

#[tokio::test]
async fn the_tasks_end_with_the_last_handle() {
    let store = Store::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    store.set_faults(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Fault::None
    });
    let handle = start_on(&store).await;
    let (clone, tasks) = (handle.clone(), handle.inner.tasks.clone());
    drop(handle);
    put(&store, "a", "10.1.0.0/16");
    until_pools(&clone, 1).await;
    drop(clone);
    let ended = async {
        while !tasks.iter().all(tokio::task::AbortHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, ended).await.is_ok());
}
