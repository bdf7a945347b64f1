//! Objects and texts, into each other.

use config::fields::ResourceKind;
use serde_json::json;

use super::*;

fn pool() -> Key {
    Key::resource(ResourceKind::IpPool, "pods")
}

#[test]
fn a_document_becomes_an_object_and_comes_back_without_what_the_server_added() {
    let yaml = "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: { name: pods, labels: { a: 'b' }, uid: x }\n\
                spec: { cidr: 10.244.0.0/16, blockSize: 26, disabled: false }\n";
    let mut object = object(&pool(), yaml).expect("an object");
    assert_eq!(
        object,
        json!({
            "apiVersion": "roadbed.dev/v1", "kind": "IPPool", "metadata": {"name": "pods", "labels": {"a": "b"}},
            "spec": {"cidr": "10.244.0.0/16", "blockSize": 26, "disabled": false},
        })
    );
    object["metadata"]["uid"] = json!("u1");
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["managedFields"] = json!([{}]);
    object["status"] = json!({"ready": true});
    let item = item(Kind::Resource(ResourceKind::IpPool), pool(), &object);
    assert_eq!((item.version.as_str(), item.incarnation.as_str()), ("7", "u1"));
    let value: Value = serde_json::from_str(&item.value).expect("JSON");
    let rules = config::Rules { shared_out: true };
    assert_eq!(value["metadata"], json!({"name": "pods", "labels": {"a": "b"}}));
    assert_eq!(value.get("status"), None);
    let source = config::Source {
        name: "x".into(),
        text: item.value.to_string(),
    };
    let problems = config::load_with(&[source], rules).problems;
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn an_as_number_with_a_point_stays_what_it_is() {
    let key = Key::resource(ResourceKind::BgpConfiguration, "default");
    let yaml = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\nspec: { asNumber: 1.10 }";
    assert_eq!(object(&key, yaml).expect("an object")["spec"]["asNumber"], "1.10");
}

/// Calico's older name of a kind is the same kind.
#[test]
fn an_older_name_of_a_kind_is_stored_under_the_present_one() {
    let key = Key::resource(ResourceKind::IpamConfig, "default");
    let yaml = "apiVersion: projectcalico.org/v3\nkind: IPAMConfig\nmetadata: { name: default }\n\
                spec: { strictAffinity: true, maxBlocksPerHost: ~ }";
    let object = object(&key, yaml).expect("an object");
    assert_eq!(
        (&object["kind"], &object["spec"]),
        (&json!("IPAMConfiguration"), &json!({"strictAffinity": true}))
    );
}

#[test]
fn what_is_no_document_of_this_key_is_refused() {
    for (text, why) in [
        ("", "not one document"),
        ("{", "not one document"),
        ("a: 1\n---\nb: 1\n", "not one document"),
        ("kind: BGPPeer\nmetadata: { name: pods }", "not of kind IPPool"),
        ("kind: IPPool\nmetadata: { name: others }", "another name"),
    ] {
        let wrong = object(&pool(), text).expect_err(text);
        assert!(wrong.contains(why), "{text}: {wrong}");
    }
    let block = Key::Block("10.0.0.0/26".parse().expect("valid"));
    for text in ["", "7", "\"a\"", "a: b"] {
        assert!(object(&block, text).is_err(), "{text}");
    }
}

#[test]
fn replacing_keeps_what_others_put_there() {
    let old = json!({"metadata": {
        "name": "a", "uid": "u", "resourceVersion": "3", "finalizers": ["x"], "labels": {"old": "1"}, "managedFields": [],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "old"},
    }, "spec": {"a": 1}});
    let new = json!({"metadata": {"name": "a", "annotations": {"mine": "new"}}, "spec": {"b": 2}});
    assert_eq!(
        replaced(&old, new),
        json!({"metadata": {
            "name": "a", "uid": "u", "resourceVersion": "3", "finalizers": ["x"],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "new"},
        }, "spec": {"b": 2}})
    );
}
