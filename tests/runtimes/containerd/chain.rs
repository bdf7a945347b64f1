//! The reference plugins behind ours: ports of the node by portmap, rates by bandwidth, as Kubernetes asks for them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use cri_testbed::Pod;
use serde_json::{Value, json};

use super::cluster::{self, Cluster, Running, conflist, node_address};
use crate::support::{check, eventually, kernel, require};

/// Port of the node, port of the pod.
const PORTS: (u16, u16) = (8080, 8081);

#[test]
fn host_ports_and_rates_come_with_chained_plugins() {
    require("iptables", "iptables");
    require("tc", "iproute2");
    let ours = json!({ "type": "roadbed", "capabilities": { "io.kubernetes.cri.pod-annotations": true } });
    let behind = [
        json!({ "type": "portmap", "capabilities": { "portMappings": true }, "snat": true }),
        json!({ "type": "bandwidth", "capabilities": { "bandwidth": true } }),
    ];
    let cluster = cluster::up("cri-chain", &conflist(&ours, &behind));
    let before = cluster.traces("n1");
    let pod = Pod::new("web")
        .host_port(PORTS.0, PORTS.1)
        .annotation("kubernetes.io/ingress-bandwidth", "8M")
        .annotation("kubernetes.io/egress-bandwidth", "16M")
        .annotation("example.org/team", "blue");
    let port = PORTS.1.to_string();
    let web = cluster.run("n1", &pod, &["/bin/httpd", "-f", "-p", &port, "-h", "/etc"]);

    // From the other node, by the node's addresses and by the pod's.
    for (address, port) in [
        (&node_address(1, true), PORTS.0),
        (&node_address(1, false), PORTS.0),
        (&web.ipv4, PORTS.1),
        (&web.ipv6, PORTS.1),
    ] {
        let address = SocketAddr::new(address.parse().expect("an address"), port);
        eventually(&format!("the pod's answer at {address}"), || {
            fetch(&cluster, address)
        });
    }
    the_rates_are_set(&cluster, &web);

    // containerd hands annotations to a plugin that has the capability, and asks ours for nothing that is
    // another plugin's.
    let calls = cluster.runtime("n1").calls();
    let wish = &calls[0].config["runtimeConfig"];
    assert_eq!(
        wish.pointer("/io.kubernetes.cri.pod-annotations/example.org~1team"),
        Some(&json!("blue")),
        "{wish}"
    );
    assert_eq!(wish.as_object().map(serde_json::Map::len), Some(1), "{wish}");

    cluster.remove("n1", &web);
    cluster.leaves("n1", &before);
    let rules = cluster.fabric.run("n1", "iptables -t nat -S");
    assert!(!rules.contains(&web.ipv4), "{rules}");
}

/// Asks for the file that has the pod's name, over HTTP, from the other node.
fn fetch(cluster: &Cluster, address: SocketAddr) -> Result<(), String> {
    let patience = Duration::from_secs(2);
    let get = || {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"GET /hostname HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    let text: std::io::Result<String> = cluster
        .fabric
        .in_namespace("n2", get)
        .map_err(|e| e.to_string())?;
    let text = text.map_err(|e| e.to_string())?;
    check(text.trim_end().ends_with("web"), || text.clone())
}

/// 8 Mbit/s into the pod on the host's end of its veth pair, 16 Mbit/s out of it on the plugin's own device.
fn the_rates_are_set(cluster: &Cluster, pod: &Running) {
    let route = kernel::route(&cluster.fabric, "n1", &pod.ipv4).expect("the pod's host route");
    let qdiscs = kernel::json(&cluster.fabric, "n1", &["tc", "-j", "qdisc", "show"]);
    let rate = |device: &dyn Fn(&str) -> bool| {
        let found = qdiscs
            .iter()
            .find(|q| q["kind"] == "tbf" && device(&kernel::text(q, "dev")));
        found
            .and_then(|q| q.pointer("/options/rate"))
            .and_then(Value::as_u64)
    };
    let host_end = kernel::text(&route, "dev");
    // tc counts bytes.
    assert_eq!(rate(&|dev| dev == host_end), Some(1_000_000), "{qdiscs:?}");
    assert_eq!(rate(&|dev| dev != host_end), Some(2_000_000), "{qdiscs:?}");
}
