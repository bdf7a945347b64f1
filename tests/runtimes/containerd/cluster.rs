//! Two nodes n1 and n2 of one cluster on one wire, both families, with an agent and a containerd each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cri_testbed::{Client, Containerd, Options, Place, Plugin, Pod};
use serde_json::Value;

use crate::support::{Builder, Fabric, check, cni, eventually, kernel, require, view};

/// The nodes.
pub const NODES: [&str; 2] = ["n1", "n2"];

/// The cluster with its runtimes.
pub struct Cluster {
    // Runtimes go before the nodes that they run on.
    runtimes: Vec<Containerd>,
    pub fabric: Fabric,
}

/// A sandbox that is up, with one container in it.
pub struct Running {
    pub sandbox: String,
    pub container: String,
    /// Path of its network namespace, as the node sees it.
    pub netns: String,
    pub ipv4: String,
    pub ipv6: String,
}

/// The address of a node in one family.
pub fn node_address(number: usize, ipv4: bool) -> String {
    match ipv4 {
        true => format!("192.0.2.1{number}"),
        false => format!("2001:db8:1::1{number}"),
    }
}

/// A network list with ours first and these plugins behind it.
pub fn conflist(ours: &Value, behind: &[Value]) -> String {
    let plugins = [std::slice::from_ref(ours), behind].concat();
    serde_json::json!({ "cniVersion": "1.0.0", "name": "pods", "plugins": plugins }).to_string()
}

/// Our entry of a list as it is shipped.
pub fn plain() -> Value {
    serde_json::json!({ "type": "roadbed", "capabilities": { "ips": true, "mac": true } })
}

