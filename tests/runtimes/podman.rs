//! podman of the distribution (4.3, CNI specification 1.0.0) with our network: `podman run` as a user types it.

use serde_json::{Value, json};

use super::bench::{self, answers, left_nothing, pings, traces};
use super::engine::Engine;
use super::list::list;
use crate::support::{Fabric, check, eventually, kernel, view};

/// The network that containers join by default: ours, with ports published by the reference plugin.
fn pods() -> Value {
    list(
        "1.0.0",
        "pods",
        &[
            json!({ "type": "roadbed" }),
            json!({ "type": "portmap", "capabilities": { "portMappings": true } }),
        ],
    )
}

/// A second network of ours: other pools, and no default route.
fn storage() -> Value {
    let plugin = json!({
        "type": "roadbed",
        "pools": ["storage"],
        "defaultRoute": false,
        "routes": [{ "dst": "10.245.0.0/16" }],
    });
    list("1.0.0", "storage", &[plugin])
}

/// One interface inside a container, as `ip -o addr` tells it.
fn interface(podman: &Engine<'_>, container: &str, ifname: &str) -> String {
    podman.exec(container, &format!("ip addr show dev {ifname}"))
}

/// The IPv4 address of an interface, which is a host prefix.
#[track_caller]
fn address(podman: &Engine<'_>, container: &str, ifname: &str) -> String {
    let text = interface(podman, container, ifname);
    let word = text.split_whitespace().skip_while(|w| *w != "inet").nth(1);
    let word = word.unwrap_or_else(|| panic!("no address: {text}"));
    word.strip_suffix("/32")
        .unwrap_or_else(|| panic!("no host prefix: {text}"))
        .to_owned()
}

#[test]
fn podman_runs_containers_with_addresses_routes_and_a_second_network() {
    let fabric = bench::up("podman", &[]);
    let before = traces(&fabric, "n1");
    {
        let podman = Engine::new(&fabric, "n1", &[pods(), storage()]);
        let far = Engine::new(&fabric, "n2", &[pods(), storage()]);
        far.run(
            "far",
            &["--network", "pods,storage"],
            &["nc", "-ll", "-p", "80", "-e", "hostname"],
        );
        containers_have_address_mtu_and_routes(&podman);
        wishes_are_granted(&podman);
        containers_talk_to_other_nodes(&fabric, &podman, &far);
        two_networks_make_two_interfaces(&fabric, &podman, &far);
        let netns = ["plain", "wish", "two"].map(|name| podman.netns(name));
        for name in ["plain", "wish", "two"] {
            podman.remove(name);
        }
        assert!(
            netns.iter().all(|path| !std::path::Path::new(path).exists()),
            "{netns:?}"
        );
        left_nothing(&fabric, "n1", &before);
    }
    for network in ["pods", "storage"] {
        let cached = fabric.run("n1", &format!("find /var/lib/cni/results -name {network}-*"));
        assert_eq!(cached, "", "what podman remembers");
    }
}

fn containers_have_address_mtu_and_routes(podman: &Engine<'_>) {
    podman.run("plain", &[], &["sleep", "1000"]);
    assert!(address(podman, "plain", "eth0").starts_with("10.244.1."));
    // Pods of nodes that are further apart are reached through VXLAN, over IPv6 as well: 1500 without its 70 bytes.
    let link = interface(podman, "plain", "eth0");
    assert!(link.contains("mtu 1430"), "{link}");
    assert!(link.contains("inet6 2001:db8:244:1:"), "{link}");
    let routes = podman.exec("plain", "ip route");
    assert!(routes.contains("default via 169.254.1.1 dev eth0"), "{routes}");
    // podman knows the address too: it reads our result.
    let known = podman.podman(&[
        "inspect",
        "--format",
        "{{.NetworkSettings.Networks.pods.IPAddress}}",
        "plain",
    ]);
    assert_eq!(known.trim(), address(podman, "plain", "eth0"));
    let networks = podman.podman(&["network", "ls", "--format", "{{.Name}} {{.Driver}}"]);
    assert!(networks.lines().any(|line| line == "pods roadbed"), "{networks}");
}

