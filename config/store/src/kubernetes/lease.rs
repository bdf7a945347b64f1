//! That an agent lives, as a Lease (`coordination.k8s.io/v1`) that it renews. Pure.
//!
//! Kubernetes does not remove a Lease that is not renewed: whoever reads it compares its time with their own clock.
//! It counts for twice its duration, so that clocks may be apart by once that. Renewing is not writing: version
//! and incarnation are those of the holding.

use std::time::Duration;

use datastore::{Incarnation, Item, Key, Version};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::{Kind, LEASE_NAMESPACE};
use super::object::text_of;

/// Leases of ours have this label.
pub const LABEL: &str = "app.kubernetes.io/managed-by=roadbed";

/// The value of the key is in this annotation.
const VALUE: &str = "roadbed.dev/presence";

/// One holding of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: String,
    /// How long it counts.
    pub ttl: Duration,
    /// Since when it is held: what tells it from other holdings.
    pub since: Timestamp,
}

impl Holding {
    /// The object, renewed at this moment.
    pub fn object(&self, now: Timestamp) -> Value {
        let (name, value) = (Kind::object_name(&self.key), &self.value);
        let (label, owner) = LABEL.split_once('=').unwrap_or((LABEL, ""));
        json!({
            "apiVersion": Kind::Lease.api_version(), "kind": Kind::Lease.name(),
            "metadata": {
                "name": name, "namespace": LEASE_NAMESPACE, "labels": {label: owner}, "annotations": {VALUE: value},
            },
            "spec": {
                "holderIdentity": self.key.name(), "leaseDurationSeconds": self.ttl.as_secs().max(1),
                "acquireTime": micro(self.since), "renewTime": micro(now),
            },
        })
    }

    /// Whether an object is of this holding.
    pub fn is(&self, object: &Value) -> bool {
        object["spec"]["acquireTime"] == micro(self.since)
    }
}

/// The form in which Kubernetes writes times of leases: with six digits of a second.
fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The item of a lease that counts at this moment.
pub fn item(object: &Value, now: Timestamp) -> Option<Item> {
    let key = Kind::Lease.key(object["metadata"]["name"].as_str()?).ok()?;
    let renewed: Timestamp = object["spec"]["renewTime"].as_str()?.parse().ok()?;
    let counts = object["spec"]["leaseDurationSeconds"].as_i64()?.checked_mul(2)?;
    if now.as_second().checked_sub(renewed.as_second())? >= counts {
        return None;
    }
    let value = text_of(&object["metadata"]["annotations"][VALUE]);
    let life = format!(
        "{}/{}",
        text_of(&object["metadata"]["uid"]),
        text_of(&object["spec"]["acquireTime"])
    );
    Some(Item {
        key,
        value: value.into(),
        version: Version::new(life.as_str()),
        incarnation: Incarnation::new(life),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn holding(since: i64) -> Holding {
        let (key, value) = (Key::Presence("node-a".into()), "{}".to_owned());
        Holding {
            key,
            value,
            ttl: Duration::from_secs(30),
            since: at(since),
        }
    }

    #[test]
    fn a_lease_counts_for_twice_its_duration() {
        let object = holding(1_000).object(at(1_010));
        assert_eq!(object["spec"]["renewTime"], "1970-01-01T00:16:50.000000Z");
        for (now, counts) in [
            (900, true),
            (1_010, true),
            (1_069, true),
            (1_070, false),
            (9_999, false),
        ] {
            assert_eq!(item(&object, at(now)).is_some(), counts, "{now}");
        }
        let item = item(&object, at(1_010)).expect("it counts");
        assert_eq!((item.key, &*item.value), (Key::Presence("node-a".into()), "{}"));
    }

    #[test]
    fn renewing_is_not_writing_and_another_holding_is() {
        let life = |since, now| {
            item(&holding(since).object(at(now)), at(now))
                .expect("it counts")
                .version
        };
        assert_eq!(life(1_000, 1_010), life(1_000, 1_020));
        assert_ne!(life(1_000, 1_020), life(1_015, 1_020));
        assert!(holding(1_000).is(&holding(1_000).object(at(1_020))));
        assert!(!holding(1_000).is(&holding(1_015).object(at(1_020))));
    }

    #[test]
    fn leases_of_others_and_odd_ones_count_for_nothing() {
        let good = holding(1_000).object(at(1_000));
        for (pointer, odd) in [
            ("/metadata/name", json!("kube-scheduler")),
            ("/spec/renewTime", json!("yesterday")),
            ("/spec/renewTime", Value::Null),
            ("/spec/leaseDurationSeconds", json!(i64::MAX)),
            ("/spec/leaseDurationSeconds", json!(-5)),
        ] {
            let mut object = good.clone();
            *object.pointer_mut(pointer).expect("a field") = odd.clone();
            assert_eq!(item(&object, at(1_000)), None, "{odd}");
        }
    }
}
