//! Blocks come ahead of need and go when they are empty.

use std::time::Duration;

use datastore::{Key, Write};

use crate::cluster::testing::{Agent, Cluster, LINGER, at, net, own_block};
use crate::cluster::{Purpose, Step};
use crate::local::{BlockState, LedgerStep};

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.pool("pods", r#""cidr":"10.0.0.0/16""#);
    cluster.node("a", "r1", &[]);
    cluster
}

#[test]
fn the_first_block_comes_with_the_node_and_the_next_before_it_is_full() {
    let cluster = cluster();
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    assert_eq!(a.blocks().len(), 1);
    a.fill(a.blocks()[0], 48);
    assert_eq!(cluster.run(&mut a, at(0)), [], "16 of 64 are free");
    a.fill(a.blocks()[0], 49);
    cluster.run(&mut a, at(0));
    assert_eq!(a.blocks().len(), 2);
}

#[test]
fn an_empty_block_leaves_late_and_only_if_enough_is_left() {
    let cluster = cluster();
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    a.fill(a.blocks()[0], 60);
    cluster.run(&mut a, at(0));
    let (first, second) = (a.blocks()[0], a.blocks()[1]);
    let late = at(0) + LINGER;
    // Four are free without it: the next pod would bring it back.
    assert!(cluster.decide(&mut a, late).steps.is_empty());
    a.fill(first, 30);
    let early = cluster.decide(&mut a, late - Duration::from_secs(1));
    assert_eq!(
        (early.steps.len(), early.wake_in),
        (0, Some(Duration::from_secs(1)))
    );
    // In this order: no new addresses, the record, the ledger.
    let leave = cluster.decide(&mut a, late).steps;
    assert_eq!(leave, [Step::Ledger(vec![LedgerStep::Leave(second)])]);
    a.apply(&LedgerStep::Leave(second));
    let Some(Step::Commit(Purpose::Release { .. }, transaction)) = cluster.decide(&mut a, late).steps.pop()
    else {
        panic!("nothing is released")
    };
    assert!(cluster.commit(&transaction));
    assert_eq!(
        cluster.decide(&mut a, late).steps,
        [Step::Ledger(vec![LedgerStep::Drop(second)])]
    );
}

#[test]
fn the_record_of_a_withdrawn_block_lasts_until_everyone_has_heard() {
    let cluster = cluster();
    let mut a = Agent::new("a");
    a.settings.withdrawal = Duration::from_secs(2);
    cluster.run(&mut a, at(0));
    a.fill(a.blocks()[0], 60);
    cluster.run(&mut a, at(0));
    let (first, second) = (a.blocks()[0], a.blocks()[1]);
    a.fill(first, 30);
    let late = at(0) + LINGER;
    // The ledger withdraws it; at that moment peers still send packets for it here.
    assert_eq!(cluster.run(&mut a, late), []);
    let waits = cluster.decide(&mut a, late + Duration::from_millis(1500));
    assert_eq!(
        (waits.steps.len(), waits.wake_in),
        (0, Some(Duration::from_millis(500)))
    );
    assert!(cluster.view().owner(&second).is_some());
    // A clock that was set back begins anew, and is not waited for.
    assert_eq!(cluster.run(&mut a, at(0)), []);
    let released = cluster.run(&mut a, at(0) + Duration::from_secs(2));
    assert!(matches!(released[..], [Purpose::Release { .. }]), "{released:?}");
    assert_eq!(a.blocks(), [first]);
}

#[test]
fn a_block_that_a_pod_entered_while_it_left_stays() {
    let cluster = cluster();
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    let block = a.blocks()[0];
    a.apply(&LedgerStep::Leave(block));
    a.fill(block, 1);
    cluster.run(&mut a, at(0));
    assert_eq!(a.local.blocks[0].block.state, BlockState::Open);
}

