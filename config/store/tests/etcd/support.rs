//! Settings for a cluster, a runtime for a thread, and a load that goes on while members fail.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::EtcdSettings;
use datastore::{Change, Changes, Datastore, Error, Expect, Key, Outcome, Space, Write};
use etcd_testbed::Cluster;
use futures::StreamExt;
use futures::future::join;
use store::etcd::EtcdStore;

/// After so long, something that should happen has not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How a client reaches the cluster, with all that it asks for. Secrets lie in `dir`.
pub fn settings(cluster: &Cluster, dir: &Path) -> EtcdSettings {
    let mut settings = EtcdSettings::new(cluster.endpoints());
    if let Some(files) = cluster.client_paths() {
        settings.ca_file = Some(files.ca.clone());
        settings.cert_file = Some(files.cert.clone());
        settings.key_file = Some(files.key.clone());
    }
    if let Some((user, password)) = cluster.credentials() {
        settings.username = Some(user.clone());
        settings.password_file = Some(password_file(dir, password));
    }
    settings
}

pub fn password_file(dir: &Path, password: &str) -> PathBuf {
    let file = dir.join("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    file
}

/// Runs a future on a runtime of its own on this thread.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// A future that must end within the patience of the tests.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what} did not happen within {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A writer, a reader and a watcher on a thread of their own, inside the cluster's client namespace.
pub struct Load {
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Log>,
}

/// What a load saw.
#[derive(Default)]
pub struct Log {
    /// Numbers whose write was acknowledged, with the version.
    pub acknowledged: BTreeMap<usize, String>,
    /// Numbers whose answer was lost.
    pub unknown: Vec<usize>,
    /// Numbers that were said not to be written.
    pub refused: Vec<usize>,
    /// What the watch showed: version by number.
    pub watched: Vec<(usize, String)>,
    /// What lies there in the end.
    pub listed: BTreeMap<usize, String>,
}

fn key(number: usize) -> Key {
    Key::Sticky(format!("load.{number:06}"))
}

fn number(key: &Key) -> Option<usize> {
    key.name().strip_prefix("load.")?.parse().ok()
}

const LAST: &str = "load-end";

impl Load {
    pub fn start(settings: EtcdSettings, namespace: Option<String>) -> Load {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopped) = (Arc::clone(&done), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let work = || run(load(settings, &counted, &stopped));
            etcd_testbed::in_namespace(namespace.as_deref(), work)
        });
        let load = Load { done, stop, thread };
        load.await_progress("the first writes");
        load
    }

    /// Waits until some more writes are acknowledged.
    pub fn await_progress(&self, what: &str) {
        let before = self.done.load(Ordering::Relaxed);
        until(&format!("{what}: more writes"), || {
            assert!(!self.thread.is_finished(), "{what}: the load ended");
            self.done.load(Ordering::Relaxed) >= before + 20
        });
    }

    /// Ends it and checks that nothing acknowledged is lost, nothing refused is there, and the watch missed nothing.
    pub fn finish(self) -> Log {
        self.stop.store(true, Ordering::Relaxed);
        let log = self
            .thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        for (number, version) in &log.acknowledged {
            assert_eq!(log.listed.get(number), Some(version), "{number} was acknowledged");
        }
        for number in &log.refused {
            assert!(
                !log.listed.contains_key(number),
                "{number} was said not to be written"
            );
        }
        for number in log.listed.keys() {
            let known = log.acknowledged.contains_key(number) || log.unknown.contains(number);
            assert!(known, "nobody wrote {number}");
        }
        let watched: BTreeMap<usize, String> = log.watched.iter().cloned().collect();
        assert_eq!(watched, log.listed, "the watch missed or made up something");
        assert_eq!(
            watched.len(),
            log.watched.len(),
            "the watch showed something twice"
        );
        let revisions = log
            .watched
            .iter()
            .map(|(_, version)| version.parse::<i64>().unwrap());
        assert!(revisions.is_sorted(), "the watch is out of order");
        log
    }
}

async fn load(settings: EtcdSettings, done: &AtomicUsize, stop: &AtomicBool) -> Log {
    let store = EtcdStore::connect(&settings).unwrap();
    let start = store.list(Space::Ownership).await.unwrap().revision;
    let mut watch = store.watch(Space::Ownership, start).await.unwrap();
    let mut log = Log::default();
    let (written, watched) = join(writer(&store, done, stop), async {
        let mut seen = Vec::new();
        while let Some(changes) = soon("the next change", watch.next()).await {
            if take(changes.unwrap(), &mut seen) {
                break;
            }
        }
        seen
    })
    .await;
    log.watched = watched;
    (log.acknowledged, log.unknown, log.refused) = written;
    for item in store.list(Space::Ownership).await.unwrap().items {
        if let Some(number) = number(&item.key) {
            log.listed.insert(number, item.version.to_string());
        }
    }
    log
}

/// Whether the last key was among them.
fn take(changes: Changes, seen: &mut Vec<(usize, String)>) -> bool {
    let mut last = false;
    for change in changes.changes {
        let Change::Put(item) = change else {
            panic!("nothing is deleted: {change:?}")
        };
        last |= item.key.name() == LAST;
        seen.extend(number(&item.key).map(|number| (number, item.version.to_string())));
    }
    last
}

type Written = (BTreeMap<usize, String>, Vec<usize>, Vec<usize>);

/// Writes one key after the other, and reads what it wrote before: a read must show every acknowledged write.
async fn writer(store: &EtcdStore, done: &AtomicUsize, stop: &AtomicBool) -> Written {
    let (mut acknowledged, mut unknown, mut refused) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        match store
            .write(Write::Put(key(next), "{}".into()), Expect::Absent)
            .await
        {
            Ok(Outcome::Done(version)) => {
                acknowledged.insert(next, version.to_string());
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Outcome::Conflict) => panic!("{next} was written by nobody else"),
            Err(Error::Unknown { .. }) => unknown.push(next),
            Err(Error::Unavailable { .. }) => refused.push(next),
            Err(e) => panic!("{e}"),
        }
        match store.get(&key(next)).await {
            Ok(found) => assert!(
                found.is_some() || !acknowledged.contains_key(&next),
                "{next} was acknowledged, and a read does not show it"
            ),
            Err(e) => assert!(matches!(e, Error::Unavailable { .. }), "a read: {e}"),
        }
        next += 1;
    }
    let last = Key::Sticky(LAST.into());
    let ended = async {
        while store
            .write(Write::Put(last.clone(), "{}".into()), Expect::Any)
            .await
            .is_err()
        {}
    };
    soon("the last write", ended).await;
    (acknowledged, unknown, refused)
}
