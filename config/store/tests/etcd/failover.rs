//! Members that die, pause and are cut off while reads, writes and a watch go on.

use etcd_testbed::{Cluster, Options, Place};

use super::support::{Load, settings};

fn three(place: Place, tls: bool) -> Cluster {
    Cluster::start(Options {
        members: 3,
        place,
        tls,
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

#[test]
fn without_a_majority_calls_end_and_say_so() {
    use datastore::{Datastore, Error, Expect, Key, Outcome, Write};
    use store::etcd::{EtcdStore, Timing};
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = three(Place::Loopback, false);
    let settings = settings(&cluster, dir.path());
    let timing = Timing {
        total: std::time::Duration::from_secs(4),
        ..Timing::default()
    };
    super::support::run(async {
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
