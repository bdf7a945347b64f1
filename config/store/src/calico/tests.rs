//! From values to the report, without any datastore.

use config::load::{Rules, Source, load_with};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::block;
use super::convert;
use super::documents::{Verdict, judge};
use super::report::Report;
use super::snapshot::{Affinity, AffinityRecord, Block, Document, Snapshot, State};

pub(super) fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn document(kind: &str, name: &str, spec: Value) -> Document {
    convert::document(kind, name, &json!({ "spec": spec }))
}

fn node(name: &str, address: &str) -> Document {
    document("Node", name, json!({ "bgp": { "ipv4Address": address } }))
}

fn snapshot(documents: Vec<Document>) -> Snapshot {
    Snapshot {
        location: "nowhere".into(),
        documents,
        ..Snapshot::default()
    }
}

fn verdicts(documents: &[Document]) -> Vec<(String, Verdict)> {
    let judged = judge(documents);
    judged
        .judgements
        .iter()
        .map(|j| (format!("{}/{}", j.kind, j.name), j.verdict))
        .collect()
}

/// A block with pods of `node` at these places.
pub(super) fn block(cidr: &str, affinity: Option<&str>, places: &[(usize, &str)]) -> Block {
    let net = net(cidr);
    let size = 1usize << (net.max_prefix_len() - net.prefix_len());
    let mut allocations = vec![Value::Null; size];
    let mut attributes = Vec::new();
    for (index, (place, node)) in places.iter().enumerate() {
        allocations[*place] = json!(index);
        attributes.push(json!({ "handle_id": format!("k8s-pod-network.{index}"),
            "secondary": { "pod": format!("p{index}"), "namespace": "shop", "node": node } }));
    }
    let value = json!({ "cidr": cidr, "affinity": affinity, "allocations": allocations, "attributes": attributes,
        "unallocated": [], "deleted": false });
    block::read(&value, Some(net))
        .expect("a block")
        .expect("not deleted")
}

pub(super) fn record(cidr: &str, node: &str, state: State) -> AffinityRecord {
    AffinityRecord {
        cidr: net(cidr),
        owner: Affinity::Host(node.into()),
        state,
    }
}

#[test]
fn each_document_gets_its_verdict() {
    let cases = [
        (
            document(
                "IPPool",
                "p",
                json!({ "cidr": "10.244.0.0/16", "ipipMode": "CrossSubnet" }),
            ),
            Verdict::CarriesOver,
        ),
        (
            document(
                "IPPool",
                "p",
                json!({ "cidr": "10.244.0.0/16", "natOutgoing": true }),
            ),
            Verdict::CarriesOver,
        ),
        (
            document(
                "IPPool",
                "p",
                json!({ "cidr": "10.244.0.0/16", "awsSubnetID": "x" }),
            ),
            Verdict::DoesNot,
        ),
        (
            document("IPPool", "p", json!({ "cidr": "10.244.0.0/16", "blockSize": 12 })),
            Verdict::DoesNot,
        ),
        (
            document("BGPConfiguration", "default", json!({ "asNumber": 64512 })),
            Verdict::CarriesOver,
        ),
        (
            document(
                "BGPConfiguration",
                "default",
                json!({ "logSeverityScreen": "Info" }),
            ),
            Verdict::WithWarnings,
        ),
        (
            document(
                "BGPConfiguration",
                "node.a",
                json!({ "logSeverityScreen": "Info" }),
            ),
            Verdict::DoesNot,
        ),
        (
            document(
                "Node",
                "a",
                json!({ "wireguard": { "interfaceIPv4Address": "10.1.1.1" } }),
            ),
            Verdict::DoesNot,
        ),
        (
            document(
                "IPReservation",
                "r",
                json!({ "reservedCIDRs": ["10.244.0.0/30"] }),
            ),
            Verdict::WithWarnings,
        ),
        (
            document("IPAMConfig", "default", json!({ "autoAllocateBlocks": true })),
            Verdict::CarriesOver,
        ),
    ];
    for (document, expected) in cases {
        let judged = judge(std::slice::from_ref(&document));
        let found = &judged.judgements[0];
        assert_eq!(found.verdict, expected, "{}: {:?}", document.value, found.remarks);
        assert_eq!(judged.carried.len(), usize::from(expected != Verdict::DoesNot));
        if expected == Verdict::DoesNot {
            assert!(
                found.remarks.iter().any(|remark| remark.stops),
                "{}",
                document.value
            );
        }
    }
}

