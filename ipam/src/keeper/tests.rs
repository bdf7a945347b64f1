//! The keeper on a store in memory: blocks come and go with pods, through lost answers, crashes and lost disks.

mod cluster;

use std::time::Duration;

use datastore::memory::{Call, Fault};
use datastore::{Datastore, Expect, Key, Space, Write};

use self::cluster::{Cluster, until};
use crate::cluster::{AddressRecord, BlockRecord};
use crate::lease::Owner;

fn blocks(cluster: &Cluster, node: &str) -> Vec<String> {
    let listing = cluster.memory.list_now(Space::Ownership).unwrap();
    let of_node = listing.items.iter().filter(|item| match item.key {
        Key::Block(_) => BlockRecord::parse(&item.value).unwrap().node.as_str() == node,
        _ => false,
    });
    of_node.map(|item| item.key.name()).collect()
}

#[tokio::test]
async fn a_pod_that_waits_gets_a_block_and_an_empty_block_is_given_back() {
    let cluster = Cluster::new("0s").await;
    let node = cluster.node("node-a");
    let lease = node.add("a").await;
    until("the mirror has it", || {
        let item = cluster.memory.get_now(&Key::Address(lease.addresses[0])).unwrap();
        item.is_some_and(|item| AddressRecord::parse(&item.value).unwrap().lease == lease)
    })
    .await;
    assert_eq!(blocks(&cluster, "node-a").len(), 1);
    let status = node.keeper.status().borrow().clone();
    assert!(status.synced && status.troubles.is_empty(), "{status:?}");
    assert_eq!(status.commits_by_kind["claim"], 1);
    let address = lease.addresses[0];
    node.ipam
        .release(&lease.owner, std::time::SystemTime::now())
        .unwrap();
    until("the mirror has forgotten it", || {
        cluster.memory.get_now(&Key::Address(address)).unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn presence_is_held_as_long_as_the_keeper_lives() {
    let cluster = Cluster::new("10m").await;
    let node = cluster.node("node-a");
    let key = Key::Presence("node-a".to_owned());
    let is_there = || cluster.memory.get_now(&key).unwrap().is_some();
    until("presence is there", is_there).await;
    drop(node);
    until("presence is gone", || !is_there()).await;
}

#[tokio::test]
async fn lost_answers_and_outages_make_no_second_owner_and_no_lost_block() {
    let cluster = Cluster::new("10m").await;
    let mut calls = 0u32;
    cluster.memory.set_faults(move |call| {
        calls = calls.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match (calls >> 16) % 10 {
            0 => Fault::Unavailable,
            1 | 2 if call.writes() => Fault::Lost,
            3 if call.writes() => Fault::LostBefore,
            _ => Fault::None,
        }
    });
    let nodes: Vec<_> = ["node-a", "node-b", "node-c"]
        .map(|name| cluster.node(name))
        .into();
    let mut given = std::collections::BTreeMap::new();
    for pod in 0..12 {
        for node in &nodes {
            let lease = node.add(&format!("{}-{pod}", node.name)).await;
            for address in lease.addresses {
                assert_eq!(
                    given.insert(address, lease.owner.clone()),
                    None,
                    "{address} twice"
                );
            }
        }
    }
    cluster.memory.clear_faults();
    let statuses = nodes.iter().map(|node| node.keeper.status().borrow().clone());
    assert!(
        statuses.map(|s| s.unknown).sum::<u64>() > 0,
        "the test did not test"
    );
    for node in &nodes {
        until("ledger and store agree", || {
            let mut own: Vec<_> = (node.ipam.blocks().iter())
                .map(|b| Key::Block(b.cidr).name())
                .collect();
            own.sort();
            let mut stored = blocks(&cluster, node.name);
            stored.sort();
            own == stored && own.len() >= 4
        })
        .await;
    }
    until("the mirror is complete", || {
        cluster.memory.list_now(Space::Addresses).unwrap().items.len() == given.len()
    })
    .await;
}

#[tokio::test]
async fn a_lost_ledger_learns_from_the_mirror_and_adds_wait_for_that() {
    let cluster = Cluster::new("10m").await;
    let node = cluster.node("node-a");
    let mut leases = Vec::new();
    for pod in 0..5 {
        leases.push(node.add(&format!("pod-{pod}")).await);
    }
    let records = |n| cluster.memory.list_now(Space::Addresses).unwrap().items.len() == n;
    until("the mirror is complete", || records(5)).await;
    let before = blocks(&cluster, "node-a");
    drop(node);
    cluster.memory.set_faults(|call| match call {
        Call::List(Space::Addresses) => Fault::Unavailable,
        _ => Fault::None,
    });
    let node = cluster.node("node-a");
    let mut status = node.keeper.status();
    let waits = status.wait_for(|s| {
        s.waiting
            .as_ref()
            .is_some_and(|w| w.text.contains("cannot be reached"))
    });
    tokio::time::timeout(Duration::from_secs(20), waits)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(node.try_add("new"), Err(crate::Error::Recovering));
    let kept = |lease: &crate::Lease| {
        cluster
            .memory
            .get_now(&Key::Address(lease.addresses[0]))
            .unwrap()
            .is_some()
    };
    assert!(
        leases.iter().all(kept),
        "a ledger that knows nothing yet does not empty the mirror"
    );
    cluster.memory.clear_faults();
    until("the leases are back", || node.ipam.leases().len() == 5).await;
    for lease in leases {
        assert_eq!(node.ipam.lease(&lease.owner), Some(lease));
    }
    let new = node.add("new").await;
    assert_eq!(node.ipam.leases().len(), 6, "{new:?} is none of the five");
    assert!(
        before
            .iter()
            .all(|block| blocks(&cluster, "node-a").contains(block))
    );
}

#[tokio::test]
async fn a_node_whose_resource_was_made_anew_gets_its_blocks_again() {
    let cluster = Cluster::new("10m").await;
    let node = cluster.node("node-a");
    let lease = node.add("a").await;
    let incarnation = |of: &str| {
        let listing = cluster.memory.list_now(Space::Ownership).unwrap();
        let mut own = listing
            .items
            .iter()
            .filter_map(|item| BlockRecord::parse(&item.value).ok());
        own.find(|record| record.node.as_str() == of)
            .map(|record| record.incarnation)
    };
    let first = incarnation("node-a").unwrap();
    cluster.remove("node-a").await;
    cluster.write("node-a").await;
    until("the record names the new life", || {
        incarnation("node-a").is_some_and(|i| i != first)
    })
    .await;
    assert_eq!(node.ipam.lease(&lease.owner), Some(lease.clone()));
    until("the mirror names it as well", || {
        let item = cluster.memory.get_now(&Key::Address(lease.addresses[0])).unwrap();
        let record = item.map(|item| AddressRecord::parse(&item.value).unwrap());
        record.map(|record| record.incarnation) == incarnation("node-a")
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_record_of_another_node_is_reported_and_left_alone() {
    let cluster = Cluster::new("10m").await;
    cluster.write("node-b").await;
    let node = cluster.node("node-a");
    let lease = node.add("a").await;
    let key = Key::Address(lease.addresses[0]);
    until("it is mirrored", || {
        cluster.memory.get_now(&key).unwrap().is_some()
    })
    .await;
    let other = AddressRecord::new(lease.addresses[0], "node-b".parse().unwrap(), "1", lease.clone());
    let put = Write::Put(key.clone(), other.to_text());
    cluster.memory.write(put, Expect::Any).await.unwrap();
    // Only a change of ours makes us look at it.
    let mut again = node.request("a");
    again.netns = "/run/netns/other".to_owned();
    node.ipam.assign(&again, std::time::SystemTime::now()).unwrap();
    let mut status = node.keeper.status();
    let told = status.wait_for(|s| s.mirror.doubles.iter().any(|d| d.text.contains("node-b")));
    let told = tokio::time::timeout(Duration::from_secs(600), told)
        .await
        .unwrap()
        .unwrap();
    assert!(
        told.mirror.doubles[0]
            .text
            .contains(&lease.addresses[0].to_string())
    );
    drop(told);
    let item = cluster.memory.get_now(&key).unwrap().unwrap();
    assert_eq!(&*item.value, other.to_text());
    cluster.remove("node-b").await;
    until("a node that is gone does not count", || {
        let item = cluster.memory.get_now(&key).unwrap().unwrap();
        AddressRecord::parse(&item.value).unwrap().node.as_str() == "node-a"
    })
    .await;
}

#[tokio::test]
async fn with_a_file_the_ledger_is_told_that_nobody_else_knows() {
    let cluster = Cluster::new("10m").await;
    let node = cluster.node_of_file("node-a");
    until("it is synced", || node.keeper.status().borrow().synced).await;
    assert!(!node.ipam.local(std::time::SystemTime::now()).fresh);
    assert!(
        cluster
            .memory
            .get_now(&Key::Presence("node-a".to_owned()))
            .unwrap()
            .is_none()
    );
    assert_eq!(node.ipam.lease(&Owner::new("x", "eth0")), None);
}
