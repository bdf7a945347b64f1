//! The merge, as a table.

use serde_json::json;

use super::*;

fn core(metadata: Value, spec: Value, addresses: Value) -> Value {
    json!({"metadata": metadata, "spec": spec, "status": {"addresses": addresses, "conditions": [{"t": 1}]}})
}

fn merged(core: Option<Value>, ours: Option<Value>) -> Value {
    let core = core.as_ref().map(CoreNode::read);
    Halves { core, ours }.document("a")
}

fn addresses() -> Value {
    json!([
        {"type": "Hostname", "address": "a"},
        {"type": "ExternalIP", "address": "203.0.113.1"},
        {"type": "InternalIP", "address": "192.0.2.11"},
        {"type": "InternalIP", "address": "192.0.2.12"},
        {"type": "InternalIP", "address": "2001:db8::11"},
    ])
}

#[test]
fn the_spec_of_a_node() {
    let calico = json!({"annotations": {
        "projectcalico.org/IPv4Address": "198.51.100.1/24", "projectcalico.org/ASNumber": "65001",
    }});
    let both = json!({"annotations": {
        "projectcalico.org/IPv4Address": "198.51.100.1/24", "roadbed.dev/ipv4-address": "198.51.100.2",
    }});
    let odd = json!({"annotations": {
        "roadbed.dev/ipv4-address": "2001:db8::1", "roadbed.dev/ipv6-address": "", "projectcalico.org/ASNumber": "many",
    }});
    let cidrs = json!({"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00::/64"]});
    let ours = |spec: Value| Some(json!({"spec": spec}));
    let internal = json!({"ipv4Address": "192.0.2.11", "ipv6Address": "2001:db8::11"});
    for (what, core, ours, wanted) in [
        (
            "nothing known",
            Some(core(json!({}), json!({}), json!([]))),
            None,
            json!({}),
        ),
        (
            "the first internal address of each family",
            Some(core(json!({}), json!({}), addresses())),
            None,
            json!({"bgp": internal}),
        ),
        (
            "pod subnets as given",
            Some(core(json!({}), cidrs.clone(), json!([]))),
            None,
            json!({"podCIDRs": ["10.244.1.0/24", "fd00::/64"]}),
        ),
        (
            "the older field alone",
            Some(core(json!({}), json!({"podCIDR": "10.244.1.0/24"}), json!([]))),
            None,
            json!({"podCIDRs": ["10.244.1.0/24"]}),
        ),
        (
            "annotations of Calico's win over addresses",
            Some(core(calico, json!({}), addresses())),
            None,
            json!({"bgp": {"ipv4Address": "198.51.100.1/24", "ipv6Address": "2001:db8::11", "asNumber": "65001"}}),
        ),
        (
            "ours win over Calico's",
            Some(core(both, json!({}), json!([]))),
            None,
            json!({"bgp": {"ipv4Address": "198.51.100.2"}}),
        ),
        (
            "annotations that say nothing usable are left out",
            Some(core(odd, json!({}), addresses())),
            None,
            json!({"bgp": internal}),
        ),
        (
            "our resource wins field by field",
            Some(core(json!({}), cidrs.clone(), addresses())),
            ours(
                json!({"bgp": {"ipv4Address": "192.0.2.99/24", "asNumber": 65001}, "vxlanTunnelMACAddr": "66:00:00:00:00:01"}),
            ),
            json!({
                "bgp": {"ipv4Address": "192.0.2.99/24", "ipv6Address": "2001:db8::11", "asNumber": 65001},
                "vxlanTunnelMACAddr": "66:00:00:00:00:01", "podCIDRs": ["10.244.1.0/24", "fd00::/64"],
            }),
        ),
        (
            "an empty list of ours is a list",
            Some(core(json!({}), cidrs, json!([]))),
            ours(json!({"podCIDRs": []})),
            json!({"podCIDRs": []}),
        ),
        (
            "ours alone",
            None,
            ours(json!({"bgp": {"asNumber": 1}})),
            json!({"bgp": {"asNumber": 1}}),
        ),
    ] {
        assert_eq!(merged(core, ours)["spec"], wanted, "{what}");
    }
}

#[test]
fn labels_are_those_of_both_and_ours_win() {
    let core = core(
        json!({"labels": {"rack": "r1", "zone": "z"}, "annotations": {"x": "y"}}),
        json!({}),
        json!([]),
    );
    let ours = json!({"metadata": {"labels": {"rack": "r2"}, "annotations": {"note": "n"}}, "spec": {}});
    let metadata = merged(Some(core), Some(ours))["metadata"].clone();
    let wanted = json!({"name": "a", "labels": {"rack": "r2", "zone": "z"}, "annotations": {"note": "n"}});
    assert_eq!(metadata, wanted);
}

#[test]
fn the_life_is_that_of_kubernetes_and_else_ours() {
    let core = CoreNode::read(&json!({"metadata": {"uid": "core"}}));
    let ours = json!({"metadata": {"uid": "ours", "resourceVersion": "7"}});
    let life = |core: Option<&CoreNode>, ours: Option<&Value>| {
        let halves = Halves {
            core: core.cloned(),
            ours: ours.cloned(),
        };
        halves.incarnation().map(|life| life.as_str().to_owned())
    };
    assert_eq!(life(Some(&core), Some(&ours)).as_deref(), Some("core"));
    assert_eq!(life(None, Some(&ours)).as_deref(), Some("ours"));
    assert_eq!(life(Some(&core), None).as_deref(), Some("core"));
    assert_eq!(life(None, None), None);
}

#[test]
fn a_version_changes_with_what_matters_and_with_nothing_else() {
    let node = |label: &str, beat: u32| {
        let mut object = core(
            json!({"uid": "u", "labels": {"rack": label}}),
            json!({}),
            addresses(),
        );
        object["metadata"]["resourceVersion"] = json!(beat.to_string());
        object["status"]["conditions"] = json!([{"lastHeartbeatTime": beat}]);
        Halves {
            core: Some(CoreNode::read(&object)),
            ours: None,
        }
        .version()
    };
    assert_eq!(node("r1", 1), node("r1", 2));
    assert_ne!(node("r1", 1), node("r2", 1));
    assert_eq!(version_of_ours(&node("r1", 1)), None);
    let ours = Halves {
        core: None,
        ours: Some(json!({"metadata": {"resourceVersion": "7"}})),
    };
    assert_eq!(version_of_ours(&ours.version()), Some("7"));
}

#[test]
fn a_merged_node_is_read_without_a_warning() {
    let core = core(
        json!({"uid": "u", "labels": {"kubernetes.io/hostname": "a"}}),
        json!({}),
        addresses(),
    );
    let text = merged(Some(core), None).to_string();
    let source = config::Source {
        name: "a".into(),
        text,
    };
    let problems = config::load_with(&[source], config::Rules { shared_out: true }).problems;
    assert!(problems.is_empty(), "{problems:?}");
}
