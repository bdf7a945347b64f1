//! The end of an explanation: the kernel's route, its neighbour and MTU, and the sentence that sums it up.

use config::api::explain::Step;
use ipnet::IpNet;
use routesync::{RouteKey, Target};

use super::question::{Question, step};
use crate::agent::api::{bgp_text, routes as routes_text};
use crate::decide::routes::KernelRoute;
use crate::decide::{RouteDecision, paths as node_paths};

impl Question<'_> {
    /// The kernel's route with neighbour and MTU, and the sentence that sums it up.
    pub(super) fn way(&self, route: Option<(IpNet, &RouteDecision)>) -> (Vec<Step>, String) {
        if self.is_own_pod_address() || self.view.is_local(self.target.addr()) {
            let text = "an address of this host: delivered here";
            return (vec![step("kernel route", text, Vec::new())], text.into());
        }
        let ours = route.and_then(|(prefix, decision)| Some((prefix, decision, decision.kernel.as_deref()?)));
        match (ours, self.foreign()) {
            (Some((prefix, decision, kernel)), foreign)
                if foreign.is_none_or(|f| outranks(&self.decisions.key(prefix), f)) =>
            {
                self.our_way(prefix, decision, kernel)
            }
            (_, Some(foreign)) => self.foreign_way(foreign),
            (_, None) => {
                let text = "no route: packets to it are refused here as unreachable";
                let why = route.map(|(prefix, decision)| format!("{prefix}: {}", decision.reason));
                (
                    vec![step("kernel route", text, why.into_iter().collect())],
                    text.into(),
                )
            }
        }
    }

    fn our_way(&self, prefix: IpNet, decision: &RouteDecision, kernel: &KernelRoute) -> (Vec<Step>, String) {
        let key = self.decisions.key(prefix);
        let installed = routes_text::installed(self.state, self.snapshot, &key);
        let state = if installed {
            "in the kernel"
        } else {
            "NOT in the kernel (see `roadbed status`)"
        };
        let text = kernel.route.text(&prefix);
        let set = kernel
            .set
            .iter()
            .map(|set| format!("with all routes of the set {set}"));
        let mut steps = vec![step("kernel route", format!("{text}: {state}"), set.collect())];
        let Target::Forward(hops) = &kernel.route.target else {
            return (steps, format!("dropped here: {}", decision.reason));
        };
        for hop in hops {
            steps.push(step("neighbour", self.neighbour(hop, decision), Vec::new()));
        }
        let mtu = hops
            .iter()
            .filter_map(|h| Some((self.view.link(&h.interface)?.mtu, &h.interface)))
            .min();
        // Of a tunnel's device others may have made it what it is.
        let path = decision.node.as_ref().zip(self.plan.pool_of(&prefix));
        let path =
            path.and_then(|(node, pool)| node_paths::find(&self.decisions.outline.paths, &pool.name, node));
        let why: Vec<String> = path.iter().map(|path| self.mtu_of(path)).collect();
        steps.extend(mtu.map(|(mtu, link)| step("mtu", format!("{mtu} bytes, of {link}"), why)));
        let way = decision
            .encapsulation
            .map_or_else(|| "delivered on this node", bgp_text::way);
        let towards = decision
            .node
            .as_ref()
            .map_or_else(String::new, |n| format!(" to node {n}"));
        (steps, format!("{way}{towards}: {}", decision.reason))
    }

    fn neighbour(&self, hop: &routesync::Hop, decision: &RouteDecision) -> String {
        use tunnel::Encapsulation as E;
        let Some(gateway) = hop.gateway else {
            return format!("permanent entry on {}, made with the pod's link", hop.interface);
        };
        match decision.encapsulation {
            Some(E::Vxlan) => {
                let Some(remote) = self
                    .decisions
                    .outline
                    .tunnels
                    .desired
                    .remotes
                    .values()
                    .find(|r| r.gateway == gateway)
                else {
                    return format!("{gateway} on {}: no tunnel end is known for it", hop.interface);
                };
                let (mac, end) = (tunnel::mac::ShowMac(remote.mac), remote.endpoint);
                format!(
                    "{gateway} on {}: permanent, VTEP {mac}, outer destination {end}",
                    hop.interface
                )
            }
            Some(E::Ipip) => format!("none: the outer destination is {gateway}"),
            _ => format!("{gateway} on {}, resolved by the kernel", hop.interface),
        }
    }

    pub(super) fn foreign(&self) -> Option<&routesync::ForeignRoute> {
        let holding = self
            .view
            .foreign
            .iter()
            .filter(|f| f.destination.contains(&self.target));
        holding.max_by_key(|f| (f.destination.prefix_len(), std::cmp::Reverse(f.metric.0)))
    }

    fn foreign_way(&self, foreign: &routesync::ForeignRoute) -> (Vec<Step>, String) {
        let hops: Vec<String> = foreign
            .hops
            .iter()
            .map(|hop| {
                let name = self.view.links.get(&hop.index).map_or("?", |l| &*l.name);
                hop.gateway.map_or_else(
                    || format!("dev {name}"),
                    |gateway| format!("via {gateway} dev {name}"),
                )
            })
            .collect();
        let text = format!(
            "{} {} (protocol {}, not ours)",
            foreign.destination,
            hops.join(", "),
            foreign.protocol
        );
        let verdict = format!("by the kernel's own route {text}");
        (vec![step("kernel route", text, Vec::new())], verdict)
    }
}

/// The longest prefix wins; for the same prefix the lower metric does, and ours is high on purpose.
fn outranks(ours: &RouteKey, foreign: &routesync::ForeignRoute) -> bool {
    use std::cmp::Reverse;
    let rank = |destination: &IpNet, metric| (destination.prefix_len(), Reverse(metric));
    rank(&ours.destination, ours.metric) > rank(&foreign.destination, foreign.metric)
}
