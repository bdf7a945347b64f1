//! Conflicts, and values that the server does not take.

use datastore::{Datastore, Error, Expect, Outcome, Write};
use serde_json::json;

use crate::support::{block, json, node, pool, pool_text, put, record, standin, store};

#[tokio::test]
async fn of_two_writers_over_one_version_the_second_gets_a_conflict() {
    let standin = standin();
    let store = store(&standin).await;
    for (key, texts) in [
        (block("10.0.0.0/26"), [record("a"), record("b"), record("c")]),
        (
            pool("pods"),
            ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].map(|cidr| pool_text("pods", cidr)),
        ),
    ] {
        let [first, second, third] = texts;
        let Outcome::Done(version) = put(&store, &key, first, Expect::Absent).await else {
            panic!("a conflict")
        };
        assert!(
            put(&store, &key, second, Expect::Version(version.clone()))
                .await
                .is_done()
        );
        let late = put(&store, &key, third, Expect::Version(version.clone())).await;
        assert_eq!(late, Outcome::Conflict);
        let deleted = store
            .write(Write::Delete(key.clone()), Expect::Version(version))
            .await;
        assert_eq!(deleted, Ok(Outcome::Conflict));
    }
}

#[tokio::test]
async fn a_replaced_resource_keeps_what_others_put_on_it() {
    let standin = standin();
    let store = store(&standin).await;
    let path = "/apis/roadbed.dev/v1/ippools/pods";
    let mut object: serde_json::Value =
        serde_json::from_str(&pool_text("pods", "10.1.0.0/16")).expect("JSON");
    object["metadata"]["finalizers"] = json!(["example.org/keep"]);
    object["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    standin.put(path, object);
    let item = store
        .get(&pool("pods"))
        .await
        .expect("an answer")
        .expect("a pool");
    assert_eq!(json(&item)["metadata"], json!({"name": "pods"}));
    assert!(
        put(
            &store,
            &pool("pods"),
            pool_text("pods", "10.2.0.0/16"),
            Expect::Version(item.version)
        )
        .await
        .is_done()
    );
    let now = standin.object(path).expect("an object");
    assert_eq!(now["metadata"]["finalizers"], json!(["example.org/keep"]));
    assert_eq!(
        now["metadata"]["annotations"],
        json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    );
    assert_eq!(now["spec"]["cidr"], "10.2.0.0/16");
}

/// The schema of the definitions: what is wrong is refused with the server's words; what it does not know is kept, so
/// that the agents can name it.
#[tokio::test]
async fn the_server_checks_what_it_knows_and_keeps_what_it_does_not() {
    let standin = standin();
    let store = store(&standin).await;
    let document = |spec: serde_json::Value| {
        json!({"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "pods"}, "spec": spec}).to_string()
    };
    for (spec, said) in [
        (json!({}), "spec.cidr: Required value"),
        (json!({"cidr": "10.0.0.0/16", "blockSize": 8}), "blockSize"),
        (
            json!({"cidr": "10.0.0.0/16", "vxlanMode": "Sometimes"}),
            "vxlanMode: Unsupported value",
        ),
        (json!({"cidr": 7}), "spec.cidr"),
    ] {
        let written = store
            .write(Write::Put(pool("pods"), document(spec.clone())), Expect::Any)
            .await;
        let Err(Error::Invalid { detail, .. }) = written else {
            panic!("{spec}: {written:?}")
        };
        assert!(detail.contains(said), "{detail}");
    }
    let spec = json!({"cidr": "10.0.0.0/16", "natOutgoing": true, "awsSubnetID": "x"});
    assert!(
        put(&store, &pool("pods"), document(spec.clone()), Expect::Any)
            .await
            .is_done()
    );
    let item = store
        .get(&pool("pods"))
        .await
        .expect("an answer")
        .expect("a pool");
    assert_eq!(json(&item)["spec"], spec);
}

#[tokio::test]
async fn what_the_server_does_not_know_says_what_to_install() {
    let standin = standin();
    let store = store(&standin).await;
    standin.uninstall("roadbed.dev", "ippools");
    standin.uninstall("roadbed.dev", "nodes");
    for error in [
        store.get(&pool("pods")).await.map(drop),
        store.get(&node("a")).await.map(drop),
        store.list(datastore::Space::Resources).await.map(drop),
        store
            .write(
                Write::Put(pool("pods"), pool_text("pods", "10.0.0.0/16")),
                Expect::Absent,
            )
            .await
            .map(drop),
        store
            .write(Write::Delete(pool("pods")), Expect::Any)
            .await
            .map(drop),
    ] {
        let text = error.expect_err("the definition is missing").to_string();
        assert!(text.contains("kubectl apply -k deploy/crds"), "{text}");
    }
}
