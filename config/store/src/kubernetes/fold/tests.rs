//! Events into changes.

use config::fields::ResourceKind;
use datastore::Key;
use serde_json::json;

use super::*;

fn object(name: &str, version: &str, uid: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": version, "uid": uid}, "spec": spec})
}

fn put(kind: Kind, object: &Value) -> Seen {
    Seen::Put(
        kind,
        text_of(&object["metadata"]["resourceVersion"]),
        object.clone(),
    )
}

fn gone(kind: Kind, object: &Value) -> Seen {
    Seen::Gone(
        kind,
        text_of(&object["metadata"]["resourceVersion"]),
        object.clone(),
    )
}

fn marks() -> Marks {
    let mut marks = Marks::default();
    for kind in [Kind::CoreNode, OUR_NODE, Kind::Block] {
        marks.set(kind.resource(), "1".into());
    }
    marks
}

#[test]
fn an_event_is_a_change_and_moves_the_mark_of_its_kind() {
    let mut fold = Fold::new(marks());
    let block = object("10.0.0.0-26", "5", "u", json!({"node": "a"}));
    let changes = fold.fold(put(Kind::Block, &block));
    let [Change::Put(item)] = changes.changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(item.key, Key::Block("10.0.0.0/26".parse().expect("valid")));
    assert_eq!(&*item.value, "{\"node\":\"a\"}");
    assert_eq!(
        changes.revision.as_str(),
        "ipamblocks.roadbed.dev=5,nodes=1,nodes.roadbed.dev=1"
    );
    let changes = fold.fold(Seen::Mark(Kind::CoreNode, "9".into()));
    assert!(changes.changes.is_empty());
    assert_eq!(
        changes.revision.as_str(),
        "ipamblocks.roadbed.dev=5,nodes=9,nodes.roadbed.dev=1"
    );
}

#[test]
fn names_that_are_not_ours_are_left_out() {
    let mut fold = Fold::new(marks());
    let changes = fold.fold(put(Kind::Block, &object("by-hand", "5", "u", json!({}))));
    assert!(changes.changes.is_empty());
}

/// The halves of one node come and go; every step gives what is there after it.
#[test]
fn a_node_is_gone_when_both_halves_are() {
    let key = Key::resource(ResourceKind::Node, "a");
    let mut fold = Fold::new(marks());
    let core = object("a", "2", "core", json!({"podCIDRs": ["10.0.0.0/24"]}));
    let ours = object("a", "3", "ours", json!({"bgp": {"asNumber": 1}}));
    let mut step = |seen| match fold.fold(seen).changes.as_slice() {
        [] => "nothing".to_owned(),
        [Change::Put(item)] => item.incarnation.to_string(),
        [Change::Deleted(gone)] => {
            assert_eq!(*gone, key);
            "gone".to_owned()
        }
        more => panic!("{more:?}"),
    };
    assert_eq!(step(put(OUR_NODE, &ours)), "ours");
    assert_eq!(step(put(Kind::CoreNode, &core)), "core");
    assert_eq!(step(put(Kind::CoreNode, &core)), "nothing", "a heartbeat");
    assert_eq!(step(gone(OUR_NODE, &ours)), "core");
    assert_eq!(step(gone(Kind::CoreNode, &core)), "gone");
    assert_eq!(step(gone(Kind::CoreNode, &core)), "nothing");
    assert_eq!(step(put(Kind::CoreNode, &core)), "core");
}

/// Who watches from an old mark has not seen what the new listing knows: the first event of a node is always told.
#[test]
fn what_was_listed_counts_as_not_told() {
    let mut fold = Fold::new(marks());
    let core = object("a", "2", "core", json!({}));
    fold.know(vec![core.clone()], vec![]);
    assert_eq!(fold.fold(put(Kind::CoreNode, &core)).changes.len(), 1);
    assert_eq!(fold.fold(put(Kind::CoreNode, &core)).changes.len(), 0);
}
