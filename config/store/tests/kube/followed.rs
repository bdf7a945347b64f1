//! The whole way: from objects of the API to the intent that an agent has, through an outage, and a start without the
//! server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::KubernetesSettings;
use kube_standin::Standin;
use serde_json::json;
use store::{Handle, Origin, StoreState};

use crate::support::{PATIENCE, TOKEN, standin};

async fn open(standin: &Standin, folder: &Path) -> Handle {
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, standin.kubeconfig(TOKEN)).expect("written");
    let settings = config::Datastore::Kubernetes(KubernetesSettings {
        kubeconfig: Some(kubeconfig),
    });
    store::open(&settings, Some(folder))
        .await
        .expect("the settings are good")
}

async fn state(handle: &Handle, what: &str, so: impl FnMut(&Arc<StoreState>) -> bool) -> Arc<StoreState> {
    let mut states = handle.state();
    let found = tokio::time::timeout(PATIENCE, states.wait_for(so)).await;
    found
        .unwrap_or_else(|_| panic!("{what}"))
        .expect("the store runs")
        .clone()
}

fn pool(standin: &Standin, cidr: &str) {
    let spec = json!({"cidr": cidr});
    standin.put(
        "/apis/roadbed.dev/v1/ippools/pods",
        json!({"apiVersion": "roadbed.dev/v1", "kind": "IPPool", "metadata": {"name": "pods"}, "spec": spec}),
    );
}

#[tokio::test]
async fn objects_become_the_intent_and_stay_it_while_the_server_is_away() {
    let (mut standin, folder) = (standin(), tempfile::tempdir().expect("a folder"));
    pool(&standin, "10.244.0.0/16");
    standin.put(
        "/api/v1/nodes/a",
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": {"rack": "r1"}}, "spec": {},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]},
        }),
    );
    let handle = open(&standin, folder.path()).await;
    let first = state(&handle, "the intent is read", |state| state.intent.is_some()).await;
    let intent = first.intent.clone().expect("an intent");
    assert!(first.problems.is_empty(), "{:?}", first.problems);
    assert_eq!(intent.pools.len(), 1);
    let node = intent.nodes.values().next().expect("a node");
    assert_eq!(node.name.as_str(), "a");
    assert!(format!("{:?}", node.bgp).contains("192.0.2.11"), "{node:?}");

    pool(&standin, "10.245.0.0/16");
    let wanted = "10.245.0.0/16".parse().expect("a prefix");
    let has = |state: &Arc<StoreState>| {
        state
            .intent
            .as_ref()
            .is_some_and(|intent| intent.pools[0].cidr == wanted)
    };
    state(&handle, "the change is seen", has).await;
    // The disk follows within a second; what is dropped before that is not kept.
    let file = folder.path().join(store::last_good::FILE);
    let kept = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("10.245.0.0/16")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, kept)
        .await
        .expect("the change is kept");

    standin.stop();
    let mut contacts = handle.contact();
    let away = tokio::time::timeout(PATIENCE * 2, contacts.wait_for(|contact| contact.is_away()));
    let away = away
        .await
        .expect("the outage is noticed")
        .expect("the store runs")
        .clone();
    assert!(away.problem.is_some_and(|problem| !problem.contains(TOKEN)));
    assert!(has(&handle.state().borrow()), "the intent stays");
    drop(handle);

    let handle = open(&standin, folder.path()).await;
    let kept = state(&handle, "the last good intent is there", |state| {
        state.intent.is_some()
    })
    .await;
    assert!(
        matches!(kept.origin, Origin::LastGood { .. }) && has(&kept),
        "{kept:?}"
    );
    standin.restart();
    let live = |state: &Arc<StoreState>| matches!(state.origin, Origin::Live) && has(state);
    let mut states = handle.state();
    let live = tokio::time::timeout(PATIENCE * 2, states.wait_for(live)).await;
    drop(live.expect("the server is found again").expect("the store runs"));
    tokio::time::timeout(Duration::from_secs(40), contacts_back(&handle))
        .await
        .expect("and that is said");
}

async fn contacts_back(handle: &Handle) {
    let mut contacts = handle.contact();
    contacts
        .wait_for(|contact| !contact.is_away())
        .await
        .map(drop)
        .expect("the store runs");
}
