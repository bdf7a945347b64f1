//! The condition and the taint of the Node.

use kube_standin::Fail;
use kubernetes::report::Report;
use serde_json::{Value, json};

use crate::bed::{Bed, NODE, pace, problem, routing, text, until};

fn condition(node: &Value, kind: &str) -> Option<Value> {
    let all = node["status"]["conditions"].as_array()?;
    all.iter().find(|condition| condition["type"] == kind).cloned()
}

fn says(bed: &Bed, status: &str, reason: &str) -> Option<()> {
    let condition = condition(&bed.node(), "NetworkUnavailable")?;
    (condition["status"] == status && condition["reason"] == reason).then_some(())
}

fn taints(bed: &Bed) -> Vec<String> {
    let taints = bed.node()["spec"]["taints"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    taints.iter().map(|taint| text(&taint["key"])).collect()
}

fn report(ready: bool, reason: &str) -> Report {
    Report {
        routing: routing(ready, reason),
        bgp: None,
    }
}

#[tokio::test]
async fn a_node_whose_routing_works_takes_pods() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    handle.report(report(true, "RoadbedReady"));
    until("the condition is good", || says(&bed, "False", "RoadbedReady")).await;
    until("the taint is gone", || {
        (taints(&bed) == ["dedicated"]).then_some(())
    })
    .await;
    let ready = condition(&bed.node(), "Ready").expect("the kubelet's");
    assert_eq!(ready["reason"], "KubeletReady");
    assert_eq!(bed.node()["metadata"]["labels"]["rack"], "r1");

    // It lasts: then pods are to go elsewhere. The taint is the controller's.
    handle.report(report(false, "SessionsDown"));
    until("the condition is bad", || says(&bed, "True", "SessionsDown")).await;
    let since = condition(&bed.node(), "NetworkUnavailable").expect("it")["lastTransitionTime"].clone();
    handle.report(report(false, "NoConfiguration"));
    until("the reason follows", || says(&bed, "True", "NoConfiguration")).await;
    let now = condition(&bed.node(), "NetworkUnavailable").expect("it");
    assert_eq!(now["lastTransitionTime"], since);
    assert_eq!(taints(&bed), ["dedicated"]);
    handle.report(report(true, "RoadbedReady"));
    until("the condition is good again", || {
        says(&bed, "False", "RoadbedReady")
    })
    .await;
    problem(&handle, None).await;
}

#[tokio::test]
async fn a_flap_and_a_repetition_write_nothing() {
    let bed = Bed::new();
    let pace = kubernetes::Pace {
        patience: std::time::Duration::from_secs(600),
        ..pace()
    };
    let handle = bed.start_at(false, pace).await;
    handle.report(report(true, "RoadbedReady"));
    until("the condition is good", || says(&bed, "False", "RoadbedReady")).await;
    until("the taint is gone", || {
        (taints(&bed) == ["dedicated"]).then_some(())
    })
    .await;
    let before = bed.node();
    bed.standin.requests();
    for _ in 0..5 {
        handle.report(report(false, "SessionsDown"));
        handle.report(report(true, "RoadbedReady"));
    }
    handle.report(report(false, "SessionsDown"));
    // The kubelet's heartbeat makes the duty look again; it comes back to us through the same watch.
    let mut beaten = before.clone();
    beaten["metadata"]["labels"]["beat"] = json!("1");
    bed.put(NODE, "v1", "Node", beaten);
    crate::bed::known(&handle, "the Node is heard", |cluster| {
        cluster.node_labels.contains_key("beat")
    })
    .await;
    assert_eq!(bed.requests("PATCH"), 0);
    assert_eq!(bed.node()["status"], before["status"]);
}

#[tokio::test]
async fn nothing_is_said_before_it_is_known() {
    let bed = Bed::new();
    let handle = bed.start(false).await;
    handle.report(Report::default());
    crate::bed::known(&handle, "everything is listed", |cluster| cluster.synced).await;
    assert_eq!(condition(&bed.node(), "NetworkUnavailable"), None);
    assert_eq!(bed.requests("PATCH"), 0);
}

#[tokio::test]
async fn what_another_left_is_taken_over() {
    let bed = Bed::new();
    let mut node = bed.node();
    let theirs = json!({"type": "NetworkUnavailable", "status": "False", "reason": "CalicoIsUp"});
    node["status"]["conditions"]
        .as_array_mut()
        .expect("a list")
        .push(theirs);
    bed.put(NODE, "v1", "Node", node);
    let handle = bed.start(false).await;
    handle.report(report(true, "RoadbedReady"));
    until("the reason is ours", || says(&bed, "False", "RoadbedReady")).await;
    until("the taint is gone", || {
        (taints(&bed) == ["dedicated"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn taints_that_moved_meanwhile_are_looked_at_anew() {
    for code in [409, 422] {
        let bed = Bed::new();
        let handle = bed.start(false).await;
        handle.report(report(true, "RoadbedReady"));
        until("the taint is gone", || {
            (taints(&bed) == ["dedicated"]).then_some(())
        })
        .await;
        // The test of the patch fails, as where somebody else was quicker.
        bed.standin.fail(Fail {
            method: Some("PATCH"),
            ..Fail::next(code, 1)
        });
        let mut node = bed.node();
        let taint = json!({"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"});
        node["spec"]["taints"]
            .as_array_mut()
            .expect("a list")
            .insert(0, taint);
        bed.standin.requests();
        bed.put(NODE, "v1", "Node", node);
        until("the taint is gone again", || {
            (taints(&bed) == ["dedicated"]).then_some(())
        })
        .await;
        let requests = bed.standin.requests();
        let of_node = |method: &str| {
            requests
                .iter()
                .filter(|r| r.starts_with(&format!("{method} {NODE}")))
                .count()
        };
        assert_eq!((of_node("PATCH"), of_node("GET")), (2, 1), "{requests:?}");
        problem(&handle, None).await;
    }
}

#[tokio::test]
async fn an_outage_is_told_and_over_when_it_is_written() {
    let mut bed = Bed::new();
    let handle = bed.start(false).await;
    crate::bed::known(&handle, "everything is listed", |cluster| cluster.synced).await;
    bed.standin.stop();
    handle.report(report(true, "RoadbedReady"));
    problem(&handle, Some("condition of this node")).await;
    bed.standin.restart();
    until("the condition is good", || says(&bed, "False", "RoadbedReady")).await;
    problem(&handle, None).await;
}

#[tokio::test]
async fn a_node_of_another_name_is_told() {
    let bed = Bed::new();
    bed.standin.remove(NODE);
    let handle = bed.start(false).await;
    crate::bed::known(&handle, "everything is listed", |cluster| cluster.synced).await;
    handle.report(report(true, "RoadbedReady"));
    problem(&handle, Some("there is no Node a")).await;
}