#[test]
fn what_rests_on_something_that_does_not_carry_over_does_not_either() {
    // A rule with an unknown operator; Calico's own readers would refuse it too.
    let filter = document("BGPFilter", "f", json!({ "exportV4": [{ "action": "Maybe" }] }));
    let peer = |filters: Value| {
        document(
            "BGPPeer",
            "tor",
            json!({ "peerIP": "192.0.2.1", "asNumber": 65001, "filters": filters }),
        )
    };
    let found = verdicts(&[filter.clone(), peer(json!(["f"]))]);
    assert_eq!(
        found,
        [
            ("BGPFilter/f".to_owned(), Verdict::DoesNot),
            ("BGPPeer/tor".to_owned(), Verdict::DoesNot)
        ]
    );
    let found = verdicts(&[filter, peer(json!([]))]);
    assert_ne!(found[1].1, Verdict::DoesNot);
}

#[test]
fn what_is_written_passes_validation_and_says_nothing_of_what_is_ignored() {
    let documents = vec![
        node("a", "192.0.2.11/24"),
        document(
            "Node",
            "b",
            json!({ "bgp": { "ipv4Address": "192.0.2.12/24", "ipv4IPIPTunnelAddr": "10.244.0.1" },
                "ipv4VXLANTunnelAddr": "10.244.0.2", "orchRefs": [{ "nodeName": "b", "orchestrator": "k8s" }],
                "addresses": [{ "address": "192.0.2.12/24" }] }),
        ),
        document(
            "IPPool",
            "p",
            json!({ "cidr": "10.244.0.0/16", "ipipMode": "CrossSubnet", "blockSize": 26 }),
        ),
        document(
            "IPPool",
            "bad",
            json!({ "cidr": "10.245.0.0/16", "awsSubnetID": "subnet-1" }),
        ),
        document(
            "BGPConfiguration",
            "default",
            json!({ "asNumber": 64512, "logSeverityScreen": "Info" }),
        ),
    ];
    let report = Report::new(&snapshot(documents));
    assert_eq!(
        (
            report.summary.carry_over,
            report.summary.with_warnings,
            report.summary.do_not
        ),
        (2, 2, 1)
    );
    assert!(!report.summary.complete);
    let yaml = report.yaml();
    let loaded = load_with(
        &[Source {
            name: "w".into(),
            text: yaml.clone(),
        }],
        Rules { shared_out: true },
    );
    assert_eq!(loaded.problems, [], "{yaml}");
    let intent = loaded.intent.expect("an intent");
    assert_eq!((intent.nodes.len(), intent.pools.len()), (2, 1));
    for absent in [
        "TunnelAddr",
        "orchRefs",
        "addresses",
        "logSeverity",
        "bad",
        "projectcalico.org",
    ] {
        assert!(!yaml.contains(absent), "{absent} is in\n{yaml}");
    }
}

#[test]
fn nothing_in_a_document_ends_the_reading() {
    for value in [
        json!(null),
        json!(5),
        json!([]),
        json!({ "spec": [] }),
        json!({ "spec": { "cidr": {} } }),
    ] {
        let read = convert::document("IPPool", "p", &value);
        assert_eq!(verdicts(&[read])[0].1, Verdict::DoesNot, "{value}");
    }
}