#[test]
fn blocks_of_a_disabled_pool_go_at_once_if_they_are_empty() {
    let mut cluster = cluster();
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    cluster.pool("pods", r#""cidr":"10.0.0.0/16","disabled":true"#);
    a.fill(a.blocks()[0], 1);
    cluster.run(&mut a, at(0));
    assert_eq!(a.blocks().len(), 1, "a pod is in it");
    a.fill(a.blocks()[0], 0);
    cluster.run(&mut a, at(0));
    assert!(a.blocks().is_empty() && cluster.view().owners().next().is_none());
}

#[test]
fn the_most_blocks_of_a_host_are_the_most() {
    let mut cluster = cluster();
    cluster.intent.ipam.max_blocks_per_host = Some(1);
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    a.fill(a.blocks()[0], 64);
    let decision = cluster.decide(&mut a, at(0));
    assert!(decision.steps.is_empty());
    assert!(
        decision.troubles[0].to_string().contains("maxBlocksPerHost is 1"),
        "{:?}",
        decision.troubles
    );
}

#[test]
fn what_is_not_ours_is_dropped_and_what_pods_stand_in_is_claimed_again() {
    let cluster = cluster();
    let mut a = Agent::new("a");
    a.local.blocks.push(own_block("10.0.3.0/26", "pods"));
    a.lease("c1", "10.0.3.7");
    let drop = cluster.decide(&mut a, at(0)).steps;
    assert_eq!(drop, [Step::Ledger(vec![LedgerStep::Drop(net("10.0.3.0/26"))])]);
    cluster.run(&mut a, at(0));
    assert_eq!(a.blocks(), [net("10.0.3.0/26")], "its pod has an address there");
    // It is another node's: then the pod is named.
    cluster.owned("10.0.3.0/26", "pods", "b");
    let decision = cluster.decide(&mut a, at(0));
    assert!(
        decision
            .steps
            .contains(&Step::Ledger(vec![LedgerStep::Drop(net("10.0.3.0/26"))]))
    );
    a.apply(&LedgerStep::Drop(net("10.0.3.0/26")));
    let troubles = cluster.decide(&mut a, at(0)).troubles;
    assert!(troubles.iter().any(|t| t.subject == "10.0.3.7"), "{troubles:?}");
}

#[test]
fn nothing_is_done_for_a_ledger_that_is_new() {
    let cluster = cluster();
    cluster.owned("10.0.3.0/26", "pods", "a");
    let mut a = Agent::new("a");
    a.local.fresh = true;
    assert!(cluster.decide(&mut a, at(0)).steps.is_empty());
    // After that the record is written once more before it is used: who knows what is still under way against it.
    a.local.fresh = false;
    let version = |cluster: &Cluster| {
        cluster
            .store
            .get_now(&Key::Block(net("10.0.3.0/26")))
            .unwrap()
            .unwrap()
            .version
    };
    let before = version(&cluster);
    let done = cluster.run(&mut a, at(0));
    assert!(matches!(done[..], [Purpose::Reclaim { .. }]), "{done:?}");
    assert!(a.blocks() == [net("10.0.3.0/26")] && version(&cluster) != before);
}

#[test]
fn a_block_that_overlaps_a_given_subnet_is_not_used() {
    let mut cluster = cluster();
    cluster.owned("10.0.3.0/26", "pods", "a");
    cluster.node("b", "r1", &["10.0.3.0/24"]);
    let mut a = Agent::new("a");
    let done = cluster.run(&mut a, at(0));
    assert!(matches!(done[0], Purpose::Release { .. }), "{done:?}");
    assert!(!a.blocks().contains(&net("10.0.3.0/26")));
}

#[test]
fn a_node_with_given_subnets_claims_none_of_that_family() {
    let mut cluster = cluster();
    cluster.pool("six", r#""cidr":"fd00::/64""#);
    cluster.node("given", "r1", &["10.0.9.0/24"]);
    let mut agent = Agent::new("given");
    cluster.run(&mut agent, at(0));
    assert!(agent.blocks().len() == 1 && agent.blocks()[0].addr().is_ipv6());
}

#[test]
fn without_a_resource_a_node_takes_no_part() {
    let mut cluster = cluster();
    let mut a = Agent::new("a");
    cluster.run(&mut a, at(0));
    cluster.node_goes("a");
    let decision = cluster.decide(&mut a, at(0));
    assert!(decision.steps.is_empty() && decision.troubles[0].subject == "Node a");
    // Made anew, it claims its blocks again.
    cluster.node("a", "r1", &[]);
    let done = cluster.run(&mut a, at(0));
    assert!(matches!(done[..], [Purpose::Reclaim { .. }]), "{done:?}");
    cluster.write(Write::Delete(Key::Presence("a".into())));
}
