//! The builtin types: namespaces, patches of Nodes, Events.

use serde_json::{Value, json};

use super::{JSON, ask};
use crate::Standin;

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"nodeName": "n1"}})
}

#[test]
fn objects_live_in_namespaces_that_are_there() {
    let standin = Standin::start();
    let pods = |namespace: &str| format!("/api/v1/namespaces/{namespace}/pods");
    let (code, made) = ask(&standin, "POST", &pods("default"), JSON, &pod("a"));
    assert_eq!((code, &made["metadata"]["namespace"]), (201, &json!("default")));
    let (code, refused) = ask(&standin, "POST", &pods("x"), JSON, &pod("a"));
    assert_eq!((code, &refused["details"]["kind"]), (404, &json!("namespaces")));
    standin.put(
        "/api/v1/namespaces/x",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}),
    );
    let mut wrong = pod("a");
    wrong["metadata"]["namespace"] = json!("default");
    assert_eq!(ask(&standin, "POST", &pods("x"), JSON, &wrong).0, 400);
    assert_eq!(
        ask(&standin, "POST", &pods("x"), JSON, &pod("a")).0,
        201,
        "the same name in another namespace"
    );
    assert_eq!(ask(&standin, "POST", "/api/v1/pods", JSON, &pod("b")).0, 405);
    let (_, all) = ask(&standin, "GET", "/api/v1/pods", JSON, &Value::Null);
    assert_eq!(
        (all["items"].as_array().map(Vec::len), &all["kind"]),
        (Some(2), &json!("PodList"))
    );
    let (_, one) = ask(&standin, "GET", &pods("x"), JSON, &Value::Null);
    assert_eq!(one["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        ask(
            &standin,
            "DELETE",
            &format!("{}/a", pods("x")),
            JSON,
            &Value::Null
        )
        .0,
        200
    );
    assert_eq!(standin.objects("/api/v1/pods").len(), 1);
    let (_, slices) = ask(
        &standin,
        "GET",
        "/apis/discovery.k8s.io/v1/endpointslices",
        JSON,
        &Value::Null,
    );
    assert_eq!(slices["apiVersion"], "discovery.k8s.io/v1");
}

#[test]
fn field_selectors_select_and_unknown_ones_are_refused() {
    let standin = Standin::start();
    for (name, node) in [("a", "n1"), ("b", "n2")] {
        let mut object = pod(name);
        object["spec"]["nodeName"] = json!(node);
        standin.put(&format!("/api/v1/namespaces/default/pods/{name}"), object);
    }
    let (_, of_n2) = ask(
        &standin,
        "GET",
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2",
        JSON,
        &Value::Null,
    );
    assert_eq!(of_n2["items"][0]["metadata"]["name"], "b");
    assert_eq!(of_n2["items"].as_array().map(Vec::len), Some(1));
    let (code, _) = ask(
        &standin,
        "GET",
        "/api/v1/pods?fieldSelector=spec.image%3Dx",
        JSON,
        &Value::Null,
    );
    assert_eq!(code, 400);
}

#[test]
fn a_taint_goes_by_a_tested_patch_and_a_condition_by_a_strategic_one() {
    let standin = Standin::start();
    let taints = json!([{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoSchedule"}]);
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    standin.put("/api/v1/nodes/n", node);
    let patch = |seen: &Value| json!([{"op": "test", "path": "/spec/taints", "value": seen}, {"op": "remove", "path": "/spec/taints/1"}]);
    let tested = "application/json-patch+json";
    let (code, after) = ask(&standin, "PATCH", "/api/v1/nodes/n", tested, &patch(&taints));
    assert_eq!(
        (code, &after["spec"]["taints"]),
        (200, &json!([{"key": "a", "effect": "NoSchedule"}]))
    );
    assert_eq!(
        ask(&standin, "PATCH", "/api/v1/nodes/n", tested, &patch(&taints)).0,
        422,
        "another saw other taints"
    );
    let strategic = "application/strategic-merge-patch+json";
    let condition = json!({"status": {"conditions": [{"type": "NetworkUnavailable", "status": "False"}]}});
    let (_, after) = ask(&standin, "PATCH", "/api/v1/nodes/n/status", strategic, &condition);
    assert_eq!(
        after["status"]["conditions"].as_array().map(Vec::len),
        Some(2),
        "{after}"
    );
    let (_, main) = ask(
        &standin,
        "PATCH",
        "/api/v1/nodes/n",
        strategic,
        &json!({"status": {"conditions": null}}),
    );
    assert_eq!(
        main["status"]["conditions"].as_array().map(Vec::len),
        Some(2),
        "the status is written apart"
    );
    assert_eq!(
        ask(&standin, "PATCH", "/api/v1/nodes/n", "application/x", &json!({})).0,
        415
    );
}

fn event() -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"generateName": "n1."},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "roadbed.dev/agent", "reportingInstance": "n1",
        "action": "Peering", "reason": "BGPPeerDown", "type": "Warning", "note": "down",
        "regarding": {"kind": "Node", "name": "n1", "uid": "n1", "apiVersion": "v1"},
    })
}

#[test]
fn events_are_held_to_their_rules() {
    let standin = Standin::start();
    const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
    let (code, made) = ask(&standin, "POST", EVENTS, JSON, &event());
    assert_eq!(code, 201, "{made}");
    let path = format!("{EVENTS}/{}", made["metadata"]["name"].as_str().expect("a name"));
    for (field, wrong) in [
        ("eventTime", Value::Null),
        ("reportingInstance", json!("")),
        ("reportingInstance", json!("x".repeat(129))),
        ("action", Value::Null),
        ("type", json!("Bad")),
        ("note", json!("x".repeat(1025))),
        ("regarding", json!({"kind": "Pod", "name": "p", "namespace": "x"})),
        (
            "series",
            json!({"count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}),
        ),
    ] {
        let mut bad = event();
        bad[field] = wrong;
        let (code, refused) = ask(&standin, "POST", EVENTS, JSON, &bad);
        assert_eq!((code, &refused["reason"]), (422, &json!("Invalid")), "{field}");
    }
    let merge = "application/merge-patch+json";
    let series = json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}});
    assert_eq!(
        ask(&standin, "PATCH", &path, merge, &series).1["series"]["count"],
        2
    );
    assert_eq!(
        ask(&standin, "PATCH", &path, merge, &json!({"note": "up"})).0,
        422
    );
}
