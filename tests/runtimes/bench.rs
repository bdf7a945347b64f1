//! The fabric of these scenarios: nodes n1 and n2 and a plain machine on one wire, containers that nobody has
//! plugged in yet, and pools for every kind of network. The cluster's own network has both families, the others IPv4.

use std::process::Stdio;

use crate::support::{Builder, Fabric, check, cni, eventually, require, view};

/// Where the plugins of ours lie on the nodes, under the names that networks call them by.
pub const OUR_PLUGINS: &str = "/var/lib/cni/bin";
/// Where the distribution has the reference plugins.
pub const REFERENCE_PLUGINS: &str = "/usr/lib/cni";
/// The plain machine's address on the wire, and in the network of the fabric beneath.
pub const MACHINE: &str = "192.0.2.200";
pub const UNDERLAY_GATEWAY: &str = "198.51.100.1";

/// Sessions of each node: one, which carries both families.
pub const SESSIONS: usize = 1;

/// The pools, each with a block on each node: `pods` for everyone, the others for networks that name them.
/// `underlay` is a network of the fabric itself: its addresses are found on the wire, not by BGP.
fn resources() -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                    spec: { asNumber: 64512, nodeToNodeMeshEnabled: true }\n\
                    ---\napiVersion: roadbed.dev/v1\nkind: IPAMConfiguration\nmetadata: { name: default }\n\
                    spec: { addressCoolDown: 0s }\n"
        .to_owned();
    for (name, rest) in [
        ("pods", "cidr: 10.244.0.0/16"),
        ("pods6", "cidr: '2001:db8:244::/48'"),
        ("storage", "cidr: 10.245.0.0/16, assignmentMode: Manual"),
        ("bridged", "cidr: 10.246.0.0/16, assignmentMode: Manual"),
        (
            "underlay",
            "cidr: 198.51.100.0/24, assignmentMode: Manual, disableBGPExport: true",
        ),
    ] {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\n\
             spec: {{ {rest}, vxlanMode: CrossSubnet }}\n"
        );
    }
    for i in 1..=2 {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{i} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.1{i}/24, ipv6Address: '2001:db8:1::1{i}/64' }}, podCIDRs: \
             [10.244.{i}.0/24, '2001:db8:244:{i}::/64', 10.245.{i}.0/24, 10.246.{i}.0/24, 198.51.100.{}/26] }}\n",
            i * 64
        );
    }
    text
}

/// Brings it up with these containers, which are namespaces without an interface, and waits for BGP.
pub fn up(scenario: &str, containers: &[&str]) -> Fabric {
    require("busybox", "busybox-static");
    require_reference_plugins();
    let machine = [
        format!("ip addr add {MACHINE}/24 dev eth1"),
        format!("ip addr add {UNDERLAY_GATEWAY}/24 dev eth1"),
        "ip addr add 2001:db8:1::200/64 dev eth1 nodad".to_owned(),
        "ip route add 10.244.1.0/24 via 192.0.2.11".to_owned(),
        "ip route add 2001:db8:244:1::/64 via 2001:db8:1::11".to_owned(),
        "ip route add 10.245.1.0/24 via 192.0.2.11".to_owned(),
        "ip route add 10.246.1.0/24 via 192.0.2.11".to_owned(),
    ];
    let machine: Vec<&str> = machine.iter().map(String::as_str).collect();
    let mut builder = Builder::new(scenario)
        .resources(&resources())
        .agent(
            "n1",
            &[
                "ip addr add 192.0.2.11/24 dev eth1",
                "ip addr add 2001:db8:1::11/64 dev eth1 nodad",
            ],
        )
        .agent(
            "n2",
            &[
                "ip addr add 192.0.2.12/24 dev eth1",
                "ip addr add 2001:db8:1::12/64 dev eth1 nodad",
            ],
        )
        .host("machine", &machine)
        .host(
            "switch",
            &[
                "ip link add lan type bridge",
                "ip link set lan up",
                "ip link set eth1 master lan",
                "ip link set eth2 master lan",
                "ip link set eth3 master lan",
            ],
        )
        .link("n1:eth1", "switch:eth1")
        .link("n2:eth1", "switch:eth2")
        .link("machine:eth1", "switch:eth3");
    for container in containers {
        builder = builder.host(container, &[]);
    }
    let fabric = builder.up();
    for node in ["n1", "n2"] {
        install(&fabric, node);
        eventually("the session of the nodes", || {
            view::converged(&fabric, node, SESSIONS)
        });
    }
    fabric
}

