//! The agent and the command line on the wire protocol of Kubernetes, spoken by the stand-in of `tests/kube`. This shows
//! that our side keeps to the protocol; it is not a test of Kubernetes.

use kube_standin::{Resource, Standin};
use serde_json::json;

use crate::support::plugin::{self, add, address};
use crate::support::{Builder, Fabric, SOON, check, eventually, kernel, roadbed, view};

const RESOURCES: &str = "\
apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\nspec: { asNumber: 64512 }\n---\n\
apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16, blockSize: 26 }\n";

/// One node whose API server listens on its loopback.
struct Node {
    fabric: Fabric,
    api: Standin,
}

impl Node {
    /// The node's object carries these subnets, as the controller manager of Kubernetes gives them.
    fn up(scenario: &str, pod_cidrs: &[&str]) -> Node {
        let fabric = Builder::new(scenario)
            .datastore("{ kind: kubernetes }")
            .agent("n1", &["ip addr add 192.0.2.11/24 dev eth1"])
            .host("peer", &["ip addr add 192.0.2.12/24 dev eth1"])
            .host("c1", &[])
            .host("c2", &[])
            .link("n1:eth1", "peer:eth1")
            .up_without_agents();
        // Its threads stay in the namespace in which it is started.
        let api = fabric
            .in_namespace("n1", Standin::start)
            .expect("the stand-in starts");
        for definition in store::kubernetes::crds::all() {
            let definition = serde_json::to_value(definition).expect("JSON");
            api.install(Resource::of_definition(&definition).expect("a definition"));
        }
        api.put(
            "/api/v1/nodes/n1",
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}},
                "spec": {"podCIDRs": pod_cidrs},
                "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]},
            }),
        );
        let kubeconfig = fabric.file("kubeconfig", &api.kubeconfig("s3cr3t-t0ken"));
        fabric
            .set_env("n1", "ROADBED_DATASTORE_KUBECONFIG", &kubeconfig)
            .expect("the node is there");
        fabric.start_agent("n1").expect("the agent starts");
        let node = Node { fabric, api };
        node.roadbed(&["apply", &node.fabric.file("resources.yaml", RESOURCES)]);
        eventually("the node is ready", || view::converged(&node.fabric, "n1", 0));
        node
    }

    /// A command that has to succeed; its output.
    #[track_caller]
    fn roadbed(&self, arguments: &[&str]) -> String {
        let program = roadbed().display().to_string();
        let words: Vec<&str> = [program.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.fabric
            .exec_ok("n1", &words)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    fn block(&self) -> String {
        eventually("the node has a block", || {
            let status = view::status(&self.fabric, "n1")?;
            status
                .blocks
                .first()
                .map(|b| b.cidr.to_string())
                .ok_or_else(|| format!("{:?}", status.problems))
        })
    }
}

#[test]
fn a_nodes_pod_subnets_are_taken_as_kubernetes_gives_them() {
    let node = Node::up("kube-given", &["10.244.7.0/24"]);
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
    let mut node = Node::up("kube-claim", &[]);
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
