//! The fabrics that cases are played on. In all of them `p1` is a pod of node `n1`, and `p2` one of `n2`.

use crate::Args;
use crate::place::{Place, Plan, SOON};

/// The nodes' pod blocks.
pub const BLOCK: [&str; 2] = ["10.244.1.0/24", "10.244.2.0/24"];

/// Where etcd listens.
const ENDPOINT: &str = "http://192.0.2.100:2379";

/// Its data is in the memory of its host and outlives the process.
const ETCD: &str = "etcd --name e --data-dir /var/lib/etcd-bench --logger zap --log-level error \
    --listen-client-urls http://192.0.2.100:2379 --advertise-client-urls http://192.0.2.100:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster e=http://127.0.0.1:2380 --unsafe-no-fsync";

/// The nodes' addresses where they have several uplinks, but for the number.
const LOOPBACK: &str = "192.0.2.1";

/// The resources of a mesh of two nodes on one wire, with this mode of VXLAN.
pub fn mesh(vxlan: &str) -> String {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: 64512, nodeToNodeMeshEnabled: true }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\n\
         spec: {{ cidr: 10.244.0.0/16, vxlanMode: {vxlan} }}\n",
    );
    for i in 1..=2 {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.1{i}/24 }}, podCIDRs: [10.244.{i}.0/24] }}\n"
        );
    }
    text
}

fn wired(args: &Args, more: &[&str]) -> Plan {
    let mut plan = Plan::new(&args.agent);
    let mut switch = vec![
        "ip link add lan type bridge".to_owned(),
        "ip link set lan up".to_owned(),
    ];
    for (i, node) in (1..).zip(["n1", "n2"]) {
        plan = plan
            .agent(node, &[format!("ip addr add 192.0.2.1{i}/24 dev eth1")])
            .link(&format!("{node}:eth1"), &format!("switch:eth{i}"));
        switch.push(format!("ip link set eth{i} master lan"));
    }
    for (i, host) in (3..).zip(more) {
        plan = plan.link(&format!("{host}:eth1"), &format!("switch:eth{i}"));
        switch.push(format!("ip link set eth{i} master lan"));
    }
    plan.host("switch", &switch)
}

/// Two nodes on one switch, in this mode of VXLAN.
pub fn pair(args: &Args, vxlan: &str) -> anyhow::Result<Place> {
    let place = wired(args, &[])
        .resources(&mesh(vxlan))
        .pod("p1", "n1")
        .pod("p2", "n2")
        .up("pair", false)?;
    both_ready(&place, 1)?;
    Ok(place)
}

fn both_ready(place: &Place, sessions: u64) -> anyhow::Result<()> {
    for (node, block) in ["n1", "n2"].into_iter().zip(BLOCK.iter().rev()) {
        place.converged(node, sessions)?;
        place.route(node, block, &[])?;
    }
    Ok(())
}

/// Two nodes on one switch with their resources in etcd.
pub fn stored(args: &Args) -> anyhow::Result<Place> {
    let mut place = wired(args, &["etcd"])
        .datastore(&format!("{{ kind: etcd, endpoints: [\"{ENDPOINT}\"] }}"))
        .host("etcd", &["ip addr add 192.0.2.100/24 dev eth1".to_owned()])
        .pod("p1", "n1")
        .pod("p2", "n2")
        .up("stored", true)?;
    start_etcd(&mut place)?;
    for node in ["n1", "n2"] {
        place.start_agent(node)?;
        place.wait_agent(node, SOON)?;
    }
    let file = place.file("apply.yaml", &mesh("CrossSubnet"))?;
    let line = format!("{} apply {}", place.roadbed()?, file.display());
    crate::place::wait("the resources are applied", || {
        place.run("n1", &line).map_err(|e| e.to_string())
    })?;
    both_ready(&place, 1)?;
    for pod in ["p1", "p2"] {
        place.add_pod(pod, SOON)?;
    }
    Ok(place)
}

/// Starts etcd, and waits until it answers.
pub fn start_etcd(place: &mut Place) -> anyhow::Result<lab::kernel::process::ProcessId> {
    let process = place.start("etcd", ETCD)?;
    let line = format!("env ETCDCTL_API=3 etcdctl --endpoints {ENDPOINT} endpoint health");
    crate::place::wait("etcd answers", || {
        place.run("etcd", &line).map_err(|e| e.to_string())
    })?;
    Ok(process)
}

/// Which program a switch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// FRR of the distribution.
    Frr,
    /// BIRD of the distribution.
    Bird,
}

/// How BIRD is started, and how it is started again after its end.
pub const BIRD: &str = "bird -f -R -c /etc/tor1.conf -s /run/bird.ctl -P /run/bird.pid";

/// How FRR's bgpd is started again.
pub const BGPD: &str = "/usr/lib/frr/bgpd -u frr -g frr -P 0 -f /etc/frr/frr.conf";

