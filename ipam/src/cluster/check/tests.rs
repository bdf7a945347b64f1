use std::collections::BTreeMap;

use datastore::{Key, Space, SpaceView};

use super::*;
use crate::cluster::records::{
    AddressRecord, AggregateRecord, FORMAT, LoanRecord, LoanState, StickyRecord, Unknown,
};
use crate::cluster::testing::{Agent, Cluster, net, own_block};
use crate::cluster::{release_address, release_block, show};
use crate::lease::Owner;
use crate::local::{LedgerStep, Lent};

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/16""#);
    cluster.node("a", "r1", &[]);
    cluster.node("b", "r1", &[]);
    cluster.owned("10.0.1.0/26", "pods", "a");
    cluster.owned("10.0.2.0/26", "pods", "b");
    cluster
}

fn agent() -> Agent {
    let mut agent = Agent::new("a");
    agent.local.blocks.push(own_block("10.0.1.0/26", "pods"));
    agent
}

fn mirrored(cluster: &Cluster, node: &str, container: &str, address: &str) {
    let mut other = Agent::new(node);
    other.lease(container, address);
    let address = address.parse().unwrap();
    let lease = other.local.leases.remove(0);
    let record = AddressRecord::new(address, node.parse().unwrap(), "1", lease);
    cluster.put(Key::Address(address), &record.to_text());
}

fn found(cluster: &Cluster, agent: &Agent, kernel: Option<&KernelFacts>) -> Vec<Finding> {
    let mirror: SpaceView = cluster.store.list_now(Space::Addresses).unwrap().into();
    check(
        &cluster.view(),
        &agent.local,
        &agent.settings,
        Some(&mirror),
        kernel,
    )
}

/// The kinds and subjects, and after carrying out every repair what is left.
fn repaired(
    cluster: &Cluster,
    agent: &mut Agent,
    kernel: Option<&KernelFacts>,
) -> (Vec<(Kind, String)>, usize) {
    let findings = found(cluster, agent, kernel);
    let seen = findings.iter().map(|f| (f.kind, f.subject.clone())).collect();
    for fix in findings.into_iter().filter_map(|finding| finding.fix) {
        match fix {
            Fix::Ledger(steps) => steps.iter().for_each(|step| agent.apply(step)),
            Fix::Lease(owner) => agent.local.leases.retain(|lease| lease.owner != owner),
            Fix::Commit(purpose, transaction) => assert!(cluster.commit(&transaction), "{purpose}"),
        }
    }
    (seen, found(cluster, agent, kernel).len())
}

#[test]
fn all_is_well_where_nothing_is_wrong() {
    let (cluster, mut agent) = (cluster(), agent());
    agent.lease("c1", "10.0.1.5");
    mirrored(&cluster, "a", "c1", "10.0.1.5");
    let kernel = KernelFacts {
        links: ["rbc1".to_owned()].into(),
        routes: BTreeMap::from([("10.0.1.5".parse().unwrap(), "rbc1".to_owned())]),
    };
    assert_eq!(found(&cluster, &agent, Some(&kernel)), []);
}

#[test]
fn leaks_are_found_in_ledger_mirror_and_kernel() {
    let (cluster, mut agent) = (cluster(), agent());
    agent.lease("c1", "10.0.1.5");
    mirrored(&cluster, "a", "c1", "10.0.1.5");
    mirrored(&cluster, "a", "c2", "10.0.1.6");
    let kernel = KernelFacts {
        links: Default::default(),
        routes: BTreeMap::from([("10.0.1.9".parse().unwrap(), "rbc9".to_owned())]),
    };
    let (seen, _) = repaired(&cluster, &mut agent, Some(&kernel));
    let expected = [
        (Kind::Leak, "10.0.1.5"),
        (Kind::Kernel, "10.0.1.9"),
        (Kind::Mirror, "10.0.1.6"),
    ];
    assert_eq!(seen, expected.map(|(kind, subject)| (kind, subject.to_owned())));
    assert!(agent.local.leases.is_empty());
}

#[test]
fn an_address_that_two_have_is_an_error_that_a_person_decides() {
    let (cluster, mut agent) = (cluster(), agent());
    agent.lease("c1", "10.0.1.5");
    mirrored(&cluster, "b", "c7", "10.0.1.5");
    agent.lease("c2", "10.0.2.5");
    mirrored(&cluster, "a", "c2", "10.0.2.5");
    let findings = found(&cluster, &agent, None);
    let seen: Vec<(Kind, &str)> = findings.iter().map(|f| (f.kind, f.subject.as_str())).collect();
    assert_eq!(
        seen,
        [(Kind::DoubleUse, "10.0.1.5"), (Kind::DoubleUse, "10.0.2.5")]
    );
    assert!(
        findings
            .iter()
            .all(|f| f.fix.is_none() && f.severity == config::Severity::Error)
    );
}

