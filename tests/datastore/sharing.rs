//! Blocks and addresses shared out through etcd: claimed, announced, grown, given back, followed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cluster::{Cluster, node, resources};
use crate::support::plugin::{self, add, address, answer, call_for, netns, network};
use crate::support::{check, eventually, kernel, view};

/// The claimed blocks of a node, as its own status has them.
fn blocks(cluster: &Cluster, node: &str) -> Result<Vec<String>, String> {
    let status = view::status(&cluster.fabric, node)?;
    Ok(status.blocks.iter().map(|b| b.cidr.to_string()).collect())
}

fn first_block(cluster: &Cluster, node: &str) -> String {
    eventually("the node has a block", || {
        blocks(cluster, node)?
            .into_iter()
            .next()
            .ok_or_else(|| "it has none".to_owned())
    })
}

#[test]
fn nodes_claim_blocks_and_their_pods_reach_each_other() {
    let cluster = Cluster::up(
        "etcd-claim",
        2,
        &["c1", "c2"],
        &resources(2, "cidr: 10.244.0.0/16, blockSize: 26", ""),
        "",
    );
    let fabric = &cluster.fabric;
    let (first, second) = (first_block(&cluster, "n1"), first_block(&cluster, "n2"));
    assert_ne!(first, second);
    // Announcement follows ownership: a blackhole here, a route there.
    let own = eventually("the block's blackhole", || kernel::route(fabric, "n1", &first));
    assert_eq!(own["type"], "blackhole", "{own}");
    eventually("the route to the other's block", || {
        kernel::route(fabric, "n1", &second)
    });
    eventually("the route back", || kernel::route(fabric, "n2", &first));
    let here = address(&add(fabric, "n1", "c1"));
    let there = address(&add(fabric, "n2", "c2"));
    fabric.run("c1", &format!("ping -c 3 -i 0.2 -W 2 {there}"));
    fabric.run("c2", &format!("ping -c 3 -i 0.2 -W 2 {here}"));
    // The records say the same.
    for (block, owner) in [(&first, "n1"), (&second, "n2")] {
        let key = format!("/roadbed/v1/ownership/blocks/{}", block.replace('/', "-"));
        let text = cluster
            .etcdctl(&format!("get --print-value-only {key}"))
            .expect("etcd answers");
        let record: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {key} {text}"));
        assert_eq!(record["node"], owner, "{key}");
    }
    // Everyone can say whose an address is.
    let shown = fabric.roadbed_json("n2", &["ipam", "show"]).expect("ipam show");
    assert!(shown.to_string().contains(&first), "{shown}");
    eventually("nothing is wrong with blocks and addresses", || {
        let checked = fabric
            .roadbed_json("n1", &["ipam", "check"])
            .map_err(|e| e.to_string())?;
        check(checked["findings"] == serde_json::json!([]), || {
            checked.to_string()
        })
    });
    plugin::del(fabric, "n1", "c1");
}

#[test]
fn a_full_node_claims_more_and_gives_back_what_is_empty() {
    let pods: Vec<String> = (1..=12).map(|i| format!("c{i}")).collect();
    let names: Vec<&str> = pods.iter().map(String::as_str).collect();
    let cluster = Cluster::up(
        "etcd-grow",
        2,
        &names,
        &resources(
            2,
            "cidr: 10.244.0.0/24, blockSize: 29",
            "emptyBlockLinger: 1s, addressCoolDown: 1s",
        ),
        "",
    );
    let fabric = &cluster.fabric;
    let mut given = BTreeSet::new();
    for pod in &names {
        assert!(
            given.insert(address(&add(fabric, "n1", pod))),
            "an address twice: {given:?}"
        );
    }
    let grown = eventually("the next block is claimed ahead of need", || {
        let grown = blocks(&cluster, "n1")?;
        check(grown.len() >= 3, || format!("{grown:?} for {given:?}")).map(|()| grown)
    });
    for block in &grown {
        eventually("the other node's route to each block", || {
            kernel::route(fabric, "n2", block)
        });
    }
    for pod in &names {
        plugin::del(fabric, "n1", pod);
    }
    let left = eventually("empty blocks go back", || {
        let left = blocks(&cluster, "n1")?;
        check(left.len() < grown.len() && left.len() <= 2, || {
            format!("{left:?} of {grown:?}")
        })
        .map(|()| left)
    });
    for block in grown.iter().filter(|b| !left.contains(b)) {
        eventually("its route goes", || kernel::no_route(fabric, "n2", block));
        eventually("its blackhole goes", || kernel::no_route(fabric, "n1", block));
    }
}

#[test]
fn a_sticky_address_follows_its_pod_to_another_node() {
    let cluster = Cluster::up(
        "etcd-sticky",
        2,
        &["c1", "c2", "c3"],
        &resources(2, "cidr: 10.244.0.0/16, blockSize: 26", ""),
        "",
    );
    let fabric = &cluster.fabric;
    let mut sticky = network();
    sticky["sticky"] = Value::from(true);
    first_block(&cluster, "n1");
    let plug = |verb: &str, node: &str, container: &str| {
        call_for(
            fabric,
            node,
            verb,
            [container, "db-0"],
            &netns(fabric, container),
            &sticky,
        )
    };
    let done = plug("ADD", "n1", "c1");
    assert!(done.status.success(), "{done:?}");
    let first = address(&answer(&done));
    assert!(plug("DEL", "n1", "c1").status.success());
    eventually("the datastore remembers it", || {
        let text = cluster.etcdctl("get --print-value-only --prefix /roadbed/v1/ownership/sticky/")?;
        check(text.contains(&first), || text.clone())
    });
    // Another pod does not get it meanwhile.
    let done = eventually("the pod's address comes with it", || {
        let done = plug("ADD", "n2", "c2");
        check(done.status.success(), || format!("{done:?}")).map(|()| done)
    });
    assert_eq!(address(&answer(&done)), first);
    let other = address(&add(fabric, "n1", "c3"));
    assert_ne!(other, first);
    // It is announced by itself, and the node whose block it is in takes that route.
    eventually("the host route on the node of the block", || {
        kernel::route(fabric, "n1", &first)
    });
    eventually("its way back", || {
        let done = fabric
            .exec("c3", &["ping", "-c", "1", "-W", "1", &first])
            .map_err(|e| e.to_string())?;
        check(done.status.success(), || format!("{done:?}"))
    });
}

