//! Nodes on one wire whose resources and blocks are in etcd, which runs on a host of its own beside them.

use std::process::Output;

use lab::kernel::process::ProcessId;

use crate::support::{Builder, Fabric, eventually, roadbed};

/// Where etcd listens.
const ENDPOINT: &str = "http://192.0.2.100:2379";

/// Command line of etcd; its data is in the memory of its host and outlives the process.
const ETCD: &str = "etcd --name e --data-dir /var/lib/etcd-test --logger zap --log-level error \
    --listen-client-urls http://192.0.2.100:2379 --advertise-client-urls http://192.0.2.100:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster e=http://127.0.0.1:2380 --unsafe-no-fsync";

/// The cluster, with etcd in a process that scenarios end and start again.
pub struct Cluster {
    /// The fabric: `switch`, `etcd`, `n1`, `n2`, ... and what the scenario added.
    pub fabric: Fabric,
    etcd: Option<ProcessId>,
    extra: String,
}

/// The resources: one pool, and nodes without pod subnets of their own.
pub fn resources(nodes: u8, pool: &str, ipam: &str) -> String {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: 64512 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPAMConfiguration\nmetadata: {{ name: default }}\nspec: {{ {ipam} }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ {pool} }}\n"
    );
    for i in 1..=nodes {
        text += &node(i);
    }
    text
}

/// One Node.
pub fn node(i: u8) -> String {
    format!(
        "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i}, labels: {{ rack: r{i} }} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.1{i}/24 }} }}\n"
    )
}

impl Cluster {
    /// Nodes, pods without a plug, and etcd with these resources; the agents run and are ready.
    pub fn up(scenario: &str, nodes: u8, pods: &[&str], resources: &str, etcd_flags: &str) -> Cluster {
        let mut switch = vec![
            "ip link add lan type bridge".to_owned(),
            "ip link set lan up".to_owned(),
        ];
        let mut builder = Builder::new(scenario)
            .datastore(&format!("{{ kind: etcd, endpoints: [\"{ENDPOINT}\"] }}"))
            .host("etcd", &["ip addr add 192.0.2.100/24 dev eth1"])
            .link("etcd:eth1", "switch:eth99");
        switch.push("ip link set eth99 master lan".into());
        for i in 1..=nodes {
            switch.push(format!("ip link set eth{i} master lan"));
            builder = builder
                .agent(
                    &format!("n{i}"),
                    &[&format!("ip addr add 192.0.2.1{i}/24 dev eth1")],
                )
                .link(&format!("n{i}:eth1"), &format!("switch:eth{i}"));
        }
        for pod in pods {
            builder = builder.host(pod, &[]);
        }
        let switch: Vec<&str> = switch.iter().map(String::as_str).collect();
        let fabric = builder.host("switch", &switch).up_without_agents();
        let mut cluster = Cluster {
            fabric,
            etcd: None,
            extra: etcd_flags.to_owned(),
        };
        cluster.start_etcd();
        for i in 1..=nodes {
            cluster
                .fabric
                .start_agent(&format!("n{i}"))
                .expect("the agent starts");
        }
        cluster.apply("n1", resources);
        for i in 1..=nodes {
            let node = format!("n{i}");
            eventually("the node is ready", || {
                crate::support::view::converged(&cluster.fabric, &node, usize::from(nodes) - 1)
            });
        }
        cluster
    }

    /// Starts etcd, with the data that it had.
    pub fn start_etcd(&mut self) {
        let line = format!("{ETCD} {}", self.extra);
        self.etcd = Some(self.fabric.start("etcd", &line));
        eventually("etcd answers", || self.etcdctl("endpoint health"));
    }

    /// Ends etcd as a power cut does.
    pub fn kill_etcd(&mut self) {
        let etcd = self.etcd.take().expect("etcd runs");
        self.fabric.kill(etcd);
    }

    /// Runs etcdctl on etcd's host.
    pub fn etcdctl(&self, arguments: &str) -> Result<String, String> {
        let mut words = vec!["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", ENDPOINT];
        words.extend(arguments.split_whitespace());
        self.fabric.exec_ok("etcd", &words).map_err(|e| e.to_string())
    }

    /// `roadbed apply` of a text, which has to succeed; the connection may need a moment.
    #[track_caller]
    pub fn apply(&self, node: &str, text: &str) {
        let done = self.roadbed(node, &["apply", &self.fabric.file("apply.yaml", text)]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// `roadbed` with these arguments on a node.
    pub fn roadbed(&self, node: &str, arguments: &[&str]) -> Output {
        let program = roadbed().display().to_string();
        let words: Vec<&str> = [program.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.fabric.exec(node, &words).unwrap_or_else(|e| panic!("{e}"))
    }
}
