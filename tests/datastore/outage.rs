//! etcd goes away in each of its ways: routes, sessions and pods stay, pods come and go, and the node says what is
//! wrong and since when.

use super::cluster::{Cluster, resources};
use crate::support::plugin::{self, add, address};
use crate::support::watch::RouteWatch;
use crate::support::{SOON, check, eventually, kernel, view};

fn cluster(scenario: &str, etcd_flags: &str) -> Cluster {
    Cluster::up(
        scenario,
        2,
        &["c1", "c2", "c3"],
        &resources(2, "cidr: 10.244.0.0/16, blockSize: 26", "addressCoolDown: 1s"),
        etcd_flags,
    )
}

/// The route of one node to the other's block.
fn foreign_block(cluster: &Cluster, node: &str, other: &str) -> String {
    eventually("the other node's block", || {
        let status = view::status(&cluster.fabric, other)?;
        let block = status.blocks.first().ok_or("no block")?.cidr.to_string();
        kernel::route(&cluster.fabric, node, &block).map(|_| block)
    })
}

/// The node knows that its datastore is away.
fn away(cluster: &Cluster, node: &str) -> Result<u64, String> {
    let status = view::status(&cluster.fabric, node)?;
    status
        .datastore
        .away_seconds
        .ok_or_else(|| format!("{:?}", status.datastore))
}

#[test]
fn the_data_plane_does_not_move_while_etcd_is_away_and_pods_come_and_go() {
    let mut cluster = cluster("etcd-away", "");
    let there = address(&add(&cluster.fabric, "n2", "c2"));
    let block = foreign_block(&cluster, "n1", "n2");
    let kept = address(&add(&cluster.fabric, "n1", "c1"));
    eventually("the pods reach each other", || {
        let done = cluster
            .fabric
            .exec("c1", &["ping", "-c", "1", "-W", "1", &there])
            .map_err(|e| e.to_string())?;
        check(done.status.success(), || format!("{done:?}"))
    });
    cluster.kill_etcd();
    let fabric = &cluster.fabric;
    let watch = RouteWatch::start(fabric, "n1");
    eventually("the node says that its datastore is away", || {
        away(&cluster, "n1")
    });
    // ADD and DEL as ever.
    let third = address(&add(fabric, "n1", "c3"));
    fabric.run("c3", &format!("ping -c 2 -i 0.2 -W 2 {there}"));
    plugin::del(fabric, "n1", "c3");
    // An agent that starts now boots from its last good intent: nothing moves either.
    fabric.kill_agent("n1").expect("the agent is killed");
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually("it works from the last good intent", || {
        let status = view::status(fabric, "n1")?;
        let well = status.datastore.origin == "last-good" && status.peers.established == 1;
        check(well, || format!("{:?} {:?}", status.datastore, status.peers))
    });
    fabric.run("c1", &format!("ping -c 2 -i 0.2 -W 2 {there}"));
    let again = address(&add(fabric, "n1", "c3"));
    assert_ne!(again, kept);
    fabric.run("c3", &format!("ping -c 2 -i 0.2 -W 2 {there}"));
    assert_eq!(watch.deletions_of(&block), Vec::<String>::new());
    assert_eq!(watch.deletions_of(&kept), Vec::<String>::new());
    drop(watch);
    assert!(third.starts_with("10.244."), "{third}");
    // It comes back, and all is as it should be.
    cluster.start_etcd();
    for node in ["n1", "n2"] {
        eventually("the node is well again", || {
            let status = view::status(&cluster.fabric, node)?;
            let well = status.datastore.away_seconds.is_none() && status.datastore.origin == "live";
            check(well && status.problems.is_empty(), || {
                format!("{:?} {:?}", status.datastore, status.problems)
            })
        });
    }
    eventually("the mirror has the pod", || {
        let text = cluster.etcdctl("get --prefix --keys-only /roadbed/v1/addresses/")?;
        check(text.contains(&again) && text.contains(&kept), || text.clone())
    });
    let checked = cluster
        .fabric
        .roadbed_json("n1", &["ipam", "check"])
        .expect("ipam check");
    assert_eq!(checked["findings"], serde_json::json!([]), "{checked}");
}

#[test]
fn a_store_without_room_takes_nothing_and_the_node_works_on() {
    // The smallest quota that etcd starts with is filled in a moment.
    let cluster = cluster("etcd-full", "--quota-backend-bytes 16777216");
    let fabric = &cluster.fabric;
    let there = address(&add(fabric, "n2", "c2"));
    foreign_block(&cluster, "n1", "n2");
    let filler = fabric.file("filler", &"x".repeat(1 << 20));
    eventually("the alarm", || {
        let line =
            format!("env ETCDCTL_API=3 etcdctl --endpoints http://192.0.2.100:2379 put filler < {filler}");
        let put = fabric
            .exec("etcd", &["sh", "-c", &line])
            .map_err(|e| e.to_string())?;
        check(!put.status.success(), || "it still takes writes".to_owned())
    });
    let here = address(&add(fabric, "n1", "c1"));
    fabric.run("c1", &format!("ping -c 2 -i 0.2 -W 2 {there}"));
    eventually("the node says that the store is full", || {
        let status = view::status(fabric, "n1")?;
        let said = status
            .problems
            .iter()
            .any(|p| p.message.contains("takes no writes"));
        check(said, || format!("{:?}", status.problems))
    });
    // Room again: what was to be written is written.
    let revision = cluster.etcdctl("endpoint status -w json").expect("etcd answers");
    let status: serde_json::Value = serde_json::from_str(&revision).expect("JSON");
    let revision = status[0]["Status"]["header"]["revision"].to_string();
    cluster.etcdctl("del filler").expect("deletions are taken");
    let _ = cluster.etcdctl(&format!("compact {revision}"));
    cluster.etcdctl("defrag").expect("defragmented");
    cluster.etcdctl("alarm disarm").expect("disarmed");
    eventually("the mirror has the pod", || {
        let text = cluster.etcdctl("get --prefix --keys-only /roadbed/v1/addresses/")?;
        check(text.contains(&here), || text.clone())
    });
    eventually("nothing is wrong", || {
        let status = view::status(fabric, "n1")?;
        check(status.problems.is_empty(), || format!("{:?}", status.problems))
    });
}
