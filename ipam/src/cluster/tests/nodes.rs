//! Nodes that are gone, and addresses that go from one node to another.

use std::time::Duration;

use datastore::Key;

use crate::blocks::Family;
use crate::cluster::records::{PresenceRecord, StickyRecord};
use crate::cluster::testing::{Agent, Cluster, GRACE, at, net};
use crate::cluster::{LoanAct, Purpose, Step};
use crate::local::Want;

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/16""#);
    cluster.node("a", "r1", &[]);
    cluster.node("b", "r1", &[]);
    cluster
}

#[test]
fn what_a_dead_node_had_is_taken_back_after_two_looks_and_the_grace_time() {
    let mut cluster = cluster();
    let (mut a, mut b) = (Agent::new("a"), Agent::new("b"));
    cluster.run(&mut a, at(0));
    cluster.run(&mut b, at(0));
    cluster.node_goes("b");
    assert!(cluster.decide(&mut a, at(0)).steps.is_empty());
    // The clock jumps by a day: it counts for a quarter of the grace time only.
    assert!(cluster.decide(&mut a, at(86_400)).steps.is_empty());
    let mut now = at(86_400);
    let mut looks = 0;
    let purpose = loop {
        let decision = cluster.decide(&mut a, now);
        if let Some(Step::Commit(purpose, transaction)) = decision.steps.into_iter().next() {
            // It comes back in the last moment: then nothing is taken.
            cluster.node("b", "r1", &[]);
            assert!(!cluster.commit(&transaction));
            cluster.node_goes("b");
            assert!(cluster.commit(&transaction));
            break purpose;
        }
        now += decision.wake_in.expect("it looks again");
        looks += 1;
        assert!(looks < 20);
    };
    assert!(matches!(purpose, Purpose::Collect { records: 1, .. }) && now >= at(86_400) + GRACE / 2);
    assert_eq!(cluster.view().owners().count(), 1);
}

#[test]
fn a_node_whose_agent_shows_itself_is_not_dead() {
    let mut cluster = cluster();
    let (mut a, mut b) = (Agent::new("a"), Agent::new("b"));
    cluster.run(&mut b, at(0));
    cluster.run(&mut a, at(0));
    cluster.node_goes("b");
    let presence = PresenceRecord::new("b".parse().unwrap(), None);
    cluster.put(Key::Presence("b".into()), &presence.to_text());
    for n in 0..50 {
        assert!(
            cluster
                .decide(&mut a, at(0) + Duration::from_secs(n * 60))
                .steps
                .is_empty()
        );
    }
}

#[test]
fn a_sticky_address_follows_its_workload_and_comes_back() {
    let cluster = cluster();
    let (mut a, mut b) = (Agent::new("a"), Agent::new("b"));
    cluster.run(&mut a, at(0));
    cluster.run(&mut b, at(0));
    let block = a.blocks()[0];
    let address = std::net::IpAddr::from(
        (u32::from_be_bytes(match block.addr() {
            std::net::IpAddr::V4(v4) => v4.octets(),
            std::net::IpAddr::V6(_) => unreachable!("an IPv4 pool"),
        }) + 5)
            .to_be_bytes(),
    );
    a.local.kept.insert(address, "default.db-0".into());
    let record = StickyRecord::new("default.db-0", vec![address], "a".parse().unwrap());
    cluster.put(Key::Sticky("default.db-0".into()), &record.to_text());
    b.local.wants.push(Want {
        family: Family::V4,
        pools: Vec::new(),
        address: None,
        workload: Some("default.db-0".into()),
    });
    let acts = |done: Vec<Purpose>| -> Vec<LoanAct> {
        let act = |purpose| match purpose {
            Purpose::Loan { act, .. } => act,
            other => panic!("{other}"),
        };
        done.into_iter().map(act).collect()
    };
    assert_eq!(acts(cluster.run(&mut b, at(0))), [LoanAct::Ask]);
    assert_eq!(acts(cluster.run(&mut a, at(0))), [LoanAct::Lend]);
    assert!(a.local.lent.contains_key(&address));
    a.local.kept.remove(&address);
    assert_eq!(acts(cluster.run(&mut b, at(0))), [LoanAct::Accept]);
    assert!(b.local.borrowed.contains_key(&address));
    // Its pod has it, and goes.
    b.local.wants.clear();
    b.lease("c1", &address.to_string());
    assert!(cluster.run(&mut b, at(0)).is_empty());
    b.local.leases.clear();
    assert_eq!(acts(cluster.run(&mut b, at(0))), [LoanAct::End]);
    assert!(cluster.run(&mut a, at(0)).is_empty());
    assert!(a.local.lent.is_empty() && a.local.kept.contains_key(&address));
    assert!(net("10.0.0.0/16").contains(&address));
}

#[test]
fn an_address_that_a_pod_has_is_refused_with_why() {
    let mut cluster = cluster();
    cluster.intent.ipam.strict_affinity = false;
    let (mut a, mut b) = (Agent::new("a"), Agent::new("b"));
    cluster.run(&mut a, at(0));
    cluster.run(&mut b, at(0));
    let address = a.blocks()[0].network();
    a.lease("c1", &address.to_string());
    a.fill(a.blocks()[0], 1);
    b.local.wants.push(Want {
        family: Family::V4,
        pools: Vec::new(),
        address: Some(address),
        workload: None,
    });
    cluster.run(&mut b, at(0));
    cluster.run(&mut a, at(0));
    assert!(a.local.lent.is_empty());
    let hopeless = cluster.decide(&mut b, at(0)).hopeless;
    assert!(hopeless[0].why.contains("container c1"), "{hopeless:?}");
    b.local.wants.clear();
    cluster.run(&mut b, at(0));
    assert_eq!(cluster.view().loans().count(), 0, "nobody waits for it any more");
}
