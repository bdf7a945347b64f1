//! The agent and the command line on the wire protocol of Kubernetes, spoken by the stand-in of `tests/kube`. This shows
//! that our side keeps to the protocol; it is not a test of Kubernetes.

use crate::support::plugin::{self, add, address};
use crate::support::standin::KubeNode;
use crate::support::{SOON, check, eventually, kernel, view};

const RESOURCES: &str = "\
apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\nspec: { asNumber: 64512 }\n---\n\
apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16, blockSize: 26 }\n";

/// One node with a neighbour that does not speak BGP, and two pods.
fn up(scenario: &str, pod_cidrs: &[&str]) -> KubeNode {
    let with = |fabric: crate::support::Builder| fabric.host("peer", &["ip addr add 192.0.2.12/24 dev eth1"]);
    let node = KubeNode::up(scenario, pod_cidrs, "peer", with);
    node.apply(RESOURCES);
    eventually("the node is ready", || view::converged(&node.fabric, "n1", 0));
    node
}

#[test]
fn a_nodes_pod_subnets_are_taken_as_kubernetes_gives_them() {
    let node = up("kube-given", &["10.244.7.0/24"]);
    assert_eq!(node.block(), "10.244.7.0/24");
    let route = eventually("the blackhole", || {
        kernel::route(&node.fabric, "n1", "10.244.7.0/24")
    });
    assert_eq!(route["type"], "blackhole");
    let first = address(&add(&node.fabric, "n1", "c1"));
    assert!(first.starts_with("10.244.7."), "{first}");
    // The command line works on the API server too.
    let listed = node.roadbed(&["get", "ippools", "-o", "yaml"]);
    assert!(listed.contains("10.244.0.0/16"), "{listed}");
    let more = node
        .fabric
        .file("more.yaml", &RESOURCES.replace("64512", "64600"));
    let tunnelled = node.fabric.file(
        "plan.yaml",
        &RESOURCES.replace("blockSize: 26", "vxlanMode: Always"),
    );
    let planned = node.roadbed(&["plan", &tunnelled]);
    assert!(planned.contains("+ rb-vxlan"), "{planned}");
    node.roadbed(&["apply", &more]);
    eventually("the new AS number", || {
        let status = view::status(&node.fabric, "n1")?;
        check(status.asn == 64600, || format!("{}", status.asn))
    });
    node.roadbed(&["delete", "bgpconfiguration", "default"]);
    eventually("the default AS number", || {
        let status = view::status(&node.fabric, "n1")?;
        check(status.asn == 64512, || format!("{}", status.asn))
    });
}

#[test]
fn without_given_subnets_blocks_are_claimed_and_the_api_server_may_go_away() {
    let mut node = up("kube-claim", &[]);
    let block = node.block();
    let object = format!("/apis/roadbed.dev/v1/ipamblocks/{}", block.replace('/', "-"));
    let record = node.api.object(&object).unwrap_or_else(|| panic!("no {object}"));
    assert_eq!(record["spec"]["node"], "n1", "{record}");
    let first = address(&add(&node.fabric, "n1", "c1"));
    node.api.stop();
    let fabric = &node.fabric;
    eventually("the node says that its datastore is away", || {
        let status = view::status(fabric, "n1")?;
        let text = format!("{status:?}");
        check(
            status.datastore.away_seconds.is_some() && !text.contains("s3cr3t"),
            || text,
        )
    });
    let second = address(&add(fabric, "n1", "c2"));
    fabric.run("c1", &format!("ping -c 2 -i 0.2 -W 2 {second}"));
    fabric.kill_agent("n1").expect("the agent is killed");
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually("it works from the last good intent", || {
        let status = view::status(fabric, "n1")?;
        check(status.datastore.origin == "last-good", || {
            format!("{:?}", status.datastore)
        })
    });
    assert!(kernel::route(fabric, "n1", &first).is_ok());
    plugin::del(fabric, "n1", "c2");
    let api = &mut node.api;
    node.fabric
        .in_namespace("n1", || api.restart())
        .expect("the node is there");
    eventually("the node is well again", || {
        let status = view::status(&node.fabric, "n1")?;
        let well = status.datastore.origin == "live" && status.datastore.away_seconds.is_none();
        check(well, || format!("{:?}", status.datastore))
    });
    assert_eq!(node.block(), block);
}
