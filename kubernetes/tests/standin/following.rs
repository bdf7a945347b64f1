//! Listing and watching.

use kubernetes::model::{EndpointNode, ObjectName};
use kubernetes::services::announce;
use serde_json::json;

use crate::bed::{Bed, known, pace, problem};

fn web() -> ObjectName {
    ObjectName::new("default", "web")
}

fn ready() -> serde_json::Value {
    json!({"ready": true})
}

#[tokio::test]
async fn what_is_there_and_what_changes_is_known() {
    let bed = Bed::new();
    bed.service(
        "web",
        json!({"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "externalTrafficPolicy": "Local"}),
    );
    bed.slice("web-1", "web", &[("a", ready())]);
    bed.slice("web-2", "web", &[("b", ready()), ("c", json!({"ready": false}))]);
    bed.pod("mine", "a", json!({"roadbed.dev/pools": "blue"}));
    bed.pod("theirs", "b", json!({}));
    let handle = bed.start(true).await;
    let cluster = known(&handle, "everything is listed", |cluster| cluster.synced).await;
    assert!(cluster.services[&web()].external_local);
    let nodes = |cluster: &kubernetes::model::Cluster| -> Vec<String> {
        cluster.endpoints[&web()]
            .iter()
            .map(|EndpointNode { node, .. }| node.clone())
            .collect()
    };
    assert_eq!(nodes(&cluster), ["a", "b"]);
    let pods: Vec<String> = cluster.pods.keys().map(ObjectName::to_string).collect();
    assert_eq!(
        pods,
        ["default/mine"],
        "pods of other nodes are not even asked for"
    );
    assert_eq!(cluster.node_labels["rack"], "r1");
    assert!(cluster.namespaces.contains_key("kube-system"));
    let rules = config::intent::ServiceRules {
        cluster_ips: vec!["10.96.0.0/12".parse().expect("a range")],
        ..Default::default()
    };
    assert_eq!(announce(&cluster, &rules, "a").len(), 2);

    bed.slice(
        "web-1",
        "web",
        &[("a", json!({"ready": false, "serving": true, "terminating": true}))],
    );
    let cluster = known(&handle, "the endpoint ends", |cluster| nodes(cluster) == ["b"]).await;
    assert_eq!(announce(&cluster, &rules, "a").len(), 1);
    bed.standin
        .remove("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web-2");
    known(&handle, "the slice is gone", |cluster| nodes(cluster).is_empty()).await;
    bed.pod("mine", "a", json!({"roadbed.dev/pools": "green"}));
    known(&handle, "the pod is changed", |cluster| {
        cluster.pods[&ObjectName::new("default", "mine")].annotations["roadbed.dev/pools"] == "green"
    })
    .await;
    bed.standin.remove("/api/v1/namespaces/default/pods/mine");
    bed.standin.remove("/api/v1/namespaces/default/services/web");
    known(&handle, "all is gone", |cluster| {
        cluster.pods.is_empty() && cluster.services.is_empty()
    })
    .await;
    assert!(handle.problems().borrow().is_empty());
}

#[tokio::test]
async fn an_outage_keeps_what_is_known_and_is_told() {
    for compact in [None, Some(true), Some(false)] {
        let mut bed = Bed::new();
        bed.service("web", json!({"clusterIP": "10.96.0.1"}));
        bed.service("old", json!({"clusterIP": "10.96.0.2"}));
        let handle = bed.start(true).await;
        let before = known(&handle, "everything is listed", |cluster| cluster.synced).await;
        bed.standin.stop();
        problem(&handle, Some("services")).await;
        // Meanwhile the world goes on.
        bed.standin.remove("/api/v1/namespaces/default/services/old");
        bed.service("new", json!({"clusterIP": "10.96.0.3"}));
        if let Some(as_status) = compact {
            bed.standin.compact(as_status);
        }
        assert_eq!(*handle.cluster().borrow(), before);
        bed.standin.restart();
        known(&handle, "it is caught up", |cluster| {
            let names: Vec<&str> = cluster.services.keys().map(|name| name.name.as_str()).collect();
            names == ["new", "web"]
        })
        .await;
        problem(&handle, None).await;
    }
}

#[tokio::test]
async fn a_server_that_comes_later_and_nothing_new_there() {
    let mut bed = Bed::new();
    bed.standin.stop();
    let handle = bed.start(true).await;
    problem(&handle, Some("not reached")).await;
    assert!(!handle.cluster().borrow().synced);
    bed.standin.restart();
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    problem(&handle, None).await;
    // That it is back is seen although no object changes.
    bed.standin.stop();
    problem(&handle, Some("the API server")).await;
    bed.standin.restart();
    problem(&handle, None).await;
}

#[tokio::test]
async fn history_that_is_gone_is_listed_anew() {
    for as_status in [true, false] {
        let bed = Bed::new();
        let handle = bed.start(true).await;
        known(&handle, "everything is listed", |cluster| cluster.synced).await;
        bed.standin.requests();
        bed.service("web", json!({"clusterIP": "10.96.0.1"}));
        bed.standin.compact(as_status);
        bed.standin.drop_watches();
        bed.service("other", json!({"clusterIP": "10.96.0.2"}));
        known(&handle, "both are known", |cluster| cluster.services.len() == 2).await;
    }
}

#[tokio::test]
async fn services_are_followed_when_they_are_wanted() {
    let bed = Bed::new();
    bed.service("web", json!({"clusterIP": "10.96.0.1"}));
    let handle = bed.start(false).await;
    let cluster = known(&handle, "the rest is listed", |cluster| cluster.synced).await;
    assert!(cluster.services.is_empty());
    assert_eq!(bed.requests("GET /api/v1/services"), 0);
    handle.follow_services(true);
    assert!(!handle.cluster().borrow().synced, "not known from this moment on");
    handle.follow_services(true);
    known(&handle, "Services are listed", |cluster| {
        cluster.synced && cluster.services.len() == 1
    })
    .await;
    handle.follow_services(false);
    known(&handle, "they are forgotten", |cluster| {
        cluster.synced && cluster.services.is_empty()
    })
    .await;
    handle.follow_services(true);
    assert!(!handle.cluster().borrow().synced);
    known(&handle, "they are back", |cluster| {
        cluster.synced && cluster.services.len() == 1
    })
    .await;
}

#[tokio::test]
async fn endpoints_of_headless_services_are_not_asked_for() {
    let bed = Bed::new();
    for (name, headless) in [("db", true), ("web", false)] {
        let mut labels = json!({"kubernetes.io/service-name": name});
        if headless {
            labels["service.kubernetes.io/headless"] = json!("");
        }
        bed.put(
            &format!("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/{name}"),
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"metadata": {"labels": labels}, "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.244.0.1"], "nodeName": "a", "conditions": ready()}]}),
        );
    }
    let handle = bed.start(true).await;
    let cluster = known(&handle, "everything is listed", |cluster| cluster.synced).await;
    let names: Vec<&ObjectName> = cluster.endpoints.keys().collect();
    assert_eq!(names, [&web()]);
}

