//! A stand-in with our definitions installed, and stores connected to it.

use std::time::Duration;

use config::KubernetesSettings;
use config::fields::ResourceKind;
use datastore::{Change, Changes, Datastore, Error, Expect, Item, Key, Outcome, Space, Write};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube_standin::{Resource, Standin};
use serde_json::{Value, json};
use store::kubernetes::{KubeStore, Timing, crds};

/// After so long, what should have happened has not.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A token that must never be seen in a text.
pub const TOKEN: &str = "s3cr3t-t0ken";

pub type Watch = BoxStream<'static, Result<Changes, Error>>;

/// A stand-in that knows our custom resources.
pub fn standin() -> Standin {
    let standin = Standin::start();
    for definition in crds::all() {
        let definition = serde_json::to_value(definition).expect("JSON");
        standin.install(Resource::of_definition(&definition).expect("a definition"));
    }
    standin
}

/// Quick attempts.
pub fn timing() -> Timing {
    Timing {
        request: Duration::from_secs(5),
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(300),
        presence: Duration::from_millis(50),
        ..Timing::default()
    }
}

/// A store that talks to the stand-in with the token.
pub async fn store(standin: &Standin) -> KubeStore {
    store_with(standin, timing()).await
}

pub async fn store_with(standin: &Standin, timing: Timing) -> KubeStore {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, standin.kubeconfig(TOKEN)).expect("the file is written");
    let settings = KubernetesSettings {
        kubeconfig: Some(path),
    };
    KubeStore::connect_with(&settings, timing)
        .await
        .expect("the settings are good")
}

pub fn node(name: &str) -> Key {
    Key::resource(ResourceKind::Node, name)
}

pub fn block(text: &str) -> Key {
    Key::Block(text.parse().expect("a prefix"))
}

pub fn pool(name: &str) -> Key {
    Key::resource(ResourceKind::IpPool, name)
}

/// The document of a pool.
pub fn pool_text(name: &str, cidr: &str) -> String {
    json!({"apiVersion": "roadbed.dev/v1", "kind": "IPPool", "metadata": {"name": name}, "spec": {"cidr": cidr}}).to_string()
}

/// The record of a block.
pub fn record(owner: &str) -> String {
    json!({"pool": "pods", "node": owner}).to_string()
}

pub fn json(item: &Item) -> Value {
    serde_json::from_str(&item.value).expect("JSON")
}

pub async fn put(store: &KubeStore, key: &Key, text: String, expect: Expect) -> Outcome {
    store
        .write(Write::Put(key.clone(), text), expect)
        .await
        .expect("a write")
}

/// The next changes that are any.
pub async fn next(watch: &mut Watch) -> Vec<Change> {
    loop {
        let changes = tokio::time::timeout(PATIENCE, watch.next())
            .await
            .expect("something happens in time");
        let changes = changes.expect("the watch goes on").expect("the watch is well");
        if !changes.changes.is_empty() {
            return changes.changes;
        }
    }
}

/// The item of the next change, which is one write.
pub async fn next_put(watch: &mut Watch) -> Item {
    match next(watch).await.as_slice() {
        [Change::Put(item)] => item.clone(),
        changes => panic!("not one write: {changes:?}"),
    }
}

/// The error with which a watch ends.
pub async fn end(watch: &mut Watch) -> Error {
    loop {
        match tokio::time::timeout(PATIENCE, watch.next())
            .await
            .expect("the watch ends in time")
        {
            Some(Err(error)) => return error,
            Some(Ok(_)) => {}
            None => panic!("the watch ended without an error"),
        }
    }
}

/// A watch of a space from now on.
pub async fn watch(store: &KubeStore, space: Space) -> Watch {
    let revision = store.list(space).await.expect("a listing").revision;
    store.watch(space, revision).await.expect("a watch")
}

/// Until something is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
