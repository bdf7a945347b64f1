//! The node's `BGPNodeStatus` (roadbed.dev/v1): what is sent of it, and when a difference is worth a write. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ApiResource;
use serde_json::{Map, Value, json};

use crate::node::Weight;

/// What only counts: it changes all the time, and is written when there is time.
const COUNTERS: [&str; 3] = ["routes", "received", "advertised"];

/// What a session that is not up says of itself. It goes from `Connect` to `Active` and back for as long as its peer is
/// away; with a peer of the whole cluster that would be a write of every node all the time.
const TRYING: [&str; 3] = ["state", "since", "reason"];
const UP: &str = "Established";

/// The custom resource: one for each node, of the cluster, with a status subresource.
pub fn resource() -> ApiResource {
    ApiResource {
        group: "roadbed.dev".into(),
        version: "v1".into(),
        api_version: "roadbed.dev/v1".into(),
        kind: "BGPNodeStatus".into(),
        plural: "bgpnodestatuses".into(),
    }
}

/// The object without its status. It belongs to the Node and goes with it.
pub fn object(node: &str, uid: &str) -> Value {
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid});
    let mut object = head(node);
    object["metadata"]["ownerReferences"] = json!([owner]);
    object
}

/// The object with this status.
pub fn with_status(node: &str, status: &Value, now: Timestamp) -> Value {
    let mut object = head(node);
    object["status"] = status.clone();
    object["status"]["lastUpdated"] = json!(Time(now));
    object
}

fn head(node: &str) -> Value {
    let resource = resource();
    // It has no wishes, and definitions ask for the field all the same.
    json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": node}, "spec": {}})
}

/// A status as it is sent and compared: without nulls (which a schema refuses), and without the time of the write.
pub fn tidy(mut status: Value) -> Value {
    without_nulls(&mut status);
    if let Some(fields) = status.as_object_mut() {
        fields.remove("lastUpdated");
    }
    status
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// What is different between two statuses, if anything is.
pub fn differs(there: &Value, wanted: &Value) -> Option<Weight> {
    if there == wanted {
        return None;
    }
    match without_counters(there) == without_counters(wanted) {
        true => Some(Weight::Words),
        false => Some(Weight::Status),
    }
}

fn without_counters(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let down = fields.get("state").is_some_and(|state| state != UP);
            let words = |key: &str| COUNTERS.contains(&key) || (down && TRYING.contains(&key));
            let kept = fields.iter().filter(|(key, _)| !words(key));
            let kept: Map<String, Value> = kept
                .map(|(key, value)| (key.clone(), without_counters(value)))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(without_counters).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, received: u64) -> Value {
        json!({"asn": 64512, "peers": [{"name": "tor", "state": state, "received": received}], "routes": {"n": received}})
    }

    #[test]
    fn counters_wait_and_states_do_not() {
        assert_eq!(
            differs(&status("Established", 1), &status("Established", 1)),
            None
        );
        assert_eq!(
            differs(&status("Established", 1), &status("Established", 2)),
            Some(Weight::Words)
        );
        assert_eq!(
            differs(&status("Established", 1), &status("Idle", 1)),
            Some(Weight::Status)
        );
        assert_eq!(differs(&Value::Null, &status("Idle", 1)), Some(Weight::Status));
    }

    #[test]
    fn a_session_that_keeps_trying_is_no_news() {
        let trying =
            |state: &str, since: &str| json!({"peers": [{"name": "tor", "state": state, "since": since}]});
        let (idle, active) = (trying("Idle", "1"), trying("Active", "2"));
        assert_eq!(differs(&idle, &active), Some(Weight::Words));
        let (up, again) = (trying("Established", "3"), trying("Established", "9"));
        assert_eq!(differs(&active, &up), Some(Weight::Status));
        assert_eq!(differs(&up, &idle), Some(Weight::Status));
        assert_eq!(
            differs(&up, &again),
            Some(Weight::Status),
            "it went down in between"
        );
    }

    #[test]
    fn nulls_and_the_time_are_no_difference() {
        let there = json!({"asn": 1, "lastUpdated": "2026-01-01T00:00:00Z", "peers": [{"name": "a"}]});
        let wanted = json!({"asn": 1, "peers": [{"name": "a", "reason": null}], "routerID": null});
        assert_eq!(tidy(there), tidy(wanted));
    }

    #[test]
    fn the_object_belongs_to_the_node() {
        let object = object("a", "u");
        assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "u");
        let now = Timestamp::from_second(9).expect("in range");
        let object = with_status("a", &status("Idle", 1), now);
        assert_eq!(object["status"]["lastUpdated"], "1970-01-01T00:00:09Z");
        assert_eq!(object["metadata"], json!({"name": "a"}));
    }
}
