//! Against the stand-in for the Kubernetes API server.

use std::collections::{BTreeMap, BTreeSet};

use config::KubernetesSettings;
use kube_standin::{Resource, Right, Rights, Standin};
use store::calico::{Error, Report, Snapshot, read_kubernetes};

use crate::{check, data, runtime};

/// Everything that Calico installs.
const KINDS: [(&str, &str); 16] = [
    ("IPPool", "ippools"),
    ("BGPConfiguration", "bgpconfigurations"),
    ("BGPPeer", "bgppeers"),
    ("BGPFilter", "bgpfilters"),
    ("IPReservation", "ipreservations"),
    ("IPAMConfig", "ipamconfigs"),
    ("FelixConfiguration", "felixconfigurations"),
    ("IPAMBlock", "ipamblocks"),
    ("BlockAffinity", "blockaffinities"),
    ("IPAMHandle", "ipamhandles"),
    ("ClusterInformation", "clusterinformations"),
    ("GlobalNetworkPolicy", "globalnetworkpolicies"),
    ("NetworkPolicy", "networkpolicies"),
    ("Tier", "tiers"),
    ("HostEndpoint", "hostendpoints"),
    ("CalicoNodeStatus", "caliconodestatuses"),
];

fn cluster(group: &str, version: &str) -> Standin {
    let standin = Standin::start();
    standin.install(Resource::new("", "v1", "nodes", "Node"));
    for (kind, plural) in KINDS {
        standin.install(Resource::new(group, version, plural, kind));
    }
    standin
}

fn read(standin: &Standin) -> Result<Snapshot, Error> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), standin.kubeconfig("reader")).expect("written");
    let settings = KubernetesSettings {
        kubeconfig: Some(file.path().into()),
    };
    runtime().block_on(read_kubernetes(&settings))
}

#[test]
fn a_cluster_in_kubernetes_is_reported() {
    let standin = cluster("crd.projectcalico.org", "v1");
    for (path, object) in data::kubernetes() {
        standin.put(&path, object);
    }
    let snapshot = read(&standin).expect("read");
    assert_eq!(snapshot.unreadable, []);
    let report = Report::new(&snapshot);
    check(&report);
    assert!(
        report.notes.iter().any(|note| note.contains("podCIDRs")),
        "{:?}",
        report.notes
    );
}

#[test]
fn resources_that_are_stored_as_v3_are_found() {
    let standin = cluster("projectcalico.org", "v3");
    for (path, mut object) in data::kubernetes() {
        if path.starts_with("/apis/") {
            object["apiVersion"] = "projectcalico.org/v3".into();
        }
        standin.put(
            &path.replace("crd.projectcalico.org/v1", "projectcalico.org/v3"),
            object,
        );
    }
    check(&Report::new(&read(&standin).expect("read")));
}

#[test]
fn damaged_objects_are_named() {
    let standin = cluster("crd.projectcalico.org", "v1");
    for (path, object) in data::kubernetes() {
        standin.put(&path, object);
    }
    let object = |kind: &str, spec: serde_json::Value| {
        serde_json::json!({ "apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": { "name": "torn" },
            "spec": spec })
    };
    let root = "/apis/crd.projectcalico.org/v1";
    standin.put(
        &format!("{root}/ipamblocks/torn"),
        object("IPAMBlock", serde_json::json!({ "cidr": "x" })),
    );
    standin.put(
        &format!("{root}/blockaffinities/torn"),
        object("BlockAffinity", serde_json::json!({})),
    );
    let snapshot = read(&standin).expect("read");
    let keys: Vec<_> = snapshot.unreadable.iter().map(|u| u.key.as_str()).collect();
    assert_eq!(keys, ["IPAMBlock/torn", "BlockAffinity/torn"]);
}

#[test]
fn rights_that_are_missing_are_named() {
    let standin = cluster("crd.projectcalico.org", "v1");
    let rights = |plurals: &[&str]| {
        let rights: BTreeSet<Right> = plurals.iter().map(|plural| Right::new("list", plural)).collect();
        Rights {
            tokens: BTreeMap::from([("reader".to_owned(), ("reader".to_owned(), rights))]),
        }
    };
    standin.set_rights(rights(&["ippools.crd.projectcalico.org"]));
    let said = read(&standin).expect_err("refused").to_string();
    assert!(
        said.contains("the right to list bgpconfigurations.crd.projectcalico.org"),
        "{said}"
    );
    standin.set_rights(Rights {
        tokens: BTreeMap::from([("other".to_owned(), ("other".to_owned(), BTreeSet::new()))]),
    });
    let said = read(&standin).expect_err("unknown").to_string();
    assert!(said.contains("credentials"), "{said}");
}

#[test]
fn what_is_not_there_is_said() {
    let mut standin = Standin::start();
    standin.install(Resource::new("", "v1", "nodes", "Node"));
    let said = read(&standin).expect_err("nothing").to_string();
    assert!(
        said.contains("no data of Calico's") && said.contains("--etcd-endpoints"),
        "{said}"
    );
    standin.stop();
    let said = read(&standin).expect_err("away").to_string();
    assert!(
        said.contains(&standin.url()) && said.contains("check the address"),
        "{said}"
    );
}