/// Two nodes, each with an uplink to each of these switches (`tor1`, ...), through wires `wSN` that can be cut (S the switch, N the
/// node). Node addresses are on the loopback interface; the uplink of node N to switch S is `ethS`, 198.18.SN.2/24. Each node
/// has an AS of its own; the switches share one, so that paths over them are alike and used side by side.
pub fn racks(args: &Args, switches: u8, make: Make) -> anyhow::Result<Place> {
    let mut plan = Plan::new(&args.agent);
    for n in 1..=2 {
        let mut exec = vec![
            "ip link set lo up".to_owned(),
            format!("ip addr add {LOOPBACK}{n}/32 dev lo"),
            // Streams of the same pods spread over the uplinks.
            "sysctl -qw net.ipv4.fib_multipath_hash_policy=1".to_owned(),
        ];
        exec.extend((1..=switches).map(|s| format!("ip addr add 198.18.{s}{n}.2/24 dev eth{s}")));
        plan = plan.agent(&format!("n{n}"), &exec);
    }
    for s in 1..=switches {
        let mut exec: Vec<String> = (1..=2)
            .map(|n| format!("ip addr add 198.18.{s}{n}.1/24 dev eth{n}"))
            .collect();
        exec.push("sysctl -qw net.ipv4.ip_forward=1".to_owned());
        let name = format!("tor{s}");
        plan = match make {
            Make::Frr => plan.frr(&name, &frr(s), &exec),
            Make::Bird => plan.program(&name, &bird(s), BIRD, &exec),
        };
        for n in 1..=2 {
            plan = plan.wire(
                &format!("w{s}{n}"),
                &format!("n{n}:eth{s}"),
                &format!("tor{s}:eth{n}"),
            );
        }
    }
    let place = plan
        .resources(&uplinked(switches))
        .pod("p1", "n1")
        .pod("p2", "n2")
        .up("racks", false)?;
    both_ready(&place, u64::from(switches))?;
    spread(&place, switches)?;
    Ok(place)
}

/// Waits until every switch and both nodes have all ways.
pub fn spread(place: &Place, switches: u8) -> anyhow::Result<()> {
    let uplinks: Vec<String> = (1..=switches).map(|s| format!("dev eth{s}")).collect();
    let uplinks: Vec<&str> = uplinks.iter().map(String::as_str).collect();
    for (node, block) in ["n1", "n2"].into_iter().zip(BLOCK.iter().rev()) {
        place.converged(node, u64::from(switches))?;
        place.route(node, block, &uplinks)?;
    }
    for s in 1..=switches {
        for (n, block) in (1..).zip(BLOCK) {
            place.route(&format!("tor{s}"), block, &[&format!("dev eth{n}")])?;
        }
    }
    Ok(())
}

fn uplinked(switches: u8) -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
         spec: { asNumber: 64512, nodeToNodeMeshEnabled: false }\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\n\
         spec: { cidr: 10.244.0.0/16 }\n"
        .to_owned();
    for n in 1..=2 {
        // With one uplink, its address is the node's, as on most machines.
        let address = if switches == 1 {
            format!("198.18.1{n}.2/24")
        } else {
            format!("{LOOPBACK}{n}/32")
        };
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
             spec: {{ bgp: {{ ipv4Address: {address}, asNumber: 6460{n} }}, podCIDRs: [10.244.{n}.0/24] }}\n"
        );
        for s in 1..=switches {
            text += &format!(
                "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: n{n}-tor{s} }}\n\
                 spec: {{ node: n{n}, peerIP: 198.18.{s}{n}.1, asNumber: 65001, sourceAddress: None }}\n"
            );
        }
    }
    text
}

/// A keepalive each second, and a hold time of three: the shortest that BGP has.
fn frr(s: u8) -> String {
    let mut text = format!(
        "frr defaults traditional\nlog stdout warnings\n!\n\
         ip route 192.0.2.11/32 198.18.{s}1.2\nip route 192.0.2.12/32 198.18.{s}2.2\n!\n\
         router bgp 65001\n bgp router-id 198.18.{s}1.1\n no bgp ebgp-requires-policy\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n timers bgp 1 3\n"
    );
    for n in 1..=2 {
        let peer = format!("198.18.{s}{n}.2");
        text += &format!(
            " neighbor {peer} remote-as 6460{n}\n neighbor {peer} disable-connected-check\n \
             neighbor {peer} timers connect 1\n neighbor {peer} advertisement-interval 0\n"
        );
    }
    text + "exit\n"
}

fn bird(s: u8) -> String {
    let mut text = format!(
        "router id 198.18.{s}1.1;\ngraceful restart wait 60;\nprotocol device {{ scan time 1; }}\n\
         protocol direct {{ ipv4; interface \"eth*\"; }}\n\
         protocol kernel {{ persist yes; graceful restart on; ipv4 {{ import none; export where source ~ [ RTS_BGP, RTS_STATIC ]; }}; }}\n\
         protocol static {{ ipv4;\n route 192.0.2.11/32 via 198.18.{s}1.2;\n route 192.0.2.12/32 via 198.18.{s}2.2;\n}}\n"
    );
    for n in 1..=2 {
        text += &format!(
            "protocol bgp n{n} {{\n local 198.18.{s}{n}.1 as 65001;\n neighbor 198.18.{s}{n}.2 as 6460{n};\n \
             multihop 2;\n hold time 3; keepalive time 1;\n connect delay time 1; connect retry time 1; error wait time 1,5;\n \
             graceful restart on;\n ipv4 {{ import all; export where source = RTS_BGP; next hop self; gateway recursive; }};\n}}\n"
        );
    }
    text
}
