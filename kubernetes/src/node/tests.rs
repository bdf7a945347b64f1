use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn routing(ready: bool, reason: &str) -> Routing {
    Routing {
        ready,
        reason: reason.into(),
        message: "in words".into(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn there(status: &str, reason: &str) -> Condition {
    Condition {
        status: status.into(),
        reason: reason.into(),
        message: "in words".into(),
        since: Some(Time(at(1))),
    }
}

#[test]
fn what_the_condition_becomes() {
    let (ready, down) = (routing(true, "RoadbedReady"), routing(false, "SessionsDown"));
    let written = |status: &str, reason: &str, since: i64, weight: Weight| {
        let since = Some(Time(at(since)));
        Verdict::Write(
            Condition {
                since,
                ..there(status, reason)
            },
            weight,
        )
    };
    let wait = |seconds: u64| Verdict::Wait(Duration::from_secs(seconds));
    for (before, routing, lasting, expected) in [
        // Ready is said at once, whatever was there.
        (
            None,
            &ready,
            0,
            written("False", "RoadbedReady", 9, Weight::Status),
        ),
        (
            Some(there("True", "NoRouteCreated")),
            &ready,
            0,
            written("False", "RoadbedReady", 9, Weight::Status),
        ),
        (
            Some(there("Unknown", "x")),
            &ready,
            0,
            written("False", "RoadbedReady", 9, Weight::Status),
        ),
        (
            Some(there("False", "CalicoIsUp")),
            &ready,
            0,
            written("False", "RoadbedReady", 1, Weight::Words),
        ),
        (Some(there("False", "RoadbedReady")), &ready, 0, Verdict::Leave),
        // Not ready has to last, where the node is not marked already.
        (None, &down, 0, wait(30)),
        (Some(there("False", "RoadbedReady")), &down, 29, wait(1)),
        (
            Some(there("False", "RoadbedReady")),
            &down,
            30,
            written("True", "SessionsDown", 9, Weight::Status),
        ),
        (
            None,
            &down,
            31,
            written("True", "SessionsDown", 9, Weight::Status),
        ),
        (Some(there("True", "SessionsDown")), &down, 0, Verdict::Leave),
        (
            Some(there("True", "NoConfiguration")),
            &down,
            0,
            written("True", "SessionsDown", 1, Weight::Words),
        ),
    ] {
        let verdict = condition(
            before.as_ref(),
            routing,
            Duration::from_secs(lasting),
            PATIENCE,
            at(9),
        );
        assert_eq!(verdict, expected, "{before:?} {routing:?} {lasting}");
    }
}

#[test]
fn a_written_condition_is_left_alone() {
    for ready in [true, false] {
        let routing = routing(ready, "Reason");
        let Verdict::Write(written, _) = condition(None, &routing, PATIENCE, PATIENCE, at(9)) else {
            panic!("written first");
        };
        let again = condition(Some(&written), &routing, PATIENCE, PATIENCE, at(99));
        assert_eq!(again, Verdict::Leave);
    }
}

#[test]
fn the_patch_has_the_one_condition() {
    let patch = patch(&there("False", "RoadbedReady"), at(9));
    assert_eq!(
        patch,
        json!({"status": {"conditions": [{
            "type": "NetworkUnavailable", "status": "False", "reason": "RoadbedReady", "message": "in words",
            "lastHeartbeatTime": "1970-01-01T00:00:09Z", "lastTransitionTime": "1970-01-01T00:00:01Z",
        }]}})
    );
}

#[test]
fn only_our_taint_goes() {
    let taints = |keys: &[(&str, &str)]| -> Vec<(String, String)> {
        keys.iter()
            .map(|(key, effect)| ((*key).to_owned(), (*effect).to_owned()))
            .collect()
    };
    assert_eq!(without_taint(&taints(&[("a", "NoSchedule")])), None);
    assert_eq!(without_taint(&[]), None);
    let both = taints(&[(TAINT, "NoSchedule"), ("a", "NoSchedule"), (TAINT, "NoExecute")]);
    let paths: Vec<String> = (without_taint(&both)
        .expect("a patch")
        .as_array()
        .expect("a list")
        .iter())
    .map(|op| {
        format!(
            "{} {}",
            op["op"].as_str().unwrap_or(""),
            op["path"].as_str().unwrap_or("")
        )
    })
    .collect();
    assert_eq!(
        paths,
        [
            "test /spec/taints/2/key",
            "test /spec/taints/2/effect",
            "remove /spec/taints/2",
            "test /spec/taints/0/key",
            "test /spec/taints/0/effect",
            "remove /spec/taints/0",
        ]
    );
}

#[test]
fn what_is_seen_of_a_node() {
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": "a", "uid": "u", "labels": {"rack": "r1"}},
        "spec": {"taints": [{"key": TAINT, "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}]},
        "status": {"conditions": [
            {"type": "Ready", "status": "True"},
            {"type": CONDITION, "status": "True", "reason": "NoRouteCreated", "message": "m"},
        ]},
    }))
    .expect("a Node");
    let view = NodeView::of(&node);
    assert_eq!(view.taints, [(TAINT.to_owned(), "NoSchedule".to_owned())]);
    assert_eq!(
        view.condition.map(|condition| condition.reason),
        Some("NoRouteCreated".to_owned())
    );
}
