//! natOutgoing and tracked flows with real agents: who is seen by whom, judged by the receivers; what comes and goes while the agent
//! runs; what an agent that is killed leaves in force; and flows to addresses that have moved.

mod leaving;
mod moved;
mod routed_host;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Builder, Fabric, check, eventually, kernel, view};

/// The world outside: it has no route to any pod.
const WORLD: [&str; 2] = ["203.0.113.9", "2001:db8:9::9"];

/// The address of a node, IPv4 first.
fn node(n: u8) -> [String; 2] {
    [format!("192.0.2.1{n}"), format!("2001:db8:1::1{n}")]
}

/// The address of the pod of a node.
fn pod(n: u8) -> [String; 2] {
    [format!("10.244.{n}.1"), format!("fd00:10:244:{n}::1")]
}

/// The block of a node, IPv4 only or both.
fn blocks(n: u8) -> String {
    format!("10.244.{n}.0/24, 'fd00:10:244:{n}::/64'")
}

fn configuration(nat: bool) -> String {
    let mut text = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                    spec: { asNumber: 64512 }\n"
        .to_owned();
    for (name, cidr) in [("pods", "10.244.0.0/16"), ("pods6", "fd00:10:244::/48")] {
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: {name} }}\n\
             spec: {{ cidr: '{cidr}', natOutgoing: {nat} }}\n"
        );
    }
    text
}

/// Nodes on one wire with these blocks.
fn resources(nat: bool, blocks: &[String]) -> String {
    let mut text = configuration(nat);
    for (n, blocks) in (1..).zip(blocks) {
        let [v4, v6] = node(n);
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
             spec: {{ bgp: {{ ipv4Address: {v4}/24, ipv6Address: '{v6}/64' }}, podCIDRs: [{blocks}] }}\n"
        );
    }
    text
}

/// Nodes on one wire with the world, which is their default gateway, and answers every question.
fn wire(scenario: &str, nodes: u8, nat: bool) -> Builder {
    let mut world = vec![
        "ip link add lan type bridge".to_owned(),
        "ip link set lan up".to_owned(),
        "ip link set lo up".to_owned(),
        "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lan.rp_filter=0".to_owned(),
        "ip addr add 192.0.2.1/24 dev lan".to_owned(),
        "ip addr add 2001:db8:1::1/64 dev lan nodad".to_owned(),
        format!("ip addr add {}/32 dev lo", WORLD[0]),
        format!("ip addr add {}/128 dev lo nodad", WORLD[1]),
    ];
    let blocks: Vec<String> = (1..=nodes).map(blocks).collect();
    let mut builder = Builder::new(scenario).resources(&resources(nat, &blocks));
    for n in 1..=nodes {
        world.push(format!("ip link set eth{n} master lan"));
        let [v4, v6] = node(n);
        let exec = [
            format!("ip addr add {v4}/24 dev eth1"),
            format!("ip addr add {v6}/64 dev eth1 nodad"),
            "ip route add default via 192.0.2.1".to_owned(),
            "ip -6 route add default via 2001:db8:1::1".to_owned(),
        ];
        builder = builder
            .agent(&format!("n{n}"), &exec.each_ref().map(String::as_str))
            .link(&format!("n{n}:eth1"), &format!("world:eth{n}"));
    }
    let world: Vec<&str> = world.iter().map(String::as_str).collect();
    builder.host("world", &world)
}

/// All agents have their sessions, and routes to the others' blocks.
fn converge(fabric: &Fabric, nodes: u8) {
    for n in 1..=nodes {
        let name = format!("n{n}");
        eventually("the sessions of the nodes", || {
            view::converged(fabric, &name, usize::from(nodes - 1))
        });
        for other in (1..=nodes).filter(|other| *other != n) {
            for block in [
                format!("10.244.{other}.0/24"),
                format!("fd00:10:244:{other}::/64"),
            ] {
                eventually("the routes to the others", || {
                    kernel::route(fabric, &name, &block)
                });
            }
        }
    }
}

/// A socket in a namespace; its port is as good as any.
#[track_caller]
fn socket(fabric: &Fabric, at: &str, address: &str) -> UdpSocket {
    let address: IpAddr = address.parse().expect("an address");
    let bind = move || UdpSocket::bind((address, 0));
    let socket = fabric.in_namespace(at, bind).expect("the namespace");
    let socket = socket.unwrap_or_else(|error| panic!("{address} in {at}: {error}"));
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a bound");
    socket
}

/// A datagram from one socket to another; who is seen as its sender, if it arrives.
fn seen_by(from: &UdpSocket, to: &UdpSocket) -> Result<String, String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let at = to.local_addr().expect("an address");
    let text = format!("question {}", NUMBER.fetch_add(1, Ordering::Relaxed));
    from.send_to(text.as_bytes(), at)
        .map_err(|e| format!("to {at}: {e}"))?;
    let mut buffer = [0; 64];
    loop {
        // What comes late of an earlier one is passed over.
        let (length, sender) = to.recv_from(&mut buffer).map_err(|e| format!("to {at}: {e}"))?;
        if &buffer[..length] == text.as_bytes() {
            return Ok(sender.ip().to_string());
        }
    }
}

/// As whom a host is seen by another at one of its addresses, in a flow of its own; the first packets may wait for neighbours.
#[track_caller]
fn seen(fabric: &Fabric, (from, as_): (&str, &str), (to, at): (&str, &str)) -> String {
    let receiver = socket(fabric, to, at);
    eventually(&format!("{from} ({as_}) reaches {to} at {at}"), || {
        seen_by(&socket(fabric, from, as_), &receiver)
    })
}

/// As whom the world sees the pod of n1 from now on.
#[track_caller]
fn world_sees(fabric: &Fabric, pods: &[String; 2], wanted: &[String; 2]) {
    for family in 0..2 {
        eventually("the world sees the pod so", || {
            let sender = seen(fabric, ("p1", &pods[family]), ("world", WORLD[family]));
            check(sender == wanted[family], || {
                format!("as {sender}, not as {}", wanted[family])
            })
        });
    }
}

/// The chain of NAT as `nft` lists it, with handles and without counters.
fn chain(fabric: &Fabric) -> Result<String, String> {
    let words = [
        "nft",
        "-s",
        "-a",
        "list",
        "chain",
        "inet",
        "roadbed",
        "postrouting",
    ];
    fabric.exec_ok("n1", &words).map_err(|e| e.to_string())
}

/// What is asked at a socket is answered with this text, as long as the process runs.
fn answer(socket: UdpSocket, text: &'static str) {
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        loop {
            if let Ok((_, from)) = socket.recv_from(&mut buffer) {
                // A client that is gone is none of its business.
                let _ = socket.send_to(text.as_bytes(), from);
            }
        }
    });
}

/// Asks from one socket, again and again: who answers.
fn asked(client: &UdpSocket, at: SocketAddr) -> Result<String, String> {
    let mut buffer = [0; 64];
    // Answers to earlier questions are not this one's.
    client.set_nonblocking(true).expect("a mode");
    while client.recv(&mut buffer).is_ok() {}
    client.set_nonblocking(false).expect("a mode");
    client.send_to(b"who", at).map_err(|e| e.to_string())?;
    let length = client.recv(&mut buffer).map_err(|e| format!("{at}: {e}"))?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
