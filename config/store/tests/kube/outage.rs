//! A server that is away, slow, overloaded or broken.

use std::time::{Duration, Instant};

use datastore::{Datastore, Error, Expect, Outcome, Space, Write};
use kube_standin::Fail;
use store::kubernetes::Timing;

use crate::support::{
    block, end, json, next, next_put, put, record, standin, store, store_with, timing, watch,
};

#[tokio::test]
async fn away_and_back() {
    let mut standin = standin();
    let store = store(&standin).await;
    let key = block("10.0.0.0/26");
    put(&store, &key, record("a"), Expect::Absent).await;
    standin.stop();
    assert!(matches!(store.get(&key).await, Err(Error::Unavailable { .. })));
    assert!(matches!(
        store.list(Space::Ownership).await,
        Err(Error::Unavailable { .. })
    ));
    // No connection: surely not carried out.
    let written = store
        .write(Write::Put(key.clone(), record("b")), Expect::Any)
        .await;
    assert!(matches!(written, Err(Error::Unavailable { .. })), "{written:?}");
    standin.restart();
    let item = store.get(&key).await.expect("an answer").expect("a block");
    assert_eq!(json(&item)["node"], "a");
}

#[tokio::test]
async fn a_watch_outlives_a_restart_and_not_an_outage() {
    let mut standin = standin();
    let store = store_with(
        &standin,
        Timing {
            attempts: 12,
            ..timing()
        },
    )
    .await;
    let mut watch = watch(&store, Space::Ownership).await;
    put(&store, &block("10.0.0.0/26"), record("a"), Expect::Absent).await;
    assert_eq!(next(&mut watch).await.len(), 1);
    standin.restart();
    put(&store, &block("10.0.0.64/26"), record("a"), Expect::Absent).await;
    assert_eq!(next_put(&mut watch).await.key, block("10.0.0.64/26"));
    standin.stop();
    assert!(matches!(end(&mut watch).await, Error::Unavailable { .. }));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_unknown() {
    let standin = standin();
    let store = store_with(
        &standin,
        Timing {
            request: Duration::from_millis(300),
            ..timing()
        },
    )
    .await;
    let key = block("10.0.0.0/26");
    standin.lose_answers(1);
    let written = store
        .write(Write::Put(key.clone(), record("a")), Expect::Absent)
        .await;
    assert!(matches!(written, Err(Error::Unknown { .. })), "{written:?}");
    // It was carried out, and looking tells so.
    assert!(store.get(&key).await.expect("an answer").is_some());
    standin.delay(Duration::from_secs(3));
    assert!(matches!(store.get(&key).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn an_overloaded_server_is_given_the_time_it_wants_within_bounds() {
    let standin = standin();
    let longest = Duration::from_millis(300);
    let store = store_with(
        &standin,
        Timing {
            longest_wait: longest,
            ..timing()
        },
    )
    .await;
    let key = block("10.0.0.0/26");
    standin.fail(Fail {
        retry_after: Some(3600),
        ..Fail::next(429, 2)
    });
    let begun = Instant::now();
    // 429 was not carried out: also a write is tried again.
    assert!(put(&store, &key, record("a"), Expect::Absent).await.is_done());
    assert!(begun.elapsed() >= longest * 2, "it waits as long as it may");
    standin.fail(Fail::next(429, 100));
    let written = store.write(Write::Delete(key.clone()), Expect::Any).await;
    assert!(
        matches!(&written, Err(Error::Unavailable { detail, .. }) if detail.contains("429")),
        "{written:?}"
    );
}

#[tokio::test]
async fn a_broken_server_leaves_writes_unknown_and_reads_are_tried_again() {
    let standin = standin();
    let store = store(&standin).await;
    let key = block("10.0.0.0/26");
    for code in [500, 503, 504] {
        standin.fail(Fail::next(code, 2));
        assert_eq!(store.get(&key).await, Ok(None));
        standin.fail(Fail {
            method: Some("POST"),
            ..Fail::next(code, 1)
        });
        let written = store
            .write(Write::Put(key.clone(), record("a")), Expect::Absent)
            .await;
        assert!(matches!(written, Err(Error::Unknown { .. })), "{written:?}");
    }
    assert!(put(&store, &key, record("a"), Expect::Absent).await.is_done());
    assert_eq!(
        put(&store, &key, record("b"), Expect::Absent).await,
        Outcome::Conflict
    );
}

/// A connection that says nothing any more is noticed.
#[tokio::test]
async fn a_silent_watch_is_opened_again() {
    let standin = standin();
    let store = store_with(
        &standin,
        Timing {
            watch_idle: Duration::from_millis(100),
            attempts: 1000,
            ..timing()
        },
    )
    .await;
    let mut watch = watch(&store, Space::Addresses).await;
    standin.requests();
    let waiting = tokio::spawn(async move { next(&mut watch).await });
    let mut opened = 0;
    while opened < 3 {
        opened += standin
            .requests()
            .iter()
            .filter(|request| request.contains("watch=true"))
            .count();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let key = datastore::Key::Address("10.0.0.1".parse().expect("valid"));
    put(&store, &key, record("a"), Expect::Absent).await;
    assert_eq!(waiting.await.expect("no panic").len(), 1);
}