#[test]
fn the_blocks_of_a_node_that_is_deleted_are_collected_and_only_then() {
    let cluster = Cluster::up(
        "etcd-gc",
        2,
        &[],
        &resources(2, "cidr: 10.244.0.0/16, blockSize: 26", "deadNodeGrace: 30s"),
        "",
    );
    let fabric = &cluster.fabric;
    let lost = first_block(&cluster, "n2");
    let record = format!(
        "get --print-value-only /roadbed/v1/ownership/blocks/{}",
        lost.replace('/', "-")
    );
    // A node that is away keeps its blocks.
    fabric.kill_agent("n2").expect("the agent is killed");
    let owner = |text: &str| text.contains("\"node\":\"n2\"");
    assert!(owner(&cluster.etcdctl(&record).expect("etcd answers")));
    let done = cluster.roadbed("n1", &["delete", "node", "n2"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    crate::support::within(std::time::Duration::from_secs(150), "its block is free", || {
        let text = cluster.etcdctl(&record)?;
        check(!owner(&text), || text.clone())
    });
    // A node of the same name that comes back starts anew.
    cluster.apply("n1", node(2).trim_start_matches("---\n"));
    fabric.start_agent("n2").expect("the agent starts again");
    first_block(&cluster, "n2");
}

#[test]
fn a_node_that_is_not_in_the_resources_any_more_withdraws_what_it_lost() {
    let cluster = Cluster::up(
        "etcd-lost",
        2,
        &[],
        &resources(2, "cidr: 10.244.0.0/16, blockSize: 26", ""),
        "",
    );
    let fabric = &cluster.fabric;
    let lost = first_block(&cluster, "n2");
    eventually("the block's blackhole", || kernel::route(fabric, "n2", &lost));
    let done = cluster.roadbed("n1", &["delete", "node", "n2"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    eventually("the node keeps its last good plan", || {
        let status = view::status(fabric, "n2")?;
        let said = status.problems.iter().any(|p| p.message.contains("no Node"));
        check(said, || format!("{:?}", status.problems))
    });
    assert_eq!(blocks(&cluster, "n2"), Ok(vec![lost.clone()]), "it owns it still");
    // As the others do when it was out of their reach for long enough.
    let key = format!("/roadbed/v1/ownership/blocks/{}", lost.replace('/', "-"));
    cluster.etcdctl(&format!("del {key}")).expect("etcd answers");
    eventually("it is not announced", || {
        let left = blocks(&cluster, "n2")?;
        check(left.is_empty(), || format!("{left:?}"))
    });
    eventually("its blackhole goes", || kernel::no_route(fabric, "n2", &lost));
}

#[test]
fn a_pool_does_not_shrink_under_its_blocks_and_bad_resources_change_nothing() {
    let cluster = Cluster::up(
        "etcd-refuse",
        1,
        &[],
        &resources(1, "cidr: 10.244.0.0/16, blockSize: 26", ""),
        "",
    );
    first_block(&cluster, "n1");
    let before = cluster
        .etcdctl("get --prefix /roadbed/v1/resources/")
        .expect("etcd answers");
    let pool = |spec: &str| {
        format!("apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ {spec} }}\n")
    };
    let other = "apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: other }\nspec: { cidr: 10.244.128.0/17 }\n";
    let future = pool("cidr: 10.244.0.0/16").replace("dev/v1", "dev/v9");
    for (text, words) in [
        (pool("cidr: 10.245.0.0/16, blockSize: 26"), "n1"),
        (pool("cidr: 10.244.0.0/16, blockSize: 28"), "n1"),
        (pool("cidr: 10.244.0.0/16, blockSize: 12"), "blockSize"),
        (other.to_owned(), "overlaps"),
        (future, "roadbed.dev/v9"),
        (
            format!(
                "{}---\n{}",
                pool("cidr: 10.244.0.0/16"),
                pool("cidr: 10.244.0.0/16")
            ),
            "pods",
        ),
    ] {
        let file = cluster.fabric.file("bad.yaml", &text);
        let done = cluster.roadbed("n1", &["apply", &file]);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(words), "{text}\n{said}");
    }
    assert_eq!(
        cluster
            .etcdctl("get --prefix /roadbed/v1/resources/")
            .expect("etcd answers"),
        before
    );
    let plan = cluster.fabric.file(
        "plan.yaml",
        &pool("cidr: 10.244.0.0/16, blockSize: 26, vxlanMode: Always"),
    );
    let planned = cluster.fabric.roadbed_json("n1", &["plan", &plan]).expect("plan");
    assert!(planned["devices"].to_string().contains("rb-vxlan"), "{planned}");
    assert!(
        kernel::links(&cluster.fabric, "n1")
            .iter()
            .all(|l| l != "rb-vxlan"),
        "a plan changes nothing"
    );
}
