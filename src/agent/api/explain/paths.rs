//! The checks behind one node's path: why it is direct or tunnelled, what the probe of `Auto` has counted, and how large
//! packets may be.

use config::api::explain::Step;
use tunnel::probe::{ProbeKey, ProbeVerdict};
use tunnel::{Encapsulation, Family, Overhead};

use super::question::{Question, step};
use crate::agent::api::bgp_text;
use crate::decide::NodePath;

impl Question<'_> {
    /// Where the target is another node's address: how its pods are reached, a step for each pool.
    pub(super) fn ways_to_node(&self) -> Vec<Step> {
        let single = self.target.prefix_len() == self.target.max_prefix_len();
        let Some(node) = self.plan.remote_at(self.target.addr()).filter(|_| single) else {
            return Vec::new();
        };
        let paths = self
            .decisions
            .outline
            .paths
            .iter()
            .filter(|path| path.node == node.name);
        let text = |path: &NodePath| {
            let way = bgp_text::encapsulation(path.choice.encapsulation);
            format!("pool {}: {way}, {}", path.pool, self.mtu_of(path))
        };
        paths
            .map(|path| step("encapsulation", text(path), self.checks_of(path)))
            .collect()
    }

    /// Everything that was looked at, the check that decided first.
    pub(super) fn checks_of(&self, path: &NodePath) -> Vec<String> {
        let mut checks = vec![path.choice.reason.to_string()];
        checks.push(format!(
            "the kernel's way to {}, our routes left aside: {}",
            path.endpoint,
            l2(&path.path)
        ));
        let auto = self
            .plan
            .pools
            .iter()
            .any(|pool| pool.name == path.pool && pool.is_auto());
        if auto {
            let verdict = self.verdict_on(path);
            checks.push(format!("the probe of the direct way: {verdict}"));
        }
        checks
    }

    /// With the counts of this moment.
    fn verdict_on(&self, path: &NodePath) -> ProbeVerdict {
        let key = ProbeKey::new(path.node.as_str(), path.endpoint.into());
        self.state.parts.probes.verdicts().of(&key)
    }

    /// The largest packet on the path, and whose links and headers make it so.
    pub(super) fn mtu_of(&self, path: &NodePath) -> String {
        let links = path.underlay.links.iter().filter_map(|name| self.view.link(name));
        let Some(link) = links.min_by_key(|link| link.mtu) else {
            return "not known: no link leads to the node".to_owned();
        };
        size(
            &link.name,
            link.mtu,
            path.choice.encapsulation,
            path.endpoint.into(),
        )
    }
}

/// The size of packets over a link, less the encapsulation.
fn size(link: &str, mtu: u32, encapsulation: Encapsulation, family: Family) -> String {
    let overhead = Overhead::of(encapsulation, family).0;
    let left = mtu.saturating_sub(overhead);
    match encapsulation {
        Encapsulation::Direct => format!("{left} bytes, the MTU of {link}"),
        tunnel => format!("{left} bytes: {link} has {mtu}, {tunnel} takes {overhead}"),
    }
}

fn l2(path: &tunnel::L2Path) -> String {
    match path {
        tunnel::L2Path::OnLink { interface } => format!("on-link, {interface}, no gateway"),
        tunnel::L2Path::Routed { gateway, interface } => format!("via {gateway} dev {interface}"),
        tunnel::L2Path::NoRoute(why) => format!("none ({why})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_says_where_it_comes_from() {
        let text = |encapsulation, family| size("eth1", 1500, encapsulation, family);
        assert_eq!(
            text(Encapsulation::Direct, Family::Ipv4),
            "1500 bytes, the MTU of eth1"
        );
        assert_eq!(
            text(Encapsulation::Vxlan, Family::Ipv4),
            "1450 bytes: eth1 has 1500, VXLAN takes 50"
        );
        assert_eq!(
            text(Encapsulation::Vxlan, Family::Ipv6),
            "1430 bytes: eth1 has 1500, VXLAN takes 70"
        );
        assert_eq!(
            text(Encapsulation::Ipip, Family::Ipv4),
            "1480 bytes: eth1 has 1500, IPIP takes 20"
        );
    }
}
