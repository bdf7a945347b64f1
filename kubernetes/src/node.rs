//! What this node's Node is to say about its network, and how it is changed to say that. Pure.
//!
//! Kubernetes has the condition `NetworkUnavailable` for this: while it is `True` the node gets no new pods (the node
//! lifecycle controller keeps the taint [`TAINT`] in step with it). [`condition`] decides what it is to be; a node that
//! was ready becomes unavailable only after a while, so that a flap moves no workloads. [`without_taint`] takes the
//! taint away where nobody else does.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::report::Routing;

/// The condition.
pub const CONDITION: &str = "NetworkUnavailable";
/// The taint that goes with it.
pub const TAINT: &str = "node.kubernetes.io/network-unavailable";

/// What matters of a Node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Keys and effects of its taints, in their order.
    pub taints: Vec<(String, String)>,
    /// Its condition `NetworkUnavailable`.
    pub condition: Option<Condition>,
}

/// A condition as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// In words.
    pub message: String,
    /// When the status became this.
    pub since: Option<Time>,
}

impl NodeView {
    /// Of a Node.
    pub fn of(node: &Node) -> Self {
        let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        let mut conditions = node
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        NodeView {
            uid: node.metadata.uid.clone().unwrap_or_default(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: taints
                .map(|Taint { key, effect, .. }| (key.clone(), effect.clone()))
                .collect(),
            condition: conditions
                .find(|condition| condition.type_ == CONDITION)
                .map(Condition::of),
        }
    }
}

impl Condition {
    fn of(condition: &NodeCondition) -> Self {
        Condition {
            status: condition.status.clone(),
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
            since: condition.last_transition_time.clone(),
        }
    }
}

/// How much a change matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The status changes: at once.
    Status,
    /// Only words change: when there is time.
    Words,
}

/// What is to be done about the condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It says what it is to say.
    Leave,
    /// Not ready, but for less than the patience: looked at again after this long.
    Wait(Duration),
    /// It is to become this.
    Write(Condition, Weight),
}

/// What the condition is to say. `lasting`: how long `routing` has been as ready as it is.
///
/// | is there | routing | becomes |
/// |---|---|---|
/// | any | ready | `False`, at once |
/// | `True` | not ready | `True`, with the reason of now |
/// | none, `False`, `Unknown` | not ready, shorter than `patience` | as it is |
/// | none, `False`, `Unknown` | not ready, longer | `True` |
pub fn condition(
    there: Option<&Condition>,
    routing: &Routing,
    lasting: Duration,
    patience: Duration,
    now: Timestamp,
) -> Verdict {
    let status = if routing.ready { "False" } else { "True" };
    let same_status = there.is_some_and(|there| there.status == status);
    if !routing.ready && !same_status && lasting < patience {
        return Verdict::Wait(patience - lasting);
    }
    let since = there
        .filter(|_| same_status)
        .and_then(|there| there.since.clone());
    let wanted = Condition {
        status: status.into(),
        reason: routing.reason.clone(),
        message: routing.message.clone(),
        since: since.or(Some(Time(now))),
    };
    let says = |condition: &Condition| (condition.reason.clone(), condition.message.clone());
    match there {
        Some(there) if same_status && says(there) == says(&wanted) => Verdict::Leave,
        _ if same_status => Verdict::Write(wanted, Weight::Words),
        _ => Verdict::Write(wanted, Weight::Status),
    }
}

/// The strategic merge patch of `nodes/status` that makes the condition this. Other conditions are other elements of
/// the list, whose key is `type`, and stay as they are.
pub fn patch(condition: &Condition, now: Timestamp) -> Value {
    let condition = NodeCondition {
        type_: CONDITION.into(),
        status: condition.status.clone(),
        reason: Some(condition.reason.clone()),
        message: Some(condition.message.clone()),
        last_heartbeat_time: Some(Time(now)),
        last_transition_time: condition.since.clone(),
    };
    json!({"status": {"conditions": [condition]}})
}

/// The JSON patch (RFC 6902) of the Node that takes the taint away and nothing else: each removal is tested, so that
/// it fails where the taints have moved meanwhile. None where there is no such taint.
pub fn without_taint(taints: &[(String, String)]) -> Option<Value> {
    let found = taints.iter().enumerate().filter(|(_, (key, _))| key == TAINT);
    // From the back, so that the places of the others stay.
    let operations: Vec<Value> = found
        .rev()
        .flat_map(|(at, (key, effect))| {
            let path = format!("/spec/taints/{at}");
            [
                json!({"op": "test", "path": format!("{path}/key"), "value": key}),
                json!({"op": "test", "path": format!("{path}/effect"), "value": effect}),
                json!({"op": "remove", "path": path}),
            ]
        })
        .collect();
    (!operations.is_empty()).then_some(Value::Array(operations))
}

#[cfg(test)]
mod tests;