#[test]
fn blocks_are_read_from_both_forms() {
    let value = json!({ "cidr": "10.244.0.0/30", "hostAffinity": "old", "attributes": [
            { "handle_id": "ipip-tunnel-addr-old", "secondary": { "node": "old", "type": "ipipTunnelAddress" } },
            { "handle_id": "k8s-pod-network.aa", "secondary": null },
            { "handle_id": null, "secondary": { "service": "shop/web" } } ],
        "allocations": [0, 1, 2, 7], "deleted": false });
    let read = block::read(&value, None).expect("a block").expect("not deleted");
    assert_eq!(read.affinity, Some(Affinity::Host("old".into())));
    use super::snapshot::Use::{Other, Pod, Service, Tunnel};
    let uses: Vec<_> = read.allocations.iter().map(|a| a.purpose).collect();
    assert_eq!(uses, [Tunnel, Pod, Service, Other]);
    assert_eq!(read.damage.len(), 1, "{:?}", read.damage);
    assert_eq!(
        block::read(&json!({ "cidr": "10.244.0.0/30", "deleted": true }), None),
        Ok(None)
    );
    assert!(block::read(&value, Some(net("10.244.0.4/30"))).is_err());
    for bad in [
        json!(null),
        json!({}),
        json!({ "cidr": "x" }),
        json!({ "cidr": "10.0.0.0/26", "allocations": "x" }),
    ] {
        assert!(block::read(&bad, None).is_err(), "{bad}");
    }
    // Larger than any block, and smaller than what it lists: both are said, and neither costs memory.
    for odd in [
        json!({ "cidr": "::/0" }),
        json!({ "cidr": "10.0.0.0/30", "allocations": [null, null, null, null, 0] }),
    ] {
        assert!(
            !block::read(&odd, None)
                .expect("read")
                .expect("there")
                .damage
                .is_empty(),
            "{odd}"
        );
    }
}

#[test]
fn affinities_are_read_from_both_forms() {
    let spec = |spec: Value| block::affinity_resource(&spec);
    let read = spec(json!({ "cidr": "10.244.0.0/26", "node": "a", "state": "pending", "deleted": "false" }));
    assert_eq!(read, Ok(Some(record("10.244.0.0/26", "a", State::Pending))));
    assert_eq!(
        spec(json!({ "cidr": "10.244.0.0/26", "node": "a", "state": "confirmed", "deleted": "true" })),
        Ok(None)
    );
    let virtual_owner = spec(json!({ "cidr": "10.244.0.0/26", "node": "load-balancer", "type": "virtual" }));
    assert_eq!(
        virtual_owner.expect("read").expect("there").owner,
        Affinity::Virtual("load-balancer".into())
    );
    for bad in [
        json!({}),
        json!({ "cidr": "10.0.0.0/26" }),
        json!({ "cidr": "10.0.0.0/26", "node": "a", "state": "x" }),
    ] {
        assert!(spec(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn the_default_of_address_management_is_said() {
    let said = |documents: Vec<Document>| {
        let report = Report::new(&snapshot(documents));
        report
            .notes
            .iter()
            .filter(|note| note.contains("strict affinity"))
            .count()
    };
    let settings = |strict: bool| {
        document(
            "IPAMConfig",
            "default",
            json!({ "strictAffinity": strict, "autoAllocateBlocks": true }),
        )
    };
    assert_eq!(said(vec![]), 1);
    assert_eq!(said(vec![settings(false)]), 1);
    assert_eq!(said(vec![settings(true)]), 0);
}

#[test]
fn field_names_of_the_json_are_stable() {
    let report = Report::new(&snapshot(vec![node("a", "192.0.2.11/24")]));
    let value = serde_json::to_value(&report).expect("JSON");
    let names: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "documents",
            "felix",
            "felixIgnored",
            "ipam",
            "notes",
            "others",
            "source",
            "summary",
            "unreadable"
        ]
    );
    assert_eq!(
        value["documents"][0],
        json!({ "kind": "Node", "name": "a", "verdict": "carriesOver", "remarks": [] })
    );
    let names: Vec<&String> = value["ipam"]["takeover"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(
        names,
        [
            "blocks",
            "blocksLeft",
            "firstAddressTaken",
            "pods",
            "podsBorrowed",
            "podsLeft",
            "tunnelsReturned"
        ]
    );
}
