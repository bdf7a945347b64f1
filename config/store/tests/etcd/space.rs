//! Space that is used up, and history that is gone.

use config::fields::ResourceKind;
use datastore::{Datastore, Error, Expect, Key, Space, Write};
use etcd_testbed::{AutoCompaction, Cluster, Options};
use futures::StreamExt;
use store::etcd::EtcdStore;

use super::support::{run, settings, soon};

fn key(i: usize) -> Key {
    Key::Sticky(format!("fill.{i:05}"))
}

#[test]
fn a_full_store_says_so_reads_on_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options {
        quota_bytes: Some(3 << 20),
        ..Options::default()
    });
    run(async {
        let store = EtcdStore::connect(&settings(&cluster, dir.path())).unwrap();
        let put = |i: usize| {
            Write::Put(
                key(i % 4),
                format!("{{\"i\":{i},\"pad\":\"{}\"}}", "p".repeat(200_000)),
            )
        };
        let mut written = 0;
        let full = loop {
            match store.write(put(written), Expect::Any).await {
                Ok(_) => written += 1,
                Err(e) => break e,
            }
            assert!(written < 100, "3 MiB take more than 20 MB");
        };
        assert!(matches!(full, Error::Full { .. }), "{full}");
        assert!(
            full.to_string().contains("NOSPACE") && full.to_string().contains("defragment"),
            "{full}"
        );
        let listed = store.list(Space::Ownership).await.unwrap();
        assert_eq!(listed.items.len(), 4);
        let mut watch = store.watch(Space::Ownership, listed.revision).await.unwrap();
        // What takes no space is still taken.
        store.write(Write::Delete(key(1)), Expect::Any).await.unwrap();
        let changes = soon("the deletion", watch.next()).await.unwrap().unwrap();
        assert_eq!(changes.changes.len(), 1);
        let still = store.write(put(0), Expect::Any).await;
        assert!(matches!(still, Err(Error::Full { .. })), "{still:?}");
        cluster.make_room();
        soon("an answer", store.write(put(0), Expect::Any)).await.unwrap();
        soon("the write", watch.next()).await.unwrap().unwrap();
    });
}

/// etcd forgets by itself, member and client are apart meanwhile: the watch that comes back from too far ago says so.
#[test]
fn a_watch_that_comes_back_too_late_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(Options {
        auto_compaction: Some(AutoCompaction::Revisions(1_000)),
        ..Options::default()
    });
    let settings = settings(&cluster, dir.path());
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        store
            .write(Write::Put(key(0), "{}".into()), Expect::Any)
            .await
            .unwrap();
        let start = store.list(Space::Ownership).await.unwrap().revision;
        let mut watch = store.watch(Space::Ownership, start).await.unwrap();
        // All that follows happens before the client looks at its connection again.
        cluster.kill(0);
        cluster.restart(0);
        cluster.await_healthy();
        for value in ["1", "2"] {
            cluster.must(&["put", "/roadbed/v1/ownership/sticky/a.b", value]);
        }
        cluster.compact();
        let ended = soon("the end of the watch", watch.next()).await;
        assert!(matches!(ended, Some(Err(Error::Compacted { .. }))), "{ended:?}");
        assert!(watch.next().await.is_none(), "it goes on after its error");
        let listing = store.list(Space::Ownership).await.unwrap();
        assert_eq!(listing.items.len(), 2);
    });
}

/// Left out, a spoilt pool would look deleted to whoever lists, and unchanged to whoever watches.
#[test]
fn a_value_that_is_no_text_is_there_and_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options::default());
    run(async {
        let settings = settings(&cluster, dir.path());
        let store = EtcdStore::connect(&settings).unwrap();
        let pool = Key::resource(ResourceKind::IpPool, "pods");
        let empty = store.list(Space::Resources).await.unwrap();
        let mut watch = store.watch(Space::Resources, empty.revision).await.unwrap();
        let mut raw = etcd_client::Client::connect(&settings.endpoints, None)
            .await
            .unwrap();
        let path = format!("{}/v1/resources/IPPool/pods", settings.prefix);
        raw.put(path, vec![0xff, 0xfe, 0], None).await.unwrap();
        let changes = soon("the value", watch.next()).await.unwrap().unwrap();
        assert_eq!(changes.changes.len(), 1);
        let listed = store.list(Space::Resources).await.unwrap();
        assert_eq!(listed.items.len(), 1);
        let read = store.get(&pool).await.unwrap().unwrap();
        let source = config::Source {
            name: pool.to_string(),
            text: read.value.to_string(),
        };
        assert!(config::load(&[source]).intent.is_none());
    });
}