#[test]
fn what_a_node_that_is_gone_left_is_taken_back() {
    let (mut cluster, mut agent) = (cluster(), agent());
    mirrored(&cluster, "b", "c7", "10.0.2.9");
    cluster.node_goes("b");
    let (seen, left) = repaired(&cluster, &mut agent, None);
    let expected = [(Kind::DeadNode, "10.0.2.9"), (Kind::DeadNode, "node b")];
    assert_eq!(seen, expected.map(|(kind, subject)| (kind, subject.to_owned())));
    assert_eq!(left, 0);
}

#[test]
fn records_that_lead_nowhere_are_found() {
    let (mut cluster, mut agent) = (cluster(), agent());
    cluster.pool(
        "racks",
        r#""cidr":"10.9.0.0/16","aggregate":{"nodeLabel":"rack","prefixLength":24}"#,
    );
    let aggregate = AggregateRecord {
        format: FORMAT,
        pool: "racks".into(),
        label: Some("rack".into()),
        value: Some("r7".into()),
        block_size: None,
        aggregate_size: None,
        unknown: Unknown::new(),
    };
    // One without blocks, one with a block of a node with another label.
    cluster.put(Key::Aggregate(net("10.9.1.0/24")), &aggregate.to_text());
    cluster.put(Key::Aggregate(net("10.9.2.0/24")), &aggregate.to_text());
    cluster.owned("10.9.2.0/26", "racks", "b");
    cluster.owned("172.16.0.0/26", "old", "b");
    cluster.owned("10.0.3.0/28", "pods", "b");
    cluster.owned("10.0.3.0/26", "pods", "b");
    let sticky = StickyRecord::new(
        "default.db-0",
        vec!["192.0.2.1".parse().unwrap()],
        "b".parse().unwrap(),
    );
    cluster.put(Key::Sticky("default.db-0".into()), &sticky.to_text());
    cluster.put(Key::Block(net("10.0.7.0/26")), "{}");
    let loan = LoanRecord {
        format: FORMAT,
        address: "10.0.2.8".parse().unwrap(),
        lender: "c".parse().unwrap(),
        lender_incarnation: "1".into(),
        borrower: "a".parse().unwrap(),
        borrower_incarnation: "1".into(),
        workload: None,
        state: LoanState::Held,
        why: None,
        unknown: Unknown::new(),
    };
    cluster.put(Key::Loan(loan.address), &loan.to_text());
    let (seen, _) = repaired(&cluster, &mut agent, None);
    let expected = [
        (Kind::TwoOwners, "10.0.3.0/26"),
        (Kind::TwoOwners, "10.0.3.0/28"),
        (Kind::Malformed, "blocks/10.0.7.0-26"),
        (Kind::OutsidePools, "172.16.0.0/26"),
        (Kind::WrongSize, "10.0.3.0/28"),
        (Kind::Loan, "10.0.2.8"),
        (Kind::Sticky, "default.db-0"),
        (Kind::Aggregate, "10.9.1.0/24"),
        (Kind::Aggregate, "10.9.2.0/26"),
    ];
    assert_eq!(seen, expected.map(|(kind, subject)| (kind, subject.to_owned())));
    let view = cluster.view();
    assert!(view.sticky_of("default.db-0").is_none() && view.aggregates.get(&net("10.9.1.0/24")).is_none());
}