/// Puts our plugins where networks find them, as an installation does.
fn install(fabric: &Fabric, node: &str) {
    fabric.run(node, &format!("mkdir -p {OUR_PLUGINS}"));
    for name in ["roadbed", "roadbed-ipam"] {
        fabric.run(node, &format!("ln -s {} {OUR_PLUGINS}/{name}", cni().display()));
    }
}

fn require_reference_plugins() {
    for name in [
        "bridge",
        "ptp",
        "macvlan",
        "portmap",
        "bandwidth",
        "tuning",
        "loopback",
        "sbr",
    ] {
        let path = format!("{REFERENCE_PLUGINS}/{name}");
        assert!(
            std::path::Path::new(&path).is_file(),
            "this scenario needs {path}: install it with `apt-get install containernetworking-plugins`"
        );
    }
}

/// A container answers TCP on a port with its own text until the fabric goes.
pub fn serve(fabric: &Fabric, container: &str, port: u16, text: &str) {
    let script = fabric.file(
        &format!("serve-{container}-{port}"),
        &format!("#!/bin/sh\necho {text}\n"),
    );
    fabric.run(container, &format!("chmod 755 {script}"));
    fabric.start(container, &format!("busybox nc -ll -p {port} -e {script}"));
}

/// What a TCP server answers to a node.
pub fn fetch(fabric: &Fabric, node: &str, address: &str, port: u16) -> Result<String, String> {
    let line = format!("busybox nc -w 3 {address} {port}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let child = fabric.spawn_with(node, &words, |command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    });
    let done = child
        .map_err(|e| e.to_string())?
        .wait_with_output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    check(done.status.success() && !text.is_empty(), || format!("{done:?}"))?;
    Ok(text)
}

/// The server answers with this text.
#[track_caller]
pub fn answers(fabric: &Fabric, node: &str, address: &str, port: u16, text: &str) {
    let what = format!("{node} is answered by {address} port {port}");
    eventually(&what, || {
        let answer = fetch(fabric, node, address, port)?;
        check(answer == text, || format!("it answers {answer:?}"))
    });
}

/// A node or container gets an answer to a ping.
#[track_caller]
pub fn pings(fabric: &Fabric, from: &str, to: &str) {
    eventually(&format!("{from} reaches {to}"), || {
        let done = fabric
            .exec(from, &["ping", "-c", "1", "-W", "1", to])
            .map_err(|e| e.to_string())?;
        check(done.status.success(), || {
            String::from_utf8_lossy(&done.stdout).into_owned()
        })
    });
}

/// Addresses of the node's blocks that are in use, the node's own included.
pub fn used(fabric: &Fabric, node: &str) -> u64 {
    let status = view::status(fabric, node).expect("the agent answers");
    status.blocks.iter().map(|b| b.used).sum()
}

/// The state of a node that pods may leave something in: links, routes of ours, leases, translation rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    links: Vec<String>,
    routes: Vec<String>,
    used: u64,
    translations: Vec<String>,
    rules: String,
}

/// What a node has now.
pub fn traces(fabric: &Fabric, node: &str) -> Traces {
    let translations = fabric.run(node, "iptables-save -t nat") + &fabric.run(node, "ip6tables-save -t nat");
    Traces {
        links: crate::support::kernel::links(fabric, node),
        routes: crate::support::kernel::ours(fabric, node).into_keys().collect(),
        used: used(fabric, node),
        // Chains of a plugin's own stay, empty, as it made them; what is about one container does not.
        translations: translations
            .lines()
            .filter(|line| {
                line.starts_with("-A") && [":244:", "10.24"].iter().any(|pods| line.contains(pods))
            })
            .map(str::to_owned)
            .collect(),
        rules: fabric.run(node, "ip rule show"),
    }
}

/// Nothing is there that was not there before.
#[track_caller]
pub fn left_nothing(fabric: &Fabric, node: &str, before: &Traces) {
    eventually(&format!("{node} is as it was"), || {
        let now = traces(fabric, node);
        check(now == *before, || format!("{now:#?}\nand it was {before:#?}"))
    });
}
