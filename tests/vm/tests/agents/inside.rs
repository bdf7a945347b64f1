//! What runs on a kernel with IPIP.
//!
//! ```text
//!            r  (knows no pods)
//!       ┌────┴───┐
//!     rack 1   rack 2
//!     a1  a2     b1
//! ```

use std::time::Duration;

use lab::{Lab, Options};
use serde_json::Value;
use vm::Need;

/// Three agents on an emulated processor, on a busy machine; nothing waits that long when all is well.
const SOON: Duration = Duration::from_secs(180);

const TOPOLOGY: &str = "
name: ipip
topology:
  nodes:
    r:
      kind: linux
      exec:
        - sysctl -qw net.ipv4.ip_forward=1
        - ip link add rack type bridge
        - ip link set eth1 master rack
        - ip link set eth2 master rack
        - ip link set rack up
        - ip addr add 192.0.2.1/24 dev rack
        - ip addr add 198.51.100.1/24 dev eth3
    a1: { kind: roadbed, startup-config: agent.yaml, binds: ['resources.yaml:/etc/roadbed/resources.yaml'],
          exec: [ip addr add 192.0.2.11/24 dev eth1, ip route add default via 192.0.2.1] }
    a2: { kind: roadbed, startup-config: agent.yaml, binds: ['resources.yaml:/etc/roadbed/resources.yaml'],
          exec: [ip addr add 192.0.2.12/24 dev eth1, ip route add default via 192.0.2.1] }
    b1: { kind: roadbed, startup-config: agent.yaml, binds: ['resources.yaml:/etc/roadbed/resources.yaml'],
          exec: [ip addr add 198.51.100.11/24 dev eth1, ip route add default via 198.51.100.1] }
    pod-a1: { kind: linux, labels: { roadbed.dev/pod-on: a1 } }
    pod-a2: { kind: linux, labels: { roadbed.dev/pod-on: a2 } }
    pod-b1: { kind: linux, labels: { roadbed.dev/pod-on: b1 } }
  links:
    - endpoints: ['r:eth1', 'a1:eth1']
    - endpoints: ['r:eth2', 'a2:eth1']
    - endpoints: ['r:eth3', 'b1:eth1']
";

const RESOURCES: &str = "
apiVersion: roadbed.dev/v1
kind: BGPConfiguration
metadata: { name: default }
# The clock of this machine is no clock for BFD.
spec: { asNumber: 64512, nodeToNodeMeshEnabled: true, bfd: { mode: Off } }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, ipipMode: CrossSubnet, vxlanMode: Never }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: a1 }
spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/24] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: a2 }
spec: { bgp: { ipv4Address: 192.0.2.12/24 }, podCIDRs: [10.244.2.0/24] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: b1 }
spec: { bgp: { ipv4Address: 198.51.100.11/24 }, podCIDRs: [10.244.3.0/24] }
";

const AGENT: &str = "datastore: { kind: file, path: /etc/roadbed/resources.yaml }\n";

/// The lab, with the ends of the agents' logs where a test fails.
struct Fabric(Lab);

impl Drop for Fabric {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in ["a1", "b1"] {
                let log = self.0.log(node, "agent");
                let lines: Vec<&str> = log.lines().collect();
                println!(
                    "--- the log of agent {node}:\n{}",
                    lines[lines.len().saturating_sub(25)..].join("\n")
                );
            }
        }
    }
}

impl Fabric {
    fn up() -> Fabric {
        let dir = tempfile::tempdir().expect("a folder");
        let files = [
            ("t.clab.yml", TOPOLOGY),
            ("resources.yaml", RESOURCES),
            ("agent.yaml", AGENT),
        ];
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        // The lab's own patience is for a processor of this machine.
        let options = Options {
            without_agents: true,
            ..Options::named(format!("ipip-{}", std::process::id()))
        };
        let lab = Lab::up(dir.path().join("t.clab.yml"), &options).unwrap_or_else(|e| panic!("{e}"));
        let agents = lab.nodes("roadbed");
        for node in &agents {
            lab.start_agent(node).unwrap_or_else(|e| panic!("{e}"));
        }
        for node in &agents {
            lab.wait_agent(node, SOON).unwrap_or_else(|e| panic!("{e}"));
        }
        for pod in ["pod-a1", "pod-a2", "pod-b1"] {
            lab.add_pod(pod, SOON).unwrap_or_else(|e| panic!("{e}"));
        }
        Fabric(lab)
    }

    #[track_caller]
    fn run(&self, node: &str, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.0.exec_ok(node, &words).unwrap_or_else(|e| panic!("{e}"))
    }

    fn json(&self, node: &str, line: &str) -> Value {
        serde_json::from_str(&self.run(node, line)).unwrap_or(Value::Null)
    }

