//! Server-side apply: owners of fields, conflicts, and what goes when nobody applies it any more.

use serde_json::{Value, json};

use super::ask;
use crate::{Resource, Right, Rights, Standin};

const APPLY: &str = "application/apply-patch+yaml";
const NODE: &str = "/api/v1/nodes/a";

fn node(fields: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}});
    let (Some(object_), Some(fields)) = (object.as_object_mut(), fields.as_object()) else {
        panic!("objects");
    };
    object_.extend(fields.clone());
    object
}

fn apply(standin: &Standin, path: &str, manager: &str, fields: Value) -> (u16, Value) {
    let path = format!("{path}?fieldManager={manager}");
    ask(standin, "PATCH", &path, APPLY, &node(fields))
}

/// The managers of an object with how they wrote, and the fields of each.
fn managers(object: &Value) -> Vec<(String, Value)> {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .expect("a list")
        .iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    entries
        .map(|entry| {
            let who = ["manager", "operation", "subresource"].map(|field| text(&entry[field]));
            (who.join(" "), entry["fieldsV1"].clone())
        })
        .collect()
}

#[test]
fn what_nobody_applies_any_more_goes_and_what_another_applies_stays() {
    let standin = Standin::start();
    let spec = |fields: Value| json!({"metadata": {"name": "a", "labels": fields}});
    assert_eq!(
        apply(&standin, NODE, "one", spec(json!({"x": "1", "y": "1"}))).0,
        201
    );
    let (code, both) = apply(&standin, NODE, "two", spec(json!({"y": "1", "z": "1"})));
    assert_eq!((code, managers(&both).len()), (200, 2));
    assert_eq!(
        managers(&both)[0],
        (
            "one Apply -".to_owned(),
            json!({"f:metadata": {"f:labels": {"f:x": {}, "f:y": {}}}})
        )
    );
    // `one` drops x, which only it has, and y, which two has as well.
    let (_, less) = apply(&standin, NODE, "one", json!({}));
    assert_eq!(less["metadata"]["labels"], json!({"y": "1", "z": "1"}));
    assert_eq!(managers(&less).len(), 1, "who owns nothing is not named");
    // The same again is no write.
    assert_eq!(apply(&standin, NODE, "one", json!({})).1, less);
}

#[test]
fn what_others_own_is_a_conflict_unless_forced() {
    let standin = Standin::start();
    let labels = |x: &str| json!({"metadata": {"name": "a", "labels": {"x": x}}});
    apply(&standin, NODE, "one", labels("1"));
    assert_eq!(
        apply(&standin, NODE, "two", labels("1")).0,
        200,
        "the same value is shared"
    );
    let (code, refused) = apply(&standin, NODE, "two", labels("2"));
    assert_eq!((code, &refused["reason"]), (409, &json!("Conflict")));
    assert_eq!(refused["details"]["causes"][0]["field"], ".metadata.labels.x");
    assert!(
        refused["message"]
            .as_str()
            .is_some_and(|text| text.contains("conflict with \"one\"")),
        "{refused}"
    );
    let forced = format!("{NODE}?fieldManager=two&force=true");
    let (code, taken) = ask(&standin, "PATCH", &forced, APPLY, &node(labels("2")));
    assert_eq!((code, &taken["metadata"]["labels"]["x"]), (200, &json!("2")));
    assert_eq!(
        managers(&taken)
            .iter()
            .map(|(who, _)| who.as_str())
            .collect::<Vec<_>>(),
        ["two Apply -"]
    );
    // Writes that are no apply take what they change, and then are in the way of an apply.
    let merge = "application/merge-patch+json";
    ask(
        &standin,
        "PATCH",
        &format!("{NODE}?fieldManager=hand"),
        merge,
        &json!({"metadata": {"labels": {"x": "3"}}}),
    );
    assert_eq!(apply(&standin, NODE, "two", labels("2")).0, 409);
}

#[test]
fn conditions_have_owners_each() {
    let standin = Standin::start();
    standin.put(
        NODE,
        node(json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})),
    );
    let status = format!("{NODE}/status");
    let condition =
        |value: &str| json!({"status": {"conditions": [{"type": "NetworkUnavailable", "status": value}]}});
    let (code, object) = apply(&standin, &status, "net", condition("False"));
    assert_eq!(code, 200, "{object}");
    assert_eq!(
        object["status"]["conditions"],
        json!([{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "False"}])
    );
    let key = "k:{\"type\":\"NetworkUnavailable\"}";
    let own = json!({"f:status": {"f:conditions": {key: {".": {}, "f:type": {}, "f:status": {}}}}});
    assert!(
        managers(&object).contains(&("net Apply status".to_owned(), own)),
        "{object}"
    );
    // Somebody else's condition is not ours to change.
    let theirs = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    assert_eq!(apply(&standin, &status, "net", theirs).0, 409);
    let (_, object) = apply(&standin, &status, "net", json!({}));
    assert_eq!(
        object["status"]["conditions"],
        json!([{"type": "Ready", "status": "True"}])
    );
}

#[test]
fn lists_of_custom_resources_follow_their_schema() {
    let standin = Standin::start();
    let item =
        json!({"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer"}}});
    let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item});
    let definition = json!({"spec": {"group": "roadbed.dev", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"map": map, "whole": {"type": "array", "items": {"type": "string"}}}}}}}}]}});
    standin.install(Resource::of_definition(&definition).expect("a definition"));
    let apply = |manager: &str, spec: Value| {
        let object =
            json!({"apiVersion": "roadbed.dev/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec});
        let path = format!("/apis/roadbed.dev/v1/things/t?fieldManager={manager}");
        ask(&standin, "PATCH", &path, APPLY, &object)
    };
    apply("one", json!({"map": [{"name": "a", "v": 1}], "whole": ["x"]}));
    let (_, both) = apply("two", json!({"map": [{"name": "b", "v": 1}]}));
    assert_eq!(
        both["spec"]["map"],
        json!([{"name": "a", "v": 1}, {"name": "b", "v": 1}])
    );
    assert_eq!(
        apply("two", json!({"whole": ["x", "y"]})).0,
        409,
        "a list that is one value"
    );
    let (_, left) = apply("one", json!({"whole": ["z"]}));
    assert_eq!(
        left["spec"],
        json!({"map": [{"name": "b", "v": 1}], "whole": ["z"]})
    );
}

#[test]
fn an_apply_that_makes_an_object_needs_both_rights() {
    let standin = Standin::start();
    let rights = |verbs: &[&str]| {
        let rights = verbs.iter().map(|verb| Right::new(verb, "nodes")).collect();
        standin.set_rights(Rights {
            tokens: [("t".to_owned(), ("agent".to_owned(), rights))].into(),
        });
    };
    let path = format!("{NODE}?fieldManager=one");
    let apply = || super::ask_as(&standin, "t", "PATCH", &path, APPLY, &node(json!({}))).0;
    rights(&["patch"]);
    assert_eq!(apply(), 403);
    rights(&["patch", "create"]);
    assert_eq!(apply(), 201);
    rights(&["patch"]);
    assert_eq!(apply(), 200);
}
