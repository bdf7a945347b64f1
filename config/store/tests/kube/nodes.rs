//! Nodes of two halves, in listings, in watches, and when they are written.

use datastore::{Change, Datastore, Error, Expect, Outcome, Space, Write};
use serde_json::{Value, json};

use crate::support::{json, next, next_put, node, put, standin, store, watch};

const CORE: &str = "/api/v1/nodes/a";
const OURS: &str = "/apis/roadbed.dev/v1/nodes/a";

fn core(rack: &str, beat: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "a", "labels": {"rack": rack}, "annotations": {"beat": beat.to_string()}},
        "spec": {"podCIDRs": ["10.244.1.0/24"]},
    })
}

fn ours(spec: Value) -> Value {
    json!({"apiVersion": "roadbed.dev/v1", "kind": "Node", "metadata": {"name": "a"}, "spec": spec})
}

#[tokio::test]
async fn both_halves_are_one_item() {
    let (standin, key) = (standin(), node("a"));
    let store = store(&standin).await;
    let made = standin.put(CORE, core("r1", 1));
    standin.put(OURS, ours(json!({"bgp": {"ipv4Address": "192.0.2.11/24"}})));
    let item = store.get(&key).await.expect("an answer").expect("a node");
    let wanted = json!({
        "apiVersion": "roadbed.dev/v1", "kind": "Node", "metadata": {"name": "a", "labels": {"rack": "r1"}},
        "spec": {"bgp": {"ipv4Address": "192.0.2.11/24"}, "podCIDRs": ["10.244.1.0/24"]},
    });
    assert_eq!(json(&item), wanted);
    assert_eq!(made["metadata"]["uid"], item.incarnation.as_str());
    let listing = store.list(Space::Resources).await.expect("a listing");
    assert_eq!(listing.items, [item]);
}

#[tokio::test]
async fn a_watch_shows_either_half_and_no_heartbeat() {
    let standin = standin();
    let store = store(&standin).await;
    standin.put(CORE, core("r1", 1));
    let mut watch = watch(&store, Space::Resources).await;
    let life = store
        .get(&node("a"))
        .await
        .expect("an answer")
        .expect("a node")
        .incarnation;
    standin.put(OURS, ours(json!({"bgp": {"asNumber": 65001}})));
    let item = next_put(&mut watch).await;
    assert_eq!(
        (&json(&item)["spec"]["bgp"]["asNumber"], &item.incarnation),
        (&json!(65001), &life)
    );
    for beat in 2..10 {
        standin.put(CORE, core("r1", beat));
    }
    standin.put(CORE, core("r2", 10));
    let item = next_put(&mut watch).await;
    assert_eq!(json(&item)["metadata"]["labels"]["rack"], "r2");
    standin.remove(CORE);
    let item = next_put(&mut watch).await;
    assert_ne!(item.incarnation, life);
    assert_eq!(store.get(&node("a")).await.expect("an answer"), Some(item));
    standin.remove(OURS);
    assert_eq!(next(&mut watch).await, [Change::Deleted(node("a"))]);
}

/// What happened between a listing and the watch from it is told, whichever half it was.
#[tokio::test]
async fn a_watch_from_before_tells_what_happened_since() {
    let standin = standin();
    let store = store(&standin).await;
    standin.put(CORE, core("r1", 1));
    standin.put("/api/v1/nodes/b", {
        let mut other = core("r1", 1);
        other["metadata"]["name"] = json!("b");
        other
    });
    let revision = store.list(Space::Resources).await.expect("a listing").revision;
    standin.put(CORE, core("r2", 2));
    standin.remove("/api/v1/nodes/b");
    let mut watch = store.watch(Space::Resources, revision).await.expect("a watch");
    let item = next_put(&mut watch).await;
    assert_eq!(json(&item)["metadata"]["labels"]["rack"], "r2");
    assert_eq!(next(&mut watch).await, [Change::Deleted(node("b"))]);
}

#[tokio::test]
async fn writing_a_node_writes_ours_only() {
    let (standin, key) = (standin(), node("a"));
    let store = store(&standin).await;
    let before = standin.put(CORE, core("r1", 1));
    let text = ours(json!({"bgp": {"asNumber": 65001}})).to_string();
    assert_eq!(
        put(&store, &key, text.clone(), Expect::Absent).await,
        Outcome::Conflict,
        "it is there: Kubernetes has it"
    );
    let item = store.get(&key).await.expect("an answer").expect("a node");
    let done = put(&store, &key, text.clone(), Expect::Version(item.version.clone())).await;
    let now = store.get(&key).await.expect("an answer").expect("a node");
    assert_eq!(done, Outcome::Done(now.version.clone()));
    assert_eq!(
        json(&now)["spec"],
        json!({"bgp": {"asNumber": 65001}, "podCIDRs": ["10.244.1.0/24"]})
    );
    assert_eq!(
        standin.object(CORE),
        Some(before),
        "the Node of Kubernetes is as it was"
    );
    assert_eq!(
        put(&store, &key, text, Expect::Version(item.version)).await,
        Outcome::Conflict
    );
    // Deleting removes what is ours; what is left cannot be deleted from here, and that is said.
    let delete = || store.write(Write::Delete(key.clone()), Expect::Any);
    assert!(delete().await.expect("a deletion").is_done());
    let Err(Error::Invalid { fix, .. }) = delete().await else {
        panic!("a Node of Kubernetes was deleted")
    };
    assert!(fix.contains("kubectl delete node a"), "{fix}");
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let (standin, key) = (standin(), node("a"));
    let store = store(&standin).await;
    assert_eq!(
        store.write_status(&key, &json!({"sessions": 1})).await,
        Ok(Outcome::Conflict),
        "there is none"
    );
    let spec = json!({"bgp": {"asNumber": 65001}});
    put(&store, &key, ours(spec.clone()).to_string(), Expect::Absent).await;
    assert!(
        store
            .write_status(&key, &json!({"sessions": 2}))
            .await
            .expect("a write")
            .is_done()
    );
    let object = standin.object(OURS).expect("an object");
    assert_eq!(
        (&object["spec"], &object["status"]),
        (&spec, &json!({"sessions": 2}))
    );
    assert_eq!(object["metadata"]["generation"], 1, "the status is not the spec");
    put(&store, &key, ours(json!({})).to_string(), Expect::Any).await;
    let object = standin.object(OURS).expect("an object");
    assert_eq!(
        (&object["spec"], &object["status"]),
        (&json!({}), &json!({"sessions": 2}))
    );
    let item = store.get(&key).await.expect("an answer").expect("a node");
    assert_eq!(json(&item).get("status"), None);
}
