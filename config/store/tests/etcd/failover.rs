//! Members that die, pause and are cut off while reads, writes and a watch go on.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use config::EtcdSettings;
use datastore::{Datastore, Error, Expect, Key, Outcome, Space, Write};
use etcd_testbed::{Cluster, Options, Place};
use futures::StreamExt;
use store::etcd::{EtcdStore, Timing};

use super::support::{Load, run, settings, soon};

fn three(place: Place, tls: bool) -> Cluster {
    Cluster::start(Options {
        members: 3,
        place,
        tls,
        // For tests that notice dead connections sooner than the defaults do.
        extra: vec!["--grpc-keepalive-min-time=500ms".into()],
        ..Options::default()
    })
}

#[test]
fn nothing_is_lost_when_leaders_die_and_pause() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = three(Place::Loopback, true);
    let load = Load::start(settings(&cluster, dir.path()), None);
    for _ in 0..2 {
        let leader = cluster.await_leader();
        cluster.kill(leader);
        load.await_progress("after the leader was killed");
        cluster.restart(leader);
        cluster.await_healthy();
    }
    let leader = cluster.await_leader();
    cluster.pause(leader);
    load.await_progress("while the leader is paused");
    cluster.resume(leader);
    cluster.await_healthy();
    load.await_progress("after it goes on");
    let log = load.finish();
    assert!(log.acknowledged.len() >= 80, "{} writes", log.acknowledged.len());
}

#[test]
fn nothing_is_lost_when_members_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = three(Place::Namespaces, false);
    let space = cluster.client_namespace().map(str::to_owned);
    let load = Load::start(settings(&cluster, dir.path()), space);
    // The leader, then the member that clients have moved to, one after the other.
    for _ in 0..2 {
        let leader = cluster.await_leader();
        cluster.cut(leader);
        load.await_progress("while the leader is cut off");
        cluster.heal(leader);
        cluster.await_healthy();
    }
    load.await_progress("after all is healed");
    load.finish();
}

/// Nothing but a watch uses the connection, so that it has to notice by itself.
#[test]
fn a_lonely_watch_leaves_a_member_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = three(Place::Namespaces, true);
    let good = settings(&cluster, dir.path());
    let space = cluster.client_namespace().map(str::to_owned);
    for fault in [Cluster::isolate, Cluster::cut, Cluster::pause] {
        let victim = cluster.await_leader();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (failed, has_failed) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                etcd_testbed::in_namespace(space.as_deref(), || run(lonely(&good, victim, ready, has_failed)))
            });
            is_ready.recv().unwrap();
            fault(&mut cluster, victim);
            cluster.await_leader();
            failed.send(()).unwrap();
        });
        cluster.mend(victim);
        cluster.await_healthy();
    }
}

/// Watches at the victim alone, waits for its fault, writes at the others; the watch must show it.
async fn lonely(good: &EtcdSettings, victim: usize, ready: Sender<()>, has_failed: Receiver<()>) {
    let (mut first, mut others) = (good.clone(), good.clone());
    first.endpoints.swap(0, victim);
    others.endpoints.remove(victim);
    let timing = Timing {
        ping: Duration::from_secs(1),
        ping_answer: Duration::from_secs(1),
        ..Timing::default()
    };
    let watcher = EtcdStore::with_timing(&first, timing).unwrap();
    let writer = EtcdStore::connect(&others).unwrap();
    let start = writer.list(Space::Ownership).await.unwrap().revision;
    let mut watch = watcher.watch(Space::Ownership, start).await.unwrap();
    ready.send(()).unwrap();
    has_failed.recv().unwrap();
    let key = Key::Sticky("a.b".into());
    let write = async {
        while writer
            .write(Write::Put(key.clone(), "{}".into()), Expect::Any)
            .await
            .is_err()
        {}
    };
    soon("the write", write).await;
    let changes = soon("the change", watch.next()).await.unwrap().unwrap();
    assert_eq!(changes.changes[0].key(), &key);
}

#[test]
fn without_a_majority_calls_end_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = three(Place::Loopback, false);
    let settings = settings(&cluster, dir.path());
    let timing = Timing {
        attempt: Duration::from_secs(1),
        total: Duration::from_secs(3),
        ..Timing::default()
    };
    run(async {
        let store = EtcdStore::with_timing(&settings, timing).unwrap();
        let key = Key::Sticky("a.b".into());
        let put = Write::Put(key.clone(), "{}".into());
        store.write(put.clone(), Expect::Absent).await.unwrap();
        cluster.kill(0);
        cluster.kill(1);
        let away = store.get(&key).await;
        assert!(matches!(away, Err(Error::Unavailable { .. })), "{away:?}");
        let away = store.write(put.clone(), Expect::Absent).await.unwrap_err();
        assert!(away.is_transient(), "{away}");
        cluster.restart(0);
        cluster.await_healthy();
        assert_eq!(store.write(put, Expect::Absent).await, Ok(Outcome::Conflict));
    });
}
