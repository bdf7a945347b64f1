//! Leases of agents.

use std::time::Duration;

use datastore::{Change, Datastore, Error, Expect, Key, Presence, Space, Write};
use kube_standin::Fail;

use crate::support::{next, next_put, standin, store, until, watch};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/roadbed.a";

const TTL: Duration = Duration::from_secs(5);

fn key() -> Key {
    Key::Presence("a".into())
}

#[tokio::test]
async fn a_hold_renews_itself_through_outages_and_ends_when_dropped() {
    let standin = standin();
    let store = store(&standin).await;
    let hold = store
        .hold(&"a".parse().expect("a name"), "1".into(), TTL)
        .await
        .expect("a hold");
    let first = standin.object(LEASE).expect("a lease");
    let renewed = |standin: &kube_standin::Standin| {
        standin
            .object(LEASE)
            .is_some_and(|lease| lease["spec"]["renewTime"] != first["spec"]["renewTime"])
    };
    // The first renewal meets a server that is broken, and what was there is lost.
    standin.fail(Fail::next(500, usize::MAX));
    standin.remove(LEASE);
    standin.requests();
    until("a renewal is tried", || !standin.requests().is_empty()).await;
    assert_eq!(standin.object(LEASE), None);
    standin.fail(Fail::next(500, 0));
    until("it is written again", || renewed(&standin)).await;
    assert_eq!(
        standin.object(LEASE).expect("a lease")["spec"]["acquireTime"],
        first["spec"]["acquireTime"]
    );
    drop(hold);
    let mut watch = watch(&store, Space::Ownership).await;
    assert_eq!(next_put(&mut watch).await.key, key());
    assert_eq!(next(&mut watch).await, [Change::Deleted(key())]);
    assert_eq!(store.get(&key()).await, Ok(None));
    assert!(
        standin.object(LEASE).is_some(),
        "it ended by its time, not by deletion"
    );
}

#[tokio::test]
async fn a_later_hold_takes_the_lease_and_the_earlier_one_leaves_it() {
    let standin = standin();
    let store = store(&standin).await;
    let node = "a".parse().expect("a name");
    let first = store.hold(&node, "1".into(), TTL).await.expect("a hold");
    let one = store.get(&key()).await.expect("an answer").expect("present");
    let second = store.hold(&node, "2".into(), TTL).await.expect("a hold");
    let two = store.get(&key()).await.expect("an answer").expect("present");
    assert_eq!((&*one.value, &*two.value), ("1", "2"));
    assert_ne!(one.version, two.version);
    // Both would have renewed by now, and the value is that of the later one.
    let renewals = || {
        standin
            .requests()
            .iter()
            .filter(|request| request.starts_with("PUT"))
            .count()
    };
    renewals();
    let mut seen = 0;
    while seen < 2 {
        seen += renewals();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.get(&key()).await.expect("an answer"), Some(two));
    drop((first, second));
}

#[tokio::test]
async fn a_lease_is_held_and_not_written() {
    let standin = standin();
    let store = store(&standin).await;
    for write in [Write::Put(key(), "{}".into()), Write::Delete(key())] {
        assert!(matches!(
            store.write(write, Expect::Any).await,
            Err(Error::Invalid { .. })
        ));
    }
    standin.fail(Fail {
        method: Some("POST"),
        ..Fail::next(500, 1)
    });
    let held = store.hold(&"a".parse().expect("a name"), "1".into(), TTL).await;
    assert!(
        held.is_err(),
        "the caller learns that the first write did not work"
    );
}