fn resources() -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                    spec: { asNumber: 64512 }\n"
        .to_owned();
    for (name, cidr) in [("pods", "10.244.0.0/16"), ("pods6", "2001:db8:244::/48")] {
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\n\
             spec: {{ cidr: \"{cidr}\", vxlanMode: CrossSubnet }}\n"
        );
    }
    for i in 1..=2 {
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i} }}\n\
             spec: {{ bgp: {{ ipv4Address: {}/24, ipv6Address: \"{}/64\" }}, \
             podCIDRs: [10.244.{i}.0/24, \"2001:db8:244:{i}::/64\"] }}\n",
            node_address(i, true),
            node_address(i, false),
        );
    }
    text
}

/// Brings it up with one network list on both nodes, and waits until routes and networks are ready.
pub fn up(scenario: &str, conflist: &str) -> Cluster {
    let cluster = up_with(scenario, Some(conflist));
    for node in NODES {
        cluster.network_is_ready(node);
    }
    cluster
}

/// Brings it up without a network: neither plugin nor network list are on the nodes.
pub fn up_without_network(scenario: &str) -> Cluster {
    up_with(scenario, None)
}

fn up_with(scenario: &str, conflist: Option<&str>) -> Cluster {
    for (program, package) in [
        ("containerd", "containerd"),
        ("runc", "runc"),
        ("busybox", "busybox-static"),
    ] {
        require(program, package);
    }
    let mut builder = Builder::new(scenario).resources(&resources()).host(
        "switch",
        &[
            "ip link add lan type bridge",
            "ip link set lan up",
            "ip link set eth1 master lan",
            "ip link set eth2 master lan",
        ],
    );
    for i in 1..=2 {
        let v4 = format!("ip addr add {}/24 dev eth1", node_address(i, true));
        let v6 = format!("ip addr add {}/64 dev eth1 nodad", node_address(i, false));
        builder = builder
            .agent(&format!("n{i}"), &[&v4, &v6])
            .link(&format!("n{i}:eth1"), &format!("switch:eth{i}"));
    }
    let fabric = builder.up();
    let runtimes = NODES.map(|node| runtime(&fabric, node, conflist)).into();
    let cluster = Cluster { runtimes, fabric };
    for (number, node) in NODES.iter().enumerate() {
        let other = 2 - number;
        for block in [
            format!("10.244.{other}.0/24"),
            format!("2001:db8:244:{other}::/64"),
        ] {
            eventually("the route to the other node's pods", || {
                kernel::route(&cluster.fabric, node, &block)
            });
        }
    }
    cluster
}

/// The containerd of a node, with our plugins (recorded) where there is a network list.
pub fn runtime(fabric: &Fabric, node: &str, conflist: Option<&str>) -> Containerd {
    let plugin = |name: &str| Plugin {
        name: name.to_owned(),
        program: cni(),
        recorded: name == "roadbed",
    };
    let options = Options {
        plugins: (conflist.iter())
            .flat_map(|_| ["roadbed", "roadbed-ipam"].map(plugin))
            .collect(),
        conflist: conflist.map(str::to_owned),
    };
    Containerd::start(place(fabric, node), &options).unwrap_or_else(|e| panic!("{e}"))
}

/// The namespaces of a node of a lab.
fn place(fabric: &Fabric, node: &str) -> Place {
    let lab = fabric.name();
    Place {
        net: Path::new("/run/netns").join(format!("{lab}-{node}")),
        mnt: PathBuf::from(format!("/run/roadbed-lab/{lab}/ns/{node}.mnt")),
    }
}

impl Cluster {
    /// The containerd of a node.
    pub fn runtime(&self, node: &str) -> &Containerd {
        let index = NODES.iter().position(|n| *n == node).expect("n1 or n2");
        &self.runtimes[index]
    }

    /// The CRI of a node.
    pub fn client(&self, node: &str) -> &Client {
        self.runtime(node).client()
    }

    /// Kills the containerd of a node and starts it again.
    #[track_caller]
    pub fn restart_runtime(&mut self, node: &str) {
        let index = NODES.iter().position(|n| *n == node).expect("n1 or n2");
        self.runtimes[index].restart().unwrap_or_else(|e| panic!("{e}"));
    }

    /// Waits until the runtime tells the kubelet that the node's network is ready.
    #[track_caller]
    pub fn network_is_ready(&self, node: &str) {
        eventually("the network of the runtime", || {
            self.client(node).network_ready().map_err(|e| e.to_string())?
        });
    }

    /// Brings a pod up as the kubelet does: the sandbox, its status, a container.
    #[track_caller]
    pub fn run(&self, node: &str, pod: &Pod, command: &[&str]) -> Running {
        let client = self.client(node);
        let start = std::time::Instant::now();
        let sandbox = client.run_pod(pod).unwrap_or_else(|e| panic!("{e}"));
        println!("RunPodSandbox {}: {} ms", pod.name, start.elapsed().as_millis());
        let addresses = client.addresses(&sandbox).unwrap_or_else(|e| panic!("{e}"));
        let (netns, _) = client.network(&sandbox).unwrap_or_else(|e| panic!("{e}"));
        let container = client.start_container(&sandbox, pod, command);
        Running {
            container: container.unwrap_or_else(|e| panic!("{e}")),
            sandbox,
            netns,
            ipv4: addresses.first.to_string(),
            ipv6: addresses
                .further
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    }

    /// Takes it away as the kubelet does.
    #[track_caller]
    pub fn remove(&self, node: &str, pod: &Running) {
        let client = self.client(node);
        client.stop_pod(&pod.sandbox).unwrap_or_else(|e| panic!("{e}"));
        client.remove_pod(&pod.sandbox).unwrap_or_else(|e| panic!("{e}"));
    }

    /// A ping from inside a container, until it is answered.
    #[track_caller]
    pub fn pings(&self, node: &str, pod: &Running, to: &str) {
        let command = ["/bin/ping", "-c", "1", "-W", "1", to];
        eventually(
            &format!("an answer to a ping from a pod of {node} to {to}"),
            || {
                let done = self.client(node).exec(&pod.container, &command);
                let done = done.map_err(|e| e.to_string())?;
                check(done.code == 0, || format!("{done:?}"))
            },
        );
    }

    /// A command's JSON list from inside a pod's network namespace.
    pub fn inside(&self, node: &str, pod: &Running, words: &[&str]) -> Vec<Value> {
        let enter = format!("--net={}", pod.netns);
        kernel::json(&self.fabric, node, &[&["nsenter", &enter], words].concat())
    }

    /// What a pod may leave on a node: links, routes of ours, addresses in use.
    pub fn traces(&self, node: &str) -> Traces {
        let show = self.fabric.roadbed_json(node, &["ipam", "show"]);
        let show = show.unwrap_or_else(|e| panic!("{e}"));
        Traces {
            links: kernel::links(&self.fabric, node),
            routes: kernel::ours(&self.fabric, node).into_keys().collect(),
            leases: show["local"]["leases"].clone(),
            used: view::status(&self.fabric, node)
                .expect("the agent answers")
                .blocks
                .iter()
                .map(|block| block.used)
                .sum(),
        }
    }

    /// Waits until a node has exactly what it had.
    #[track_caller]
    pub fn leaves(&self, node: &str, before: &Traces) {
        eventually("nothing of the pod stays", || {
            let now = self.traces(node);
            check(now == *before, || format!("{now:?} instead of {before:?}"))
        });
    }
}

/// What a pod may leave on a node.
#[derive(Debug, PartialEq)]
pub struct Traces {
    pub links: Vec<String>,
    pub routes: Vec<String>,
    pub leases: Value,
    pub used: u64,
}
