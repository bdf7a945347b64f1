//! Presence: there while its holder lives, through outages short and long, and gone after.

use std::collections::VecDeque;
use std::time::Duration;

use datastore::{Change, Changes, Datastore, Error, Item, Key, Presence, Revision, Space};
use etcd_testbed::{Cluster, Options};
use futures::StreamExt;
use futures::stream::BoxStream;
use store::etcd::EtcdStore;

use super::support::{run, settings, soon};

const TTL: Duration = Duration::from_secs(5);

fn key() -> Key {
    Key::Presence("node-a".into())
}

async fn hold(store: &EtcdStore) -> datastore::Hold {
    store
        .hold(&"node-a".parse().unwrap(), "{}".into(), TTL)
        .await
        .unwrap()
}

async fn present(store: &EtcdStore) -> Option<Item> {
    store.get(&key()).await.unwrap()
}

/// A watch for the presence key; what came together is looked at one by one.
struct Watch {
    stream: BoxStream<'static, Result<Changes, Error>>,
    seen: VecDeque<Change>,
}

impl Watch {
    async fn begin(store: &EtcdStore, after: Revision) -> Watch {
        let stream = store.watch(Space::Ownership, after).await.unwrap();
        Watch {
            stream,
            seen: VecDeque::new(),
        }
    }

    /// Waits until it shows the key written (`true`) or gone.
    async fn shows(&mut self, there: bool) {
        let what = if there {
            "the presence to come"
        } else {
            "the presence to go"
        };
        let seen = async {
            loop {
                match self.seen.pop_front() {
                    Some(change) if matches!(change, Change::Put(_)) == there => return,
                    Some(_) => {}
                    None => {
                        let changes = self.stream.next().await.expect("it goes on").unwrap();
                        self.seen.extend(
                            changes
                                .changes
                                .into_iter()
                                .filter(|change| change.key() == &key()),
                        );
                    }
                }
            }
        };
        soon(what, seen).await;
    }
}

#[test]
fn it_ends_when_its_holder_dies() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Options::default());
    let settings = settings(&cluster, dir.path());
    // The runtime ends and with it all of the holder's tasks, as when the process dies: nothing is let go in order.
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        std::mem::forget(hold(&store).await);
    });
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        let listing = store.list(Space::Ownership).await.unwrap();
        assert_eq!(
            listing.items.len(),
            1,
            "it is there after its holder's last breath"
        );
        let mut watch = Watch::begin(&store, listing.revision).await;
        watch.shows(false).await;
    });
}

#[test]
fn it_lasts_through_outages_and_comes_back_when_its_lease_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(Options::default());
    let settings = settings(&cluster, dir.path());
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        let start = store.list(Space::Ownership).await.unwrap().revision;
        let mut watch = Watch::begin(&store, start).await;
        let held = hold(&store).await;
        watch.shows(true).await;
        let first = present(&store).await.unwrap();

        // An outage shorter than the time to live: the same life goes on, also after that time.
        cluster.kill(0);
        cluster.restart(0);
        cluster.await_healthy();
        tokio::time::sleep(TTL + Duration::from_secs(1)).await;
        assert_eq!(present(&store).await, Some(first.clone()));

        // The lease is lost, as in an outage that was longer: a new life begins.
        let leases = cluster.must(&["lease", "list"]);
        let lease = leases.lines().nth(1).expect("one lease is there").to_owned();
        cluster.must(&["lease", "revoke", &lease]);
        watch.shows(false).await;
        watch.shows(true).await;
        let second = present(&store).await.unwrap();
        assert_ne!(first.incarnation, second.incarnation);

        // The key is deleted by hand: it is written again.
        cluster.must(&["del", "/roadbed/v1/ownership/presence/node-a"]);
        watch.shows(false).await;
        watch.shows(true).await;

        drop(held);
        watch.shows(false).await;
    });
}

#[test]
fn it_comes_back_after_an_outage_longer_than_its_time_to_live() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(Options::default());
    let settings = settings(&cluster, dir.path());
    run(async {
        let store = EtcdStore::connect(&settings).unwrap();
        let _held = hold(&store).await;
        cluster.pause(0);
        tokio::time::sleep(TTL + Duration::from_secs(2)).await;
        cluster.resume(0);
        cluster.await_healthy();
        let back = async {
            while present(&store).await.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon("the presence to come back", back).await;
    });
}
