//! What pools and settings can ask for beyond the plain sharing out: blocks by rack, and borrowing.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::cluster::{Cluster, resources};
use crate::support::plugin::{add, address};
use crate::support::{check, eventually, kernel, view};

#[test]
fn the_blocks_of_a_rack_come_from_one_aggregate() {
    let spec = "cidr: 10.244.0.0/16, blockSize: 26, aggregate: { nodeLabel: rack, prefixLength: 22 }";
    let cluster = Cluster::up("etcd-racks", 3, &[], &resources(3, spec, ""), "");
    // Each of the nodes has a rack of its own; the third one moves in with the first and asks for a block there.
    let racks: BTreeMap<String, IpNet> = (1..=3)
        .map(|i| {
            let node = format!("n{i}");
            let block = eventually("the node has a block", || {
                let status = view::status(&cluster.fabric, &node)?;
                status
                    .blocks
                    .first()
                    .map(|b| b.cidr)
                    .ok_or_else(|| "none yet".to_owned())
            });
            let aggregate = IpNet::new(block.network(), 22).expect("a length of IPv4").trunc();
            (node, aggregate)
        })
        .collect();
    let ranges: Vec<&IpNet> = racks.values().collect();
    assert!(
        ranges[0] != ranges[1] && ranges[1] != ranges[2] && ranges[0] != ranges[2],
        "{racks:?}"
    );
    let shown = cluster
        .fabric
        .roadbed_json("n1", &["ipam", "show"])
        .expect("ipam show");
    let blocks = shown["blocks"].as_array().expect("blocks");
    for (node, aggregate) in &racks {
        let its = blocks
            .iter()
            .find(|b| b["owner"] == node.as_str())
            .expect("its block is shown");
        assert_eq!(its["aggregate"], aggregate.to_string(), "{its}");
        assert_eq!(its["aggregateOf"], node.replace('n', "r"), "{its}");
    }
}

#[test]
fn with_loose_affinity_a_full_node_borrows_single_addresses() {
    let pods: Vec<String> = (1..=8).map(|i| format!("c{i}")).collect();
    let names: Vec<&str> = pods.iter().map(String::as_str).collect();
    // Two blocks of eight addresses, one for each node: seven pods fit on each.
    let spec = "cidr: 10.244.0.0/28, blockSize: 29";
    let ipam = "strictAffinity: false, maxBlocksPerHost: 1, addressCoolDown: 1s";
    let cluster = Cluster::up("etcd-borrow", 2, &names, &resources(2, spec, ipam), "");
    let fabric = &cluster.fabric;
    let block = |node: &str| {
        eventually("the node has its block", || {
            let status = view::status(fabric, node)?;
            status
                .blocks
                .first()
                .map(|b| b.cidr)
                .ok_or_else(|| "none yet".to_owned())
        })
    };
    let (own, other) = (block("n1"), block("n2"));
    let addresses: Vec<std::net::IpAddr> = (names.iter())
        .map(|pod| address(&add(fabric, "n1", pod)).parse().expect("an address"))
        .collect();
    let (inside, borrowed): (Vec<std::net::IpAddr>, Vec<std::net::IpAddr>) =
        addresses.iter().copied().partition(|a| own.contains(a));
    assert_eq!((inside.len(), borrowed.len()), (7, 1), "{addresses:?} of {own}");
    assert!(other.contains(&borrowed[0]), "{borrowed:?} of {other}");
    // The owner of the block routes it to the borrower, and does not give it to a pod of its own.
    let text = borrowed[0].to_string();
    let route = eventually("the route to the borrowed address", || {
        kernel::route(fabric, "n2", &text)
    });
    assert_eq!(kernel::text(&route, "gateway"), "192.0.2.11", "{route}");
    eventually("the loan is shown", || {
        let shown = fabric
            .roadbed_json("n2", &["ipam", "show"])
            .map_err(|e| e.to_string())?;
        check(shown["local"]["lent"].to_string().contains(&text), || {
            shown["local"].to_string()
        })
    });
}