fn wishes_are_granted(podman: &Engine<'_>) {
    let options = ["--ip", "10.244.1.77", "--mac-address", "02:00:00:00:00:77"];
    podman.run("wish", &options, &["sleep", "1000"]);
    let text = interface(podman, "wish", "eth0");
    assert!(text.contains("inet 10.244.1.77/32"), "{text}");
    assert!(text.contains("02:00:00:00:00:77"), "{text}");
    // The same address for somebody else is refused, and the user is told why.
    let refused = podman.try_run("late", &["--ip", "10.244.1.77"], &["sleep", "1000"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("10.244.1.77"),
        "{said}"
    );
    podman.podman(&["rm", "--force", "late"]);
}

fn containers_talk_to_other_nodes(fabric: &Fabric, podman: &Engine<'_>, far: &Engine<'_>) {
    let (here, there) = (address(podman, "plain", "eth0"), address(far, "far", "eth0"));
    eventually("a container of the other node answers", || {
        let done = podman.try_podman(&["exec", "plain", "nc", "-w", "3", &there, "80"]);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        check(done.status.success() && !text.trim().is_empty(), || {
            format!("{done:?}")
        })
    });
    podman.exec("plain", &format!("ping -c 1 -W 2 {there}"));
    podman.exec("plain", "ping -c 1 -W 2 192.0.2.12");
    pings(fabric, "machine", &here);
    // Containers of one node reach each other, too.
    podman.exec("wish", &format!("ping -c 1 -W 2 {here}"));
}

fn two_networks_make_two_interfaces(fabric: &Fabric, podman: &Engine<'_>, far: &Engine<'_>) {
    podman.run("two", &["--network", "pods,storage"], &["sleep", "1000"]);
    let find = |engine: &Engine<'_>, container: &str, start: &str| {
        let both = ["eth0", "eth1"].map(|name| address(engine, container, name));
        both.into_iter()
            .find(|a| a.starts_with(start))
            .unwrap_or_else(|| panic!("no {start}"))
    };
    find(podman, "two", "10.244.1.");
    find(podman, "two", "10.245.1.");
    let there = find(far, "far", "10.245.2.");
    eventually("the other node's block of the second pool", || {
        kernel::route(fabric, "n1", "10.245.2.0/24")
    });
    podman.exec("two", &format!("ping -c 1 -W 2 {there}"));
    let routes = podman.exec("two", "ip route");
    assert_eq!(routes.matches("default").count(), 1, "{routes}");
    let line = podman.exec("two", &format!("ip route get {there}"));
    assert!(
        line.contains("10.245.1."),
        "the source is not of the second network: {line}"
    );
}

#[test]
fn podman_publishes_ports_and_says_what_our_plugin_says() {
    let fabric = bench::up("podmanports", &[]);
    let before = traces(&fabric, "n1");
    let podman = Engine::new(&fabric, "n1", &[pods()]);
    podman.run(
        "web",
        &["--publish", "8080:80"],
        &["nc", "-ll", "-p", "80", "-e", "hostname"],
    );
    let name = podman.exec("web", "cat /etc/hostname");
    answers(&fabric, "n2", "192.0.2.11", 8080, name.trim());
    answers(&fabric, "machine", "192.0.2.11", 8080, name.trim());
    podman.remove("web");
    left_nothing(&fabric, "n1", &before);
    versions_are_negotiated(&podman);
    an_absent_agent_is_told_to_the_user(&fabric, &podman);
    left_nothing(&fabric, "n1", &before);
}

/// podman asks VERSION before it takes a network up.
fn versions_are_negotiated(podman: &Engine<'_>) {
    let old = list("0.4.0", "old", &[json!({ "type": "roadbed" })]);
    podman.network(&old);
    podman.run("old", &["--network", "old"], &["sleep", "1000"]);
    assert!(address(podman, "old", "eth0").starts_with("10.244.1."));
    podman.remove("old");
    podman.forget_network("old");
    // What no plugin speaks is said at once, by name, and nothing is started.
    podman.network(&list("9.9.9", "never", &[json!({ "type": "roadbed" })]));
    let refused = podman.try_run("never", &["--network", "never"], &["sleep", "1000"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(said.contains("roadbed does not support config version"), "{said}");
    podman.forget_network("never");
}

fn an_absent_agent_is_told_to_the_user(fabric: &Fabric, podman: &Engine<'_>) {
    podman.run("stays", &[], &["sleep", "1000"]);
    fabric.kill_agent("n1").expect("the agent is killed");
    let refused = podman.try_run("lost", &[], &["sleep", "1000"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(
        said.contains("agent") && said.contains("/run/roadbed/agent.sock"),
        "{said}"
    );
    podman.podman(&["rm", "--force", "lost"]);
    // A container can go while the agent is away: the agent hears of it when it is back.
    podman.remove("stays");
    fabric.start_agent("n1").expect("the agent starts again");
    eventually("the session after the restart", || {
        view::converged(fabric, "n1", bench::SESSIONS)
    });
}
