//! Blocks in every state.

use std::collections::BTreeSet;

use super::super::snapshot::{AffinityRecord, Block, Snapshot, State};
use super::super::tests::{block, net, record};
use super::Pool;

/// What is said of one block beside a good one, and whether it is kept.
fn look(block: Block, records: Vec<AffinityRecord>) -> (Vec<&'static str>, bool) {
    let pools = [
        Pool {
            name: "p".into(),
            cidr: net("10.244.0.0/16"),
            block_size: 26,
            carries_over: true,
        },
        Pool {
            name: "left".into(),
            cidr: net("10.245.0.0/16"),
            block_size: 26,
            carries_over: false,
        },
    ];
    let nodes: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
    let snapshot = Snapshot {
        blocks: vec![block],
        affinities: records,
        ..Snapshot::default()
    };
    let report = super::look(&snapshot, &pools, &nodes);
    let what = report.troubles.iter().map(|trouble| trouble.what).collect();
    (what, report.takeover.blocks == 1)
}

#[test]
fn each_trouble_of_a_block_has_its_name() {
    let good = "10.244.0.0/26";
    let confirmed = |cidr: &str, node: &str| vec![record(cidr, node, State::Confirmed)];
    let cases: Vec<(Block, Vec<AffinityRecord>, &[&str], bool)> = vec![
        (block(good, Some("host:a"), &[]), confirmed(good, "a"), &[], true),
        (block(good, Some("host:a"), &[]), vec![], &["noAffinity"], true),
        (
            block(good, Some("host:a"), &[]),
            vec![record(good, "a", State::Pending)],
            &["pendingAffinity"],
            true,
        ),
        (
            block(good, Some("host:a"), &[]),
            vec![record(good, "a", State::PendingDeletion)],
            &["pendingDeletion"],
            true,
        ),
        (
            block(good, Some("host:a"), &[]),
            confirmed(good, "b"),
            &["noAffinity"],
            true,
        ),
        (
            block(good, Some("host:gone"), &[]),
            confirmed(good, "gone"),
            &["nodeGone"],
            false,
        ),
        (block(good, None, &[]), vec![], &["noOwner"], false),
        (
            block(good, Some("virtual:load-balancer"), &[]),
            vec![],
            &["noNode"],
            false,
        ),
        (
            block("10.244.0.0/27", Some("host:a"), &[]),
            confirmed("10.244.0.0/27", "a"),
            &["otherSize"],
            false,
        ),
        (
            block("10.245.0.0/26", Some("host:a"), &[]),
            confirmed("10.245.0.0/26", "a"),
            &["poolLeft"],
            false,
        ),
        (
            block("10.9.0.0/26", Some("host:a"), &[]),
            confirmed("10.9.0.0/26", "a"),
            &["noPool"],
            false,
        ),
    ];
    for (block, records, expected, kept) in cases {
        let cidr = block.cidr;
        let affinity = block.affinity.clone();
        let found = look(block, records);
        assert_eq!(found, (expected.to_vec(), kept), "{cidr} {affinity:?}");
    }
    let dangling = [confirmed("10.244.9.0/26", "a"), confirmed(good, "a")].concat();
    let found = look(block(good, Some("host:a"), &[]), dangling);
    assert_eq!(found, (vec!["danglingAffinity"], true));
}

#[test]
fn a_takeover_counts_pods_and_those_that_borrow() {
    let pools = [Pool {
        name: "p".into(),
        cidr: net("10.244.0.0/16"),
        block_size: 30,
        carries_over: true,
    }];
    let nodes: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
    let snapshot = Snapshot {
        blocks: vec![
            block(
                "10.244.0.0/30",
                Some("host:a"),
                &[(0, "a"), (1, "b"), (2, "gone")],
            ),
            block("10.244.0.4/30", Some("host:gone"), &[(0, "gone"), (3, "b")]),
        ],
        ..Snapshot::default()
    };
    let report = super::look(&snapshot, &pools, &nodes);
    let keep = &report.takeover;
    assert_eq!((keep.blocks, keep.blocks_left), (1, 1));
    assert_eq!((keep.pods, keep.pods_borrowed, keep.pods_left), (1, 1, 3));
    assert_eq!(keep.first_address_taken, ["a"]);
    let borrowed: Vec<_> = report
        .nodes
        .iter()
        .map(|node| (node.node.as_str(), node.exists, node.borrowed))
        .collect();
    assert_eq!(borrowed, [("a", true, 0), ("b", true, 2), ("gone", false, 1)]);
    assert_eq!(report.addresses.pods, 5);
}

#[test]
fn overlapping_blocks_are_both_named() {
    let pools = [Pool {
        name: "p".into(),
        cidr: net("10.244.0.0/16"),
        block_size: 26,
        carries_over: true,
    }];
    let nodes: BTreeSet<String> = ["a".to_owned()].into();
    let blocks =
        ["10.244.0.0/26", "10.244.0.32/27", "10.244.0.64/26"].map(|cidr| block(cidr, Some("host:a"), &[]));
    let snapshot = Snapshot {
        blocks: blocks.to_vec(),
        ..Snapshot::default()
    };
    let report = super::look(&snapshot, &pools, &nodes);
    let overlaps: Vec<_> = report
        .troubles
        .iter()
        .filter(|t| t.what == "overlap")
        .map(|t| t.block)
        .collect();
    assert_eq!(overlaps, [net("10.244.0.0/26"), net("10.244.0.32/27")]);
    assert_eq!(report.takeover.blocks, 1);
}
