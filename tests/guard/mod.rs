//! The guard of pods' interfaces with the real agent and the real plugin: a pod sends from its own addresses and from no
//! other ones, whatever happens to the node's nftables and to the agent.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::plugin::{add, call, netns, network};
use crate::support::{Builder, Fabric, SOON, check, eventually, require};

const RESOURCES: &str = r#"apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16 }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods6 }
spec: { cidr: "2001:db8:244::/48" }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: n1 }
spec:
  bgp: { ipv4Address: 192.0.2.11/24, ipv6Address: "2001:db8:1::11/64" }
  podCIDRs: [10.244.1.0/24, "2001:db8:244:1::/64"]
"#;

const FORGED: [&str; 2] = ["198.51.100.9", "2001:db8:9::9"];
const PORT: u16 = 7000;

/// One node with two pods in both families. Its default route leads to the wire, so that forged sources have a route, too.
fn fabric() -> Fabric {
    require("nft", "nftables");
    let node = [
        "ip addr add 192.0.2.11/24 dev eth1",
        "ip addr add 2001:db8:1::11/64 dev eth1 nodad",
        "ip route add default via 192.0.2.1",
        "ip -6 route add default via 2001:db8:1::1",
    ];
    Builder::new("guard")
        .resources(RESOURCES)
        .agent("n1", &node)
        .host("wire", &[])
        .link("n1:eth1", "wire:eth1")
        .host("c1", &[])
        .host("c2", &[])
        .up()
}

/// The addresses of a pod, IPv4 first.
fn addresses(result: &serde_json::Value) -> Vec<String> {
    let ips = result["ips"].as_array().expect("addresses");
    let text = |ip: &serde_json::Value| {
        ip["address"]
            .as_str()
            .and_then(|text| text.split('/').next().map(str::to_owned))
    };
    let mut all: Vec<String> = ips.iter().filter_map(text).collect();
    all.sort_by_key(|address| address.contains(':'));
    assert_eq!(all.len(), 2, "{result}");
    all
}

/// The table as `nft` lists it, with handles and without counters.
fn table(fabric: &Fabric) -> Result<String, String> {
    let words = ["nft", "-s", "-a", "list", "table", "inet", "roadbed"];
    fabric.exec_ok("n1", &words).map_err(|e| e.to_string())
}

/// How many packets were dropped for their source.
fn dropped(fabric: &Fabric) -> u64 {
    let listed = fabric.run("n1", "nft list table inet roadbed");
    let line = listed
        .lines()
        .find(|line| line.contains("fib saddr"))
        .expect("the rule");
    let mut words = line.split_whitespace().skip_while(|word| *word != "packets");
    words
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("its counter")
}

fn listen(fabric: &Fabric, pod: &str, address: &str) -> UdpSocket {
    let address = address.to_owned();
    let bind = move || UdpSocket::bind((address.as_str(), PORT));
    let socket = fabric
        .in_namespace(pod, bind)
        .expect("the pod's namespace")
        .expect("a socket in the pod");
    socket.set_read_timeout(Some(SOON)).expect("a bound");
    socket
}

fn send(fabric: &Fabric, pod: &str, [from, to]: [&str; 2], text: &str) {
    let (from, to, text) = (from.to_owned(), to.to_owned(), text.to_owned());
    let send = move || UdpSocket::bind((from.as_str(), 0))?.send_to(text.as_bytes(), (to.as_str(), PORT));
    fabric
        .in_namespace(pod, send)
        .expect("the pod's namespace")
        .expect("sent");
}

fn heard(socket: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).expect("a datagram");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// The pod's own datagrams arrive, forged ones are dropped and counted.
fn is_guarded(fabric: &Fabric, from: &[String], to: &[String]) {
    for (family, forged) in FORGED.into_iter().enumerate() {
        let socket = listen(fabric, "c2", &to[family]);
        let before = dropped(fabric);
        send(fabric, "c1", [forged, &to[family]], "forged");
        eventually("the drop is counted", || {
            check(dropped(fabric) > before, || {
                format!("{} as before", dropped(fabric))
            })
        });
        send(fabric, "c1", [&from[family], &to[family]], "real");
        assert_eq!(heard(&socket), "real");
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("a bound");
        assert!(socket.recv(&mut [0; 1]).is_err(), "{forged} arrived");
    }
}

#[test]
fn a_pod_sends_from_no_address_but_its_own() {
    let fabric = fabric();
    eventually("the guard is set", || table(&fabric));
    // As a runtime does: until the agent has read its resources, it is told to try again later.
    eventually("the agent plugs pods in", || {
        let done = call(&fabric, "n1", "ADD", "c1", &netns(&fabric, "c1"), &network());
        check(done.status.success(), || format!("{done:?}"))
    });
    let (first, second) = (
        addresses(&add(&fabric, "n1", "c1")),
        addresses(&add(&fabric, "n1", "c2")),
    );
    fabric.run("c1", &format!("ip addr add {}/32 dev eth0", FORGED[0]));
    fabric.run("c1", &format!("ip addr add {}/128 dev eth0 nodad", FORGED[1]));
    is_guarded(&fabric, &first, &second);

    // A firewall manager starts from nothing; another table of its stays.
    fabric.run("n1", "nft flush ruleset");
    fabric.run("n1", "nft add table inet firewall");
    let mended = eventually("the guard is set again", || table(&fabric));
    is_guarded(&fabric, &first, &second);

    // Without an agent, and with the next one: the same table, not a new one.
    fabric.kill_agent("n1").expect("the agent is killed");
    is_guarded(&fabric, &first, &second);
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    is_guarded(&fabric, &first, &second);
    assert_eq!(table(&fabric).as_deref(), Ok(mended.as_str()));
    assert!(fabric.run("n1", "nft list tables").contains("inet firewall"));
}
