//! `roadbed cleanup`: refuses while an agent runs, and afterwards removes exactly what is ours.

use crate::support::{Fabric, check, eventually, kernel, pair, roadbed, view};

fn cleanup(fabric: &Fabric, more: &[&str]) -> std::process::Output {
    let program = roadbed();
    let program = program.to_str().expect("a path of plain text");
    fabric
        .exec("n1", &[&[program, "cleanup"], more].concat())
        .expect("roadbed runs")
}

/// Links, routes of both families, neighbours and forwarding entries, each as a line; counters left out.
fn everything(fabric: &Fabric) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for command in [
        "ip -o -br link show",
        "ip -4 route show table all",
        "ip -6 route show table all",
        "ip -o -br addr show",
        "bridge fdb show",
        "nft list tables",
    ] {
        let output = fabric.run("n1", command);
        lines.extend(
            output
                .lines()
                .map(|line| format!("{command}: {}", line.trim_end())),
        );
    }
    lines.sort();
    lines
}

#[test]
fn refuses_while_an_agent_runs_and_then_removes_exactly_what_is_ours() {
    let fabric = pair::wire_with("cleanup", 2, "Always")
        .pod("p1", "n1")
        .up_without_agents();
    for line in [
        "ip link add name other type bridge",
        "ip addr add 198.18.0.1/24 dev other",
        "ip link set other up",
        "ip link add name vxlan9 type vxlan id 9 dstport 8472 dev eth1",
        "ip route add 10.244.200.0/24 via 192.0.2.12 proto static",
        "ip route add 198.18.1.0/24 via 192.0.2.12 proto 83",
    ] {
        fabric.run("n1", line);
    }
    // The kernel's own, a while after each link.
    eventually("link-local addresses of both links", || {
        let local = fabric.run("n1", "ip -6 route show table local type local");
        let both = |link: &str| local.lines().any(|l| l.contains("fe80:") && l.contains(link));
        check(both("dev eth1") && both("dev other"), || local.clone())
    });
    let before = everything(&fabric);
    for node in ["n1", "n2"] {
        fabric.start_agent(node).expect("the agent starts");
    }
    for node in ["n1", "n2"] {
        eventually("the session of the nodes", || view::converged(&fabric, node, 1));
    }
    eventually("the route into the tunnel", || {
        kernel::route(&fabric, "n1", "10.244.2.0/24")
    });
    fabric
        .add_pod("p1", crate::support::SOON)
        .expect("the pod is plugged in");

    let with_agent = everything(&fabric);
    let done = cleanup(&fabric, &["--pods"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("agent") && said.lines().count() == 1, "{said}");
    assert_eq!(
        everything(&fabric),
        with_agent,
        "a refused cleanup touched something"
    );

    fabric.stop_agent("n1").expect("the agent ends");
    assert_eq!(
        everything(&fabric),
        with_agent,
        "the agent's end touched something"
    );
    let done = cleanup(&fabric, &[]);
    assert!(done.status.success(), "{done:?}");
    assert!(
        kernel::ours(&fabric, "n1").is_empty(),
        "{:?}",
        kernel::ours(&fabric, "n1")
    );
    let links = kernel::links(&fabric, "n1");
    assert!(!links.iter().any(|l| l == "rb-vxlan"), "{links:?}");
    assert!(
        links.iter().any(|l| l.starts_with("rb")),
        "without --pods the pod keeps its link: {links:?}"
    );

    let done = cleanup(&fabric, &["--pods"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(kernel::links(&fabric, "p1"), ["lo"]);
    assert_eq!(
        everything(&fabric),
        before,
        "the node as it was before there was an agent"
    );

    let done = cleanup(&fabric, &["--pods"]);
    assert!(
        done.status.success(),
        "a second time there is nothing to do: {done:?}"
    );
}
