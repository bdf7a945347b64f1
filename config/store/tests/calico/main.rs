//! Calico's datastores, read for real: the same cluster from etcd and from Kubernetes gives the same report.

mod data;
mod etcd;
mod kubernetes;

use config::load::{Rules, Source, load_with};
use store::calico::{Report, Verdict};

/// What is the same whatever datastore the cluster was in.
fn check(report: &Report) {
    let verdict = |kind: &str, name: &str| {
        let found = report.documents.iter().find(|j| j.kind == kind && j.name == name);
        found
            .unwrap_or_else(|| panic!("no {kind}/{name} in {:?}", report.documents))
            .verdict
    };
    assert_eq!(verdict("IPPool", "pods"), Verdict::CarriesOver);
    assert_eq!(verdict("IPPool", "pods6"), Verdict::CarriesOver);
    assert_eq!(verdict("IPPool", "cloud"), Verdict::DoesNot);
    assert_eq!(verdict("BGPPeer", "tor-r1"), Verdict::CarriesOver);
    assert_eq!(verdict("BGPPeer", "guarded"), Verdict::CarriesOver);
    assert_eq!(verdict("BGPFilter", "no-default"), Verdict::CarriesOver);
    assert_eq!(verdict("BGPConfiguration", "default"), Verdict::WithWarnings);
    assert_eq!(verdict("IPAMConfiguration", "default"), Verdict::CarriesOver);
    assert_eq!(verdict("IPReservation", "gateways"), Verdict::CarriesOver);
    for (node, ..) in data::NODES {
        assert_eq!(verdict("Node", node), Verdict::WithWarnings);
    }
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("bgp-secrets (key tor)")),
        "{:?}",
        report.notes
    );

    let lost: Vec<_> = report
        .others
        .iter()
        .filter(|o| o.lost)
        .map(|o| (o.kind.as_str(), o.count))
        .collect();
    assert_eq!(lost, [("GlobalNetworkPolicy", 1), ("NetworkPolicy", 1)]);
    assert_eq!(
        report
            .others
            .iter()
            .find(|o| o.kind == "NetworkPolicy")
            .expect("there")
            .names,
        ["shop/default.allow-web"]
    );
    let felix: Vec<_> = report
        .felix
        .iter()
        .filter(|s| s.changes_forwarding)
        .map(|s| s.field.as_str())
        .collect();
    assert_eq!(felix, ["spec.vxlanVNI"]);

    let ipam = &report.ipam;
    assert_eq!((ipam.blocks, ipam.affinities, ipam.handles), (9, 10, 3));
    assert_eq!(
        (
            ipam.addresses.pods,
            ipam.addresses.tunnels,
            ipam.addresses.services
        ),
        (9, 2, 1)
    );
    let troubles: Vec<_> = ipam
        .troubles
        .iter()
        .map(|t| (t.block.to_string(), t.what, t.stops))
        .collect();
    let expected = [
        ("10.96.128.0/26", "poolLeft", true),
        ("10.244.0.128/26", "nodeGone", true),
        ("10.244.1.0/27", "otherSize", true),
        ("10.244.2.0/26", "noOwner", true),
        ("10.244.3.0/26", "noNode", true),
        ("10.244.7.0/26", "pendingDeletion", false),
        ("10.244.8.0/26", "danglingAffinity", false),
        ("172.30.0.0/26", "noPool", true),
        ("fd00:10:244::/122", "pendingAffinity", false),
    ];
    assert_eq!(
        troubles,
        expected.map(|(block, what, stops)| (block.to_owned(), what, stops))
    );
    let keep = &ipam.takeover;
    assert_eq!((keep.blocks, keep.blocks_left), (3, 6));
    assert_eq!(
        (
            keep.pods,
            keep.pods_borrowed,
            keep.pods_left,
            keep.tunnels_returned
        ),
        (4, 1, 4, 2)
    );
    assert_eq!(keep.first_address_taken, ["node-a"]);
    assert!(!report.summary.complete);

    let yaml = report.yaml();
    let loaded = load_with(
        &[Source {
            name: "written.yaml".into(),
            text: yaml.clone(),
        }],
        Rules { shared_out: true },
    );
    assert!(
        !loaded.problems.iter().any(|problem| problem.is_error()),
        "{:?} in\n{yaml}",
        loaded.problems
    );
    let intent = loaded.intent.expect("what is written is valid");
    assert_eq!(
        (intent.pools.len(), intent.nodes.len(), intent.peers.len()),
        (2, 2, 2)
    );
    assert!(
        !intent.ipam.strict_affinity,
        "Calico's meaning of an absent field is kept"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
