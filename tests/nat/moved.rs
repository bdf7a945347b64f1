//! Flows through a node to a service whose pod is gone, or whose pod's address is another's by now: the node remembers which pod was
//! chosen first, and must not do so for ever. `n1` is the way from the client to the pods, and chooses.

use std::net::{SocketAddr, UdpSocket};

use super::{answer, asked, blocks, converge, node, resources, socket, wire};
use crate::support::plugin::{add, call, del, netns, network};
use crate::support::{Builder, Fabric, check, eventually, kernel, stays, view};

/// The service's address and port.
const SERVICE: &str = "10.96.0.1:7000";
const PORT: u16 = 7000;

/// Three nodes, a client behind n1, and containers c1 to c4.
fn fabric(scenario: &str) -> Fabric {
    let client = [
        "ip link set lo up",
        "ip addr add 198.51.100.2/24 dev eth1",
        "ip route add default via 198.51.100.1",
    ];
    let mut builder: Builder = wire(scenario, 3, true)
        .host("client", &client)
        .link("client:eth1", "n1:eth2");
    for container in ["c1", "c2", "c3"] {
        builder = builder.host(container, &[]);
    }
    let fabric = builder.up();
    fabric.run("n1", "ip addr add 198.51.100.1/24 dev eth2");
    for node in ["n2", "n3"] {
        fabric.run(node, "ip route add 198.51.100.0/24 via 192.0.2.11");
    }
    converge(&fabric, 3);
    fabric.run("n1", "nft add table ip service");
    fabric.run(
        "n1",
        "nft add chain ip service to { type nat hook prerouting priority dstnat ; }",
    );
    fabric
}

/// New flows to the service go there, as a proxy of Services does it.
fn service(fabric: &Fabric, to: &str) {
    let file = fabric.file(
        "service.nft",
        &format!(
            "flush chain ip service to\n\
             add rule ip service to ip daddr 10.96.0.1 udp dport {PORT} dnat to {to}\n"
        ),
    );
    fabric.run("n1", &format!("nft -f {file}"));
}

/// A pod that answers with this text.
fn plug(fabric: &Fabric, node: &str, container: &str, text: &'static str) -> String {
    eventually("the agent plugs pods in", || {
        let done = call(
            fabric,
            node,
            "ADD",
            container,
            &netns(fabric, container),
            &network(),
        );
        check(done.status.success(), || format!("{done:?}"))
    });
    let result = add(fabric, node, container);
    let ips = result["ips"].as_array().expect("addresses");
    let v4 = ips
        .iter()
        .filter_map(|ip| ip["address"].as_str())
        .find(|a| a.contains('.'));
    let v4 = v4
        .and_then(|a| a.split('/').next())
        .expect("an IPv4 address")
        .to_owned();
    let bind = || UdpSocket::bind((v4.as_str(), PORT));
    let socket = fabric.in_namespace(container, bind).expect("the namespace");
    answer(socket.expect("a socket in the pod"), text);
    v4
}

fn is_answered(client: &UdpSocket, by: &str) {
    let at: SocketAddr = SERVICE.parse().expect("an address");
    eventually(&format!("{by} answers"), || {
        let who = asked(client, at)?;
        check(who == by, || who.clone())
    });
}

/// The entry of n1 for a flow from the client to this address, with its number.
fn tracked(fabric: &Fabric, to: &str) -> Result<String, String> {
    let all = fabric.run("n1", "conntrack -L -p udp -o id");
    let mut lines = all.lines().filter(|line| line.contains(&format!("dst={to} ")));
    let line = lines.next().ok_or_else(|| all.clone())?;
    let id = line.split_whitespace().find(|word| word.starts_with("id="));
    id.map(str::to_owned).ok_or_else(|| line.to_owned())
}

/// A flow that has nothing to do with any pool.
fn bystander(fabric: &Fabric) -> String {
    let (from, to) = (
        socket(fabric, "client", "198.51.100.2"),
        socket(fabric, "n2", &node(2)[0]),
    );
    eventually("the bystander's flow", || super::seen_by(&from, &to));
    tracked(fabric, &node(2)[0]).expect("its entry")
}

#[test]
fn a_flow_to_a_pod_that_is_gone_is_given_to_another_one() {
    let fabric = fabric("gone");
    let bystander = bystander(&fabric);
    let first = plug(&fabric, "n1", "c1", "first");
    let second = plug(&fabric, "n2", "c2", "second");
    let client = socket(&fabric, "client", "198.51.100.2");
    service(&fabric, &first);
    is_answered(&client, "first");
    service(&fabric, &second);
    stays(
        std::time::Duration::from_millis(500),
        "the flow keeps its pod",
        || {
            let who = asked(&client, SERVICE.parse().expect("an address"))?;
            check(who == "first", || who.clone())
        },
    );
    del(&fabric, "n1", "c1");
    is_answered(&client, "second");
    assert_eq!(tracked(&fabric, &node(2)[0]).as_deref(), Ok(bystander.as_str()));
}

#[test]
fn a_flow_to_an_address_that_moved_to_another_node_is_given_to_another_pod() {
    let fabric = fabric("moved");
    let bystander = bystander(&fabric);
    let moves = plug(&fabric, "n2", "c1", "first");
    let second = plug(&fabric, "n1", "c2", "second");
    let client = socket(&fabric, "client", "198.51.100.2");
    service(&fabric, &moves);
    is_answered(&client, "first");
    service(&fabric, &second);
    is_answered(&client, "first");
    // The pod goes, its block goes to n3, and there another pod gets the very address.
    del(&fabric, "n2", "c1");
    let given = ["10.244.2.0/24", "'fd00:10:244:2::/64'"].join(", ");
    let all = [blocks(1), "10.244.22.0/24".to_owned(), given];
    for node in ["n1", "n2", "n3"] {
        fabric.edit(node, &resources(true, &all));
    }
    eventually("the block is behind n3", || {
        kernel::route_via(&fabric, "n1", "10.244.2.0/24", &node(3)[0])
    });
    let there = eventually("the other pod has the address", || {
        view::converged(&fabric, "n3", 2)?;
        let at = plug(&fabric, "n3", "c3", "another");
        check(at == moves, || at.clone()).map(|()| at)
    });
    assert_eq!(there, moves);
    is_answered(&client, "second");
    assert_eq!(tracked(&fabric, &node(2)[0]).as_deref(), Ok(bystander.as_str()));
}