#[tokio::test]
async fn bursts_are_published_in_steps() {
    let bed = Bed::new();
    let pace = kubernetes::Pace {
        publish: std::time::Duration::from_millis(100),
        ..pace()
    };
    let handle = bed.start_at(true, pace).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    let (mut cluster, began) = (handle.cluster(), std::time::Instant::now());
    let counting = tokio::spawn(async move {
        let mut published = 0;
        while cluster.borrow_and_update().services.len() < 300 {
            published += 1;
            cluster.changed().await.expect("the handle lives");
        }
        published
    });
    for name in 0..300 {
        bed.service(&format!("s{name}"), json!({"clusterIP": "10.96.0.1"}));
        tokio::task::yield_now().await;
    }
    let published: u128 = counting.await.expect("all are seen");
    let most = began.elapsed().as_millis() / 100 + 2;
    assert!(published <= most, "{published} > {most}");
}

#[tokio::test]
async fn what_is_forbidden_is_named_and_the_rest_works() {
    let bed = Bed::new();
    bed.grant(|resource| resource != "services");
    bed.pod("mine", "a", json!({}));
    let handle = bed.start(true).await;
    problem(&handle, Some("services: not allowed")).await;
    known(&handle, "the pod is known", |cluster| {
        cluster.pods.len() == 1 && !cluster.synced
    })
    .await;
    bed.grant(|_| true);
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    problem(&handle, None).await;
}

#[tokio::test]
async fn what_was_started_ends_with_the_handle() {
    let bed = Bed::new();
    let handle = bed.start(true).await;
    known(&handle, "everything is listed", |cluster| cluster.synced).await;
    crate::bed::until("five watches", || (bed.standin.watches() == 5).then_some(())).await;
    drop(handle);
    crate::bed::until("no watch", || (bed.standin.watches() == 0).then_some(())).await;
}
