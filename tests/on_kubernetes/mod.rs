//! The agent beside Kubernetes: Services, what pods ask for by annotations, and what the node says of itself. The API server is
//! the stand-in of `tests/kube`, which keeps to the wire protocol: this shows our side of it, and is not a test of Kubernetes.

mod duties;
mod pods;
mod services;

use crate::support::standin::KubeNode;
use crate::support::{Builder, eventually, require, view};

const RESOURCES: &str = "\
apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16, blockSize: 26 }\n---\n\
apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: { name: tor }\nspec: { peerIP: 192.0.2.1, asNumber: 65001 }\n---\n\
apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\nspec:\n  asNumber: 64512\n\
\x20 serviceClusterIPs: [{ cidr: 10.96.0.0/12 }]\n  serviceExternalIPs: [{ cidr: 203.0.113.0/25 }]\n\
\x20 serviceLoadBalancerIPs: [{ cidr: 203.0.113.128/25 }]\n";

/// BIRD as the top-of-rack switch.
const TOR: &str = "\
router id 192.0.2.1;\nprotocol device { }\nprotocol bgp node {\n  local 192.0.2.1 as 65001;\n  neighbor 192.0.2.11 as 64512;\n\
\x20 hold time 9;\n  keepalive time 3;\n  connect delay time 1;\n  error wait time 1, 5;\n\
\x20 ipv4 { import all; export none; };\n}\n";
const BIRD: &str = "bird -f -c /etc/r1.conf -s /run/bird.ctl -P /run/bird.pid";

/// A node with these resources, and its session with the switch `r1` up.
fn node(scenario: &str) -> KubeNode {
    require("bird", "bird2");
    let with = |fabric: Builder| fabric.program("r1", TOR, BIRD, &["ip addr add 192.0.2.1/24 dev eth1"]);
    let node = KubeNode::up(scenario, &[], "r1", with);
    node.apply(RESOURCES);
    eventually("the session with the switch", || {
        view::converged(&node.fabric, "n1", 1)
    });
    node
}

/// The prefixes that the switch has learned.
fn learned(node: &KubeNode) -> Result<Vec<String>, String> {
    let text = node
        .fabric
        .exec_ok("r1", &["birdc", "-s", "/run/bird.ctl", "show", "route"])
        .map_err(|e| e.to_string())?;
    let prefixes = text.lines().filter_map(|line| line.split_whitespace().next());
    Ok(prefixes.filter(|p| p.contains('/')).map(str::to_owned).collect())
}