#[test]
fn a_block_is_released_by_its_owner_or_when_that_is_gone() {
    let (mut cluster, mut agent) = (cluster(), agent());
    let release = |cluster: &Cluster, agent: &Agent, block: &str| {
        release_block(&cluster.view(), &agent.local, &agent.settings, net(block))
    };
    let own = release(&cluster, &agent, "10.0.1.0/26").unwrap();
    assert_eq!(
        own.fixes,
        [Fix::Ledger(vec![LedgerStep::Leave(net("10.0.1.0/26"))])]
    );
    agent.fill(net("10.0.1.0/26"), 2);
    assert!(
        release(&cluster, &agent, "10.0.1.0/26")
            .unwrap_err()
            .message
            .contains("2 of its addresses")
    );
    assert!(
        release(&cluster, &agent, "10.0.2.0/26")
            .unwrap_err()
            .message
            .contains("is there")
    );
    assert!(
        release(&cluster, &agent, "10.0.9.0/26")
            .unwrap_err()
            .message
            .contains("no node owns it")
    );
    cluster.node_goes("b");
    let gone = release(&cluster, &agent, "10.0.2.0/26").unwrap();
    let [Fix::Commit(_, transaction)] = &gone.fixes[..] else {
        panic!("{gone:?}")
    };
    cluster.node("b", "r1", &[]);
    assert!(!cluster.commit(transaction), "it came back");
    cluster.node_goes("b");
    assert!(cluster.commit(transaction));
}

#[test]
fn an_address_is_released_where_its_pod_is_gone() {
    let (cluster, mut agent) = (cluster(), agent());
    agent.lease("c1", "10.0.1.5");
    let kernel = |links: &[&str]| KernelFacts {
        links: links.iter().map(|link| (*link).to_owned()).collect(),
        routes: BTreeMap::new(),
    };
    let release = |agent: &Agent, kernel: Option<&KernelFacts>, address: &str, force| {
        let address = address.parse().unwrap();
        release_address(
            &cluster.view(),
            &agent.local,
            &agent.settings,
            kernel,
            address,
            force,
        )
    };
    assert!(release(&agent, Some(&kernel(&["rbc1"])), "10.0.1.5", false).is_err());
    assert!(
        release(&agent, None, "10.0.1.5", false).is_err(),
        "what is not known is not assumed"
    );
    let lease = Fix::Lease(Owner::new("c1", "eth0"));
    assert_eq!(
        release(&agent, Some(&kernel(&[])), "10.0.1.5", false)
            .unwrap()
            .fixes,
        std::slice::from_ref(&lease)
    );
    assert_eq!(release(&agent, None, "10.0.1.5", true).unwrap().fixes, [lease]);
    let kept = "10.0.1.6".parse().unwrap();
    agent.local.kept.insert(kept, "default.db-0".into());
    let sticky = StickyRecord::new("default.db-0", vec![kept], "a".parse().unwrap());
    cluster.put(Key::Sticky("default.db-0".into()), &sticky.to_text());
    let fixes = release(&agent, None, "10.0.1.6", false).unwrap().fixes;
    assert!(
        matches!(fixes[..], [Fix::Ledger(_), Fix::Commit(..)]),
        "{fixes:?}"
    );
    let borrower = "b".parse().unwrap();
    agent.local.lent.insert(
        "10.0.1.7".parse().unwrap(),
        Lent {
            borrower,
            workload: None,
        },
    );
    assert!(
        release(&agent, None, "10.0.1.7", true)
            .unwrap_err()
            .message
            .contains("on loan")
    );
}

#[test]
fn figures_add_up() {
    let (mut cluster, mut agent) = (cluster(), agent());
    cluster.node("given", "r1", &["10.0.128.0/24"]);
    cluster.reserve("10.0.1.60/30");
    agent.lease("c1", "10.0.1.5");
    let used = BTreeMap::from([
        ("10.0.1.5".parse().unwrap(), "a".parse().unwrap()),
        ("10.0.2.5".parse().unwrap(), "b".parse().unwrap()),
        ("10.0.2.6".parse().unwrap(), "b".parse().unwrap()),
    ]);
    let view = cluster.view();
    let shown = show(&view, &agent.settings.node, &agent.local, Some(&used));
    let pool = &shown.pools[0];
    assert_eq!(
        (pool.blocks_total, pool.blocks_owned, pool.size_owned),
        (1024, 3, 64 + 64 + 256)
    );
    assert_eq!((pool.used, pool.reserved), (Some(3), 4));
    let of: Vec<(&str, u64, Option<u64>)> = shown
        .nodes
        .iter()
        .map(|n| (n.node.as_str(), n.size, n.used))
        .collect();
    assert_eq!(
        of,
        [("a", 64, Some(1)), ("b", 64, Some(2)), ("given", 256, Some(0))]
    );
    assert_eq!(shown.blocks.iter().map(|b| b.used.unwrap()).sum::<u64>(), 3);
    assert!(shown.missing.is_empty());
    let blind = show(&view, &agent.settings.node, &agent.local, None);
    assert!(blind.pools[0].used.is_none() && blind.missing.len() == 1);
}
