//! The files of `deploy` are what the code says. `UPDATE_GOLDEN=1` writes them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use store::kubernetes::{access, crds};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn yaml(from: &str, documents: &[Value]) -> String {
    let texts = documents
        .iter()
        .map(|document| serde_saphyr::to_string(document).expect("YAML"));
    let texts: Vec<String> = texts.collect();
    format!(
        "# Made from {from} by its tests; change it there.\n{}",
        texts.join("---\n")
    )
}

fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        there == text,
        "{} is not what the code says: run with UPDATE_GOLDEN=1 and look at the difference",
        path.display()
    );
}

#[test]
fn the_definitions_are_those_of_the_code() {
    let (folder, from) = (deploy().join("crds"), "config/store/src/kubernetes/crds");
    // What agents report in goes with every datastore, and is in a folder of its own.
    let status = "status";
    let (mut files, mut reports) = (vec![status.to_owned()], Vec::new());
    for definition in crds::all() {
        let file = format!("{}.yaml", definition.spec.names.plural);
        let value = serde_json::to_value(&definition).expect("JSON");
        let text = yaml(from, std::slice::from_ref(&value));
        let back: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(back, value, "{file} says the same");
        let (folder, files) = match definition.spec.names.kind.as_str() {
            "BGPNodeStatus" => (folder.join(status), &mut reports),
            _ => (folder.clone(), &mut files),
        };
        golden(&folder.join(&file), &text);
        files.push(file);
    }
    files.sort();
    for (folder, files) in [(folder.clone(), &files), (folder.join(status), &reports)] {
        let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files});
        golden(&folder.join("kustomization.yaml"), &yaml(from, &[kustomization]));
    }
    let mut there: Vec<String> = (std::fs::read_dir(&folder).expect("the folder"))
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "kustomization.yaml")
        .collect();
    there.sort();
    assert_eq!(there, files, "no file is left from a kind that is gone");
}

#[test]
fn the_rights_are_those_of_the_code() {
    let from = "config/store/src/kubernetes/access.rs";
    for (file, objects) in [
        ("base/rbac.yaml", access::node_manifest()),
        ("rbac/datastore.yaml", access::datastore_manifest()),
        ("rbac/operator.yaml", access::operator_manifest()),
    ] {
        golden(&deploy().join(file), &yaml(from, &objects));
    }
}

/// The schema of a kind's specification.
fn schema(kind: &str) -> Value {
    let found = crds::all()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind);
    let definition = serde_json::to_value(found.expect("a definition")).expect("JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// The rules between fields, as CEL reads them: what each lets pass and what it refuses.
#[test]
fn the_rules_between_fields() {
    let rule = |more: Value| {
        let mut rule = json!({"action": "Accept"});
        rule.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({"importV6": [rule]})
    };
    let prepend = json!([{"prependASPath": {"prefix": [65001]}}]);
    for (kind, name, spec, refused) in [
        ("IPPool", "a", json!({"cidr": "10.0.0.0/16"}), None),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/16", "blockSize": 26, "vxlanMode": "Always", "ipipMode": "Never"}),
            None,
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/26", "blockSize": 26}),
            None,
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "fd00::/48", "blockSize": 122, "vxlanMode": "CrossSubnet"}),
            None,
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/16", "blockSize": 122}),
            Some("blockSize is 20 to 32"),
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "fd00::/48", "blockSize": 26}),
            Some("IPv6 116 to 128"),
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/28", "blockSize": 26}),
            Some("does not fit into cidr"),
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/16", "vxlanMode": "Always", "ipipMode": "Always"}),
            Some("both on"),
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "fd00::/48", "ipipMode": "Always"}),
            Some("IPIP carries IPv4 only"),
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIP": "192.0.2.1", "asNumber": 65001}),
            None,
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIP": "192.0.2.1", "asNumber": "1.10", "nodeSelector": "all()"}),
            None,
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerSelector": "has(rr)", "node": "", "nodeSelector": "all()"}),
            None,
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIP": "192.0.2.1"}),
            Some("asNumber is required"),
        ),
        (
            "BGPPeer",
            "a",
            json!({}),
            Some("one of peerIP, peerIPRange, interface and peerSelector"),
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIP": "192.0.2.1", "asNumber": 1, "peerSelector": "all()"}),
            Some("one of peerIP"),
        ),
        (
            "BGPPeer",
            "a",
            json!({"interface": "eth1", "peerIP": "fe80::1", "asNumber": "external"}),
            None,
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIPRange": "10.0.0.0/8", "interface": "eth1", "asNumber": 1}),
            Some("one of peerIP"),
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerIPRange": "10.0.0.0/8"}),
            Some("asNumber is required"),
        ),
        (
            "BGPPeer",
            "a",
            json!({"peerSelector": "all()", "node": "a", "nodeSelector": "all()"}),
            Some("both set"),
        ),
        ("BGPConfiguration", "default", json!({"asNumber": 64512}), None),
        (
            "BGPConfiguration",
            "node.a",
            json!({"asNumber": 64512}),
            Some("only the one named default"),
        ),
        (
            "IPAMConfiguration",
            "default",
            json!({"autoAllocateBlocks": false}),
            None,
        ),
        (
            "IPAMConfiguration",
            "default",
            json!({"autoAllocateBlocks": false, "strictAffinity": false}),
            Some("strictAffinity: true only"),
        ),
        ("BGPFilter", "a", rule(json!({})), None),
        (
            "BGPFilter",
            "a",
            rule(json!({"cidr": "fd00::/8", "matchOperator": "In", "prefixLength": {"min": 48}})),
            None,
        ),
        ("BGPFilter", "a", rule(json!({"operations": prepend})), None),
        (
            "BGPFilter",
            "a",
            rule(json!({"cidr": "fd00::/8"})),
            Some("cidr and matchOperator"),
        ),
        (
            "BGPFilter",
            "a",
            rule(json!({"prefixLength": {"min": 48}})),
            Some("prefixLength goes with cidr"),
        ),
        (
            "BGPFilter",
            "a",
            rule(json!({"action": "Reject", "operations": prepend})),
            Some("operations go with"),
        ),
        (
            "Node",
            "a",
            json!({"bgp": {"asNumber": "1.10"}, "podCIDRs": []}),
            None,
        ),
        ("IPReservation", "a", json!({"reservedCIDRs": ["10.0.0.1"]}), None),
        (
            "BGPConfiguration",
            "default",
            json!({"serviceClusterIPs": [{"cidr": "10.96.0.0/12"}], "serviceLoadBalancerAggregation": "Disabled"}),
            None,
        ),
        (
            "IPPool",
            "a",
            json!({"cidr": "10.0.0.0/16", "disableBGPExport": true}),
            None,
        ),
    ] {
        let object = json!({
            "apiVersion": "roadbed.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        let said = match kube_cel::Validator::new().validate(&schema(kind), &object, None) {
            Ok(()) => None,
            Err(errors) => Some(errors.to_string()),
        };
        match (refused, said) {
            (None, said) => assert_eq!(said, None, "{kind} {spec}"),
            (Some(part), Some(said)) => assert!(said.contains(part), "{kind} {spec}: {said}"),
            (Some(part), None) => panic!("{kind} {spec} passes and should not: {part}"),
        }
    }
}
