//! Clients outside the cluster reach their rack's pods at their own addresses: no tunnel, no NAT.

use lab::capture::Capture;

use crate::checks::pings::{Echo, plain, tunnelled};
use crate::context::Context;
use crate::facts::{CLIENTS, Client, NODES, Node, UPLINK};

pub fn clients(context: &mut Context<'_>) {
    context.step("clients behind the switches reach their rack's pods natively");
    for client in &CLIENTS {
        for node in NODES.iter().filter(|n| n.switch == client.switch) {
            let what = format!(
                "{} reaches {} without tunnel and without NAT",
                client.name, node.pod
            );
            context.check(format!("client/{}>{}", client.name, node.name), what, |c| {
                reaches(c, client, node)
            });
        }
    }
}

fn reaches(context: &Context<'_>, client: &Client, node: &Node) -> Result<String, String> {
    let start = |place: &str, interface: &str| {
        Capture::start(context.lab, place, interface, "icmp or udp port 4789").map_err(|e| e.to_string())
    };
    let (pod, uplink, outside) = (
        start(node.pod, "eth0")?,
        start(node.name, UPLINK)?,
        start(client.name, "eth1")?,
    );
    let target = context.pod(node.pod)?;
    let answered = context.ping(client.name, &target)?;
    let request = plain(client.address, &target, Echo::Request);
    let answer = plain(&target, client.address, Echo::Answer);
    for (capture, filter, what) in [
        (&pod, &request, "the pod sees the client's own address"),
        (&uplink, &request, "the request arrives plain at the node"),
        (&uplink, &answer, "the answer leaves the node plain"),
        (&outside, &answer, "the client sees the pod's own address"),
    ] {
        capture
            .wait_for(filter, 1, context.patience)
            .map_err(|_| format!("not so: {what}"))?;
    }
    for filter in [
        tunnelled(client.address, &target, Echo::Request)?,
        tunnelled(&target, client.address, Echo::Answer)?,
    ] {
        if uplink.count(&filter).map_err(|e| e.to_string())? > 0 {
            return Err(format!(
                "a packet between {} and {target} was in VXLAN",
                client.address
            ));
        }
    }
    Ok(format!("{answered}; the pod saw {}", client.address))
}
