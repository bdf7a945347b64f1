//! Which block is chosen.

use std::collections::BTreeSet;

use datastore::Key;
use ipnet::IpNet;

use crate::blocks::Family;
use crate::cluster::testing::{Agent, Cluster, at, net};
use crate::cluster::{Purpose, Reason, Step};
use crate::local::Want;

fn claims(purposes: &[Purpose]) -> Vec<(IpNet, &Reason)> {
    let claim = |purpose| match purpose {
        &Purpose::Claim {
            block, ref reason, ..
        } => Some((block, reason)),
        _ => None,
    };
    purposes.iter().filter_map(claim).collect()
}

fn first_claim(cluster: &Cluster, agent: &mut Agent) -> Option<(IpNet, Reason)> {
    match cluster.decide(agent, at(0)).steps.pop() {
        Some(Step::Commit(Purpose::Claim { block, reason, .. }, _)) => Some((block, reason)),
        _ => None,
    }
}

#[test]
fn many_nodes_that_start_at_once_rarely_want_the_same_block() {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/16""#);
    for n in 0..200 {
        cluster.node(&format!("node-{n}"), "r1", &[]);
    }
    let view = cluster.view();
    let blocks: BTreeSet<IpNet> = (0..200)
        .map(|n| {
            let mut agent = Agent::new(&format!("node-{n}"));
            let decision =
                crate::cluster::decide(&view, &agent.local, &agent.settings, &mut agent.memory, at(0));
            match decision.steps.last() {
                Some(Step::Commit(Purpose::Claim { block, .. }, _)) => *block,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    // By chance alone some 18 of 200 share one of 1024 places.
    assert!(blocks.len() > 170, "{}", blocks.len());
}

#[test]
fn an_ipv6_pool_of_any_size_costs_nothing() {
    let mut cluster = Cluster::default();
    cluster.pool("six", r#""cidr":"fd00:10::/48""#);
    cluster.node("a", "r1", &[]);
    let mut agent = Agent::new("a");
    cluster.run(&mut agent, at(0));
    assert_eq!(agent.blocks().len(), 1);
    let block = agent.blocks()[0];
    assert!(net("fd00:10::/48").contains(&block) && block.prefix_len() == 122);
}

#[test]
fn what_is_in_the_way_is_stepped_over() {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/24","blockSize":26"#);
    cluster.reserve("10.0.0.0/27");
    cluster.reserve("10.0.0.32/27");
    cluster.node("a", "r1", &[]);
    cluster.node("given", "r1", &["10.0.0.70/32"]);
    // A block of the size that the pool had before.
    cluster.owned("10.0.0.128/28", "pods", "other");
    let mut agent = Agent::new("a");
    let (block, reason) = first_claim(&cluster, &mut agent).unwrap();
    assert_eq!(block, net("10.0.0.192/26"), "{reason}");
    cluster.owned("10.0.0.192/26", "pods", "other");
    assert_eq!(first_claim(&cluster, &mut agent), None);
    let troubles = cluster.decide(&mut agent, at(0)).troubles;
    assert!(
        troubles
            .iter()
            .any(|t| t.to_string().contains("every block is owned")),
        "{troubles:?}"
    );
}

#[test]
fn a_record_of_the_future_counts_as_taken() {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/26""#);
    cluster.node("a", "r1", &[]);
    cluster.put(Key::Block(net("10.0.0.0/26")), r#"{"format":9}"#);
    let mut agent = Agent::new("a");
    assert_eq!(first_claim(&cluster, &mut agent), None);
    assert_eq!(cluster.view().troubles().len(), 1);
}

#[test]
fn an_address_that_is_asked_for_leads_to_its_block() {
    let mut cluster = Cluster::default();
    cluster.pool("named", r#""cidr":"10.1.0.0/16","assignmentMode":"Manual""#);
    cluster.node("a", "r1", &[]);
    let mut agent = Agent::new("a");
    assert_eq!(first_claim(&cluster, &mut agent), None, "nobody asked");
    let address = "10.1.2.200".parse().unwrap();
    agent.local.wants.push(Want {
        family: Family::V4,
        pools: Vec::new(),
        address: Some(address),
        workload: None,
    });
    let found = first_claim(&cluster, &mut agent);
    assert_eq!(found, Some((net("10.1.2.192/26"), Reason::Asked(address))));
    // Of another node's block, nothing is lent while affinity is strict.
    cluster.owned("10.1.2.192/26", "named", "b");
    let decision = cluster.decide(&mut agent, at(0));
    assert!(decision.steps.is_empty());
    assert!(
        decision.hopeless[0].why.contains("strictAffinity"),
        "{:?}",
        decision.hopeless
    );
}

#[test]
fn pools_that_do_not_serve_the_node_give_nothing() {
    for spec in [
        r#""cidr":"10.0.0.0/16","disabled":true"#,
        r#""cidr":"10.0.0.0/16","nodeSelector":"rack == 'r2'""#,
        r#""cidr":"10.0.0.0/16","allowedUses":["Tunnel"]"#,
        r#""cidr":"10.0.0.0/16","assignmentMode":"Manual""#,
        r#""cidr":"10.0.0.0/16","namespaceSelector":"tier == 'web'""#,
    ] {
        let mut cluster = Cluster::default();
        cluster.pool("pods", spec);
        cluster.node("a", "r1", &[]);
        assert_eq!(first_claim(&cluster, &mut Agent::new("a")), None, "{spec}");
    }
}

#[test]
fn a_pool_that_was_just_changed_is_left_alone_until_it_is_in_force() {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/16""#);
    cluster.node("a", "r1", &[]);
    let before = cluster.intent.clone();
    cluster.pool("pods", r#""cidr":"10.9.0.0/16""#);
    cluster.intent = before;
    let mut agent = Agent::new("a");
    assert_eq!(first_claim(&cluster, &mut agent), None);
    let troubles = cluster.decide(&mut agent, at(0)).troubles;
    assert!(troubles[0].to_string().contains("not in force"), "{troubles:?}");
}

#[test]
fn blocks_of_a_rack_come_from_one_aggregate() {
    let mut cluster = Cluster::default();
    cluster.pool(
        "pods",
        r#""cidr":"10.0.0.0/24","blockSize":28,"aggregate":{"nodeLabel":"rack","prefixLength":26}"#,
    );
    for (name, rack) in [
        ("a", "r1"),
        ("b", "r1"),
        ("c", "r2"),
        ("d", "r3"),
        ("e", "r4"),
        ("f", "r5"),
    ] {
        cluster.node(name, rack, &[]);
    }
    let claim = |name: &str| {
        let mut agent = Agent::new(name);
        let done = cluster.run(&mut agent, at(0));
        let (block, reason) = claims(&done)[0];
        (
            IpNet::new(block.addr(), 26).unwrap().trunc(),
            reason.clone(),
            agent,
        )
    };
    let (of_a, why, _) = claim("a");
    assert!(matches!(why, Reason::NewAggregate { .. }), "{why}");
    let (of_b, why, _) = claim("b");
    assert!(matches!(why, Reason::InAggregate { .. }) && of_a == of_b, "{why}");
    let others: BTreeSet<IpNet> = ["c", "d", "e"].map(|name| claim(name).0).into();
    assert!(others.len() == 3 && !others.contains(&of_a));
    // None is left for the fifth rack, until one has no blocks.
    let mut f = Agent::new("f");
    let decision = cluster.decide(&mut f, at(0));
    assert!(
        decision.troubles[0].to_string().contains("rack=r5"),
        "{:?}",
        decision.troubles
    );
    let free = *others.first().unwrap();
    for block in cluster
        .view()
        .blocks
        .inside(free)
        .map(|(net, _)| *net)
        .collect::<Vec<_>>()
    {
        cluster.write(datastore::Write::Delete(Key::Block(block)));
    }
    let Some(Step::Commit(Purpose::Claim { block, reason, .. }, late)) =
        cluster.decide(&mut f, at(0)).steps.pop()
    else {
        panic!("nothing is claimed")
    };
    assert!(
        matches!(reason, Reason::TakenAggregate { .. }) && free.contains(&block),
        "{reason}"
    );
    // Somebody of the rack that had it comes first, in any of its blocks: then it is not taken over.
    let other = free.subnets(28).unwrap().find(|slot| *slot != block).unwrap();
    cluster.owned(&other.to_string(), "pods", "c");
    assert!(!cluster.commit(&late));
}

#[test]
fn a_store_of_single_keys_has_no_aggregates_and_says_so() {
    let mut cluster = Cluster::default();
    cluster.pool(
        "pods",
        r#""cidr":"10.0.0.0/16","aggregate":{"nodeLabel":"rack","prefixLength":22}"#,
    );
    cluster.node("a", "r1", &[]);
    let mut a = Agent::new("a");
    a.settings.atomic = false;
    let decision = cluster.decide(&mut a, at(0));
    let Some(Step::Commit(_, transaction)) = decision.steps.last() else {
        panic!("{decision:?}")
    };
    assert_eq!(transaction.write.len(), 1);
    assert!(
        decision.troubles[0].to_string().contains("one key at a time"),
        "{:?}",
        decision.troubles
    );
}

#[test]
fn blocks_of_two_sizes_stay_apart_even_if_nobody_knows_of_the_other() {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/26","blockSize":27"#);
    cluster.node("a", "r1", &[]);
    cluster.node("b", "r1", &[]);
    let (mut a, mut b) = (Agent::new("a"), Agent::new("b"));
    let before = cluster.view();
    cluster.run(&mut a, at(0));
    // The pool changes, and b sees that before it sees the block of a.
    cluster.pool("pods", r#""cidr":"10.0.0.0/26","blockSize":26"#);
    let resources = cluster
        .store
        .list_now(datastore::Space::Resources)
        .unwrap()
        .into();
    let mut late = before;
    late.refresh_resources(&resources, &cluster.intent);
    let decision = crate::cluster::decide(&late, &b.local, &b.settings, &mut b.memory, at(0));
    let Some(Step::Commit(Purpose::Claim { block, .. }, transaction)) = decision.steps.last() else {
        panic!("{decision:?}")
    };
    assert_eq!(*block, net("10.0.0.0/26"));
    assert!(!cluster.commit(transaction), "it would overlap {:?}", a.blocks());
}
