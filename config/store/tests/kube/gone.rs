//! `410 Gone`, in each form that it comes in.

use datastore::{Datastore, Error, Expect, Key, Space};
use futures::StreamExt;

use crate::support::{block, end, next_put, put, record, standin, store, store_with, timing, until, watch};

#[tokio::test]
async fn a_watch_from_what_is_forgotten_says_so() {
    for as_status in [true, false] {
        let standin = standin();
        let store = store(&standin).await;
        let old = store.list(Space::Ownership).await.expect("a listing").revision;
        put(&store, &block("10.0.0.0/26"), record("a"), Expect::Absent).await;
        standin.compact(as_status);
        let mut watch = store.watch(Space::Ownership, old).await.expect("a stream");
        assert!(
            matches!(end(&mut watch).await, Error::Compacted { .. }),
            "as status: {as_status}"
        );
    }
}

#[tokio::test]
async fn a_revision_of_another_store_means_list_again() {
    let standin = standin();
    let store = store(&standin).await;
    for revision in ["17", "nodes=1", ""] {
        let watch = store
            .watch(Space::Ownership, datastore::Revision::new(revision))
            .await;
        assert!(matches!(watch, Err(Error::Compacted { .. })), "{revision}");
    }
}

/// Bookmarks move the mark of a quiet kind, so that a watch that has to be opened again finds its place.
#[tokio::test]
async fn a_bookmark_outlives_compaction() {
    for bookmark in [true, false] {
        let standin = standin();
        let store = store(&standin).await;
        let mut watch = watch(&store, Space::Addresses).await;
        let waiting = tokio::spawn(async move {
            let first = watch.next().await;
            (watch, first)
        });
        until("the watch is open", || standin.watches() > 0).await;
        put(&store, &block("10.0.0.0/26"), record("a"), Expect::Absent).await;
        if !bookmark {
            standin.compact(false);
            standin.drop_watches();
            let (_, ended) = waiting.await.expect("no panic");
            assert!(matches!(ended, Some(Err(Error::Compacted { .. }))), "{ended:?}");
            continue;
        }
        standin.bookmark();
        let (mut watch, moved) = waiting.await.expect("no panic");
        assert!(matches!(moved, Some(Ok(changes)) if changes.changes.is_empty()));
        standin.compact(false);
        standin.drop_watches();
        let key = Key::Address("10.0.0.1".parse().expect("valid"));
        put(&store, &key, record("a"), Expect::Absent).await;
        assert_eq!(next_put(&mut watch).await.key, key);
    }
}

/// A list whose pages expire is begun again.
#[tokio::test]
async fn a_list_that_expires_is_begun_again() {
    let standin = standin();
    let quick = store(&standin).await;
    let keys: Vec<_> = (0..9).map(|i| block(&format!("10.0.{i}.0/26"))).collect();
    for key in &keys {
        put(&quick, key, record("a"), Expect::Absent).await;
    }
    let paged = store_with(&standin, store::kubernetes::Timing { page: 2, ..timing() }).await;
    assert_eq!(
        paged.list(Space::Ownership).await.expect("a listing").items.len(),
        9
    );
    standin.requests();
    standin.delay(std::time::Duration::from_millis(200));
    let listing = tokio::spawn(async move { paged.list(Space::Ownership).await });
    // Between two pages.
    until("the second page is asked for", || {
        standin.requests().iter().any(|r| r.contains("continue="))
    })
    .await;
    standin.put(
        "/api/v1/namespaces/x",
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}),
    );
    standin.compact(true);
    let listing = listing.await.expect("no panic").expect("a listing");
    assert_eq!(listing.items.len(), 9);
    let first_page = |request: &String| request.contains("/ipamblocks?") && !request.contains("continue=");
    assert!(standin.requests().iter().any(first_page), "it was begun again");
}

#[tokio::test]
async fn dropped_watches_go_on_where_they_were() {
    let standin = standin();
    let store = store(&standin).await;
    let mut watch = watch(&store, Space::Ownership).await;
    for i in 0..4 {
        let key = block(&format!("10.0.{i}.0/26"));
        put(&store, &key, record("a"), Expect::Absent).await;
        assert_eq!(next_put(&mut watch).await.key, key);
        standin.drop_watches();
    }
}
