//! Several routers and agents on one switch: for what takes more than two speakers.

use super::fabric::{OUR_AS, addresses};
use super::makes::{Neighbor, Router, Site};
use crate::support::{Builder, Fabric};

/// Routers are 192.0.2.1 and further, agents 192.0.2.11 and further; all of them in IPv6 too.
pub fn address(n: u8) -> String {
    format!("192.0.2.{n}")
}

fn address6(n: u8) -> String {
    format!("2001:db8:1::{n}")
}

/// A session of IPv4 routes from the router at the address `n` to the one at `remote`.
pub fn neighbor(n: u8, remote: u8, asn: u32) -> Neighbor {
    Neighbor {
        name: format!("to{remote}"),
        local: address(n),
        remote: address(remote),
        asn,
        families: 0..1,
        ..Neighbor::default()
    }
}

/// A router that announces nothing.
pub fn router(node: &str, n: u8, asn: u32, neighbors: Vec<Neighbor>) -> Site {
    Site {
        node: node.to_owned(),
        asn,
        addresses: [address(n), address6(n)],
        neighbors,
        announces: false,
        hold: 9,
        forwards: false,
        fixed: Vec::new(),
        graceful: false,
    }
}

/// What is on the switch.
pub struct Lan {
    builder: Builder,
    ports: u8,
}

impl Lan {
    pub fn new(scenario: &str) -> Lan {
        Lan {
            builder: Builder::new(scenario),
            ports: 0,
        }
    }

    fn port(mut self, node: &str) -> Lan {
        self.ports += 1;
        let port = format!("switch:eth{}", self.ports);
        self.builder = self.builder.link(&format!("{node}:eth1"), &port);
        self
    }

    /// An agent at the address 192.0.2.`n`.
    pub fn agent(mut self, node: &str, n: u8) -> Lan {
        let own = [address(n), address6(n)];
        let exec = addresses([&own[0], &own[1]]);
        self.builder = self.builder.agent(node, &exec.each_ref().map(String::as_str));
        self.port(node)
    }

    /// A router.
    pub fn router(mut self, make: &dyn Router, site: &Site) -> Lan {
        let exec = addresses([&site.addresses[0], &site.addresses[1]]);
        self.builder = make.add(self.builder, site, &exec.each_ref().map(String::as_str));
        self.port(&site.node)
    }

    /// Whatever else is added to the builder.
    pub fn with(mut self, node: &str, add: impl FnOnce(Builder, &[&str]) -> Builder, n: u8) -> Lan {
        let own = [address(n), address6(n)];
        let exec = addresses([&own[0], &own[1]]);
        self.builder = add(self.builder, &exec.each_ref().map(String::as_str));
        self.port(node)
    }

    /// All of it, with the resources of the agents.
    pub fn up(self, resources: &str) -> Fabric {
        let mut switch = vec![
            "ip link add lan type bridge".to_owned(),
            "ip link set lan up".to_owned(),
        ];
        switch.extend((1..=self.ports).map(|port| format!("ip link set eth{port} master lan")));
        let switch: Vec<&str> = switch.iter().map(String::as_str).collect();
        self.builder.host("switch", &switch).resources(resources).up()
    }
}

/// The resources of nodes n1, n2 and so on, at 192.0.2.11 and further, whose blocks are 10.244.1.0/24 and further; each with
/// what else its `spec.bgp` has.
pub fn resources(nodes: &[&str], peers: &str) -> String {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: {OUR_AS}, nodeToNodeMeshEnabled: false }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n"
    );
    for (n, more) in (1..).zip(nodes) {
        text += &format!(
            "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
             spec: {{ bgp: {{ ipv4Address: 192.0.2.1{n}/24{more} }}, podCIDRs: [10.244.{n}.0/24] }}\n"
        );
    }
    text + peers
}