    /// The kernel's route to a destination: its device and gateway.
    fn route(&self, node: &str, destination: &str) -> (String, String) {
        let routes = self.json(node, &format!("ip -j route show exact {destination}"));
        let text = |key: &str| routes[0][key].as_str().unwrap_or_default().to_owned();
        (text("dev"), text("gateway"))
    }

    fn eventually(&self, what: &str, mut probe: impl FnMut() -> Result<(), String>) {
        if let Err(error) = lab::wait::until(SOON, what, &mut probe) {
            panic!("{error}");
        }
    }

    fn routed(&self, node: &str, destination: &str, device: &str, gateway: &str) {
        self.eventually(&format!("{node} to {destination} by {device}"), || {
            let seen = self.route(node, destination);
            if seen == (device.to_owned(), gateway.to_owned()) {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            }
        });
    }

    /// Packets that the tunnel device of a node has sent.
    fn tunnelled(&self, node: &str) -> u64 {
        let links = self.json(node, "ip -j -s link show dev rb-ipip");
        links[0]["stats64"]["tx"]["packets"].as_u64().unwrap_or_default()
    }

    fn ping(&self, from: &str, to: &str, options: &[&str]) -> Result<String, String> {
        let words = ["ping", "-c", "2", "-i", "0.2", "-W", "5"];
        let words: Vec<&str> = words.iter().chain(options).copied().chain([to]).collect();
        self.0.exec_ok(from, &words).map_err(|e| e.to_string())
    }
}

/// With nftables the guard of pod interfaces is there and nothing is wrong. Without (user-mode Linux), exactly that is said.
fn guarded_or_said(fabric: &Fabric, node: &str) {
    let nftables = Need::Nftables.here();
    fabric.eventually("what is wrong with the node, and nothing else", || {
        let status = fabric
            .0
            .roadbed_json(node, &["status"])
            .map_err(|e| e.to_string())?;
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        let of_tables = |p: &Value| p["message"].as_str().is_some_and(|m| m.contains("nf_tables"));
        let expected = if nftables {
            problems.is_empty()
        } else {
            problems.len() == 1 && of_tables(&problems[0])
        };
        if expected {
            Ok(())
        } else {
            Err(format!("{problems:?}"))
        }
    });
    if nftables {
        let table = fabric.run(node, "nft list table inet roadbed");
        assert!(table.contains("chain"), "{table}");
    }
}

#[test]
#[ignore = "runs inside"]
fn ipip_carries_pods_across_racks_and_nothing_inside_a_rack() {
    let fabric = Fabric::up();
    fabric.routed("a1", "10.244.3.0/24", "rb-ipip", "198.51.100.11");
    fabric.routed("b1", "10.244.1.0/24", "rb-ipip", "192.0.2.11");
    fabric.routed("a1", "10.244.2.0/24", "eth1", "192.0.2.12");

    let address = |pod: &str| fabric.0.pod_address(pod).expect("it is plugged in").to_string();
    let (near, far) = (address("pod-a2"), address("pod-b1"));
    fabric.eventually("a pod reaches the pod beside", || {
        fabric.ping("pod-a1", &near, &[]).map(drop)
    });
    assert_eq!(fabric.tunnelled("a1"), 0, "traffic inside the rack is tunnelled");
    fabric.eventually("a pod reaches the pod of the other rack", || {
        fabric.ping("pod-a1", &far, &[]).map(drop)
    });
    assert!(fabric.tunnelled("a1") >= 2 && fabric.tunnelled("b1") >= 2);

    // The pod's MTU leaves room for the outer header: 1500 - 20, of which 28 are headers of the ping.
    fabric
        .ping("pod-a1", &far, &["-M", "do", "-s", "1452"])
        .unwrap_or_else(|e| panic!("{e}"));
    let larger = fabric.ping("pod-a1", &far, &["-M", "do", "-s", "1453"]);
    assert!(larger.is_err(), "{larger:?}");

    let explained = fabric
        .0
        .roadbed_json("a1", &["explain", &far])
        .unwrap_or_else(|e| panic!("{e}"));
    let text = explained.to_string();
    assert!(text.contains("IPIP to node b1"), "{text}");

    guarded_or_said(&fabric, "a1");

    // The data plane outlives the agents, and the next ones adopt it.
    let index = |node: &str| fabric.json(node, "ip -j link show dev rb-ipip")[0]["ifindex"].clone();
    let before = index("a1");
    fabric.0.stop_agent("a1").unwrap_or_else(|e| panic!("{e}"));
    fabric.ping("pod-a1", &far, &[]).unwrap_or_else(|e| panic!("{e}"));
    fabric.0.start_agent("a1").unwrap_or_else(|e| panic!("{e}"));
    fabric.0.wait_agent("a1", SOON).unwrap_or_else(|e| panic!("{e}"));
    fabric.routed("a1", "10.244.3.0/24", "rb-ipip", "198.51.100.11");
    fabric.ping("pod-a1", &far, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(index("a1"), before, "the device was made again");
}
