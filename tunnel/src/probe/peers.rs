//! Who may ask and who may answer: the peers by their addresses. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::model::{DesiredProbes, LocalEnd, ProbeKey};
use super::schedule::Bucket;
use super::wire::Arrival;
use crate::family::Family;
use crate::model::Device;

/// Requests of one peer that are answered, a second: far more than a peer sends, and few enough to be no burden.
const ANSWER_RATE: u32 = 40;
const ANSWER_BURST: u32 = 40;

#[derive(Debug)]
struct Asker {
    key: ProbeKey,
    /// Where answers go.
    node: IpAddr,
    bucket: Bucket,
}

/// The addresses of all peers, and ours.
#[derive(Debug, Default)]
pub(super) struct Peers {
    local: BTreeMap<Family, LocalEnd>,
    askers: BTreeMap<IpAddr, Asker>,
    nodes: BTreeMap<IpAddr, ProbeKey>,
}

impl Peers {
    /// Those of `desired`; the rates of those that stay go on.
    pub fn update(&mut self, desired: &DesiredProbes) {
        self.local.clone_from(&desired.local);
        let mut before = std::mem::take(&mut self.askers);
        self.nodes.clear();
        for (key, peer) in &desired.peers {
            for node in &peer.nodes {
                self.nodes.insert(*node, key.clone());
            }
            let Some(node) = peer.nodes.iter().find(|node| Family::from(**node) == key.family) else {
                continue;
            };
            for pod in [peer.pod].iter().chain(&peer.others) {
                let known = before.remove(pod).map(|asker| asker.bucket);
                let bucket = known.unwrap_or_else(|| Bucket::new(ANSWER_RATE, ANSWER_BURST));
                let asker = Asker {
                    key: key.clone(),
                    node: *node,
                    bucket,
                };
                self.askers.insert(*pod, asker);
            }
        }
    }

    /// The ends (from, to) of the answer to a request that came from `from` to `to`; none if it is not to be answered.
    pub fn answer_to(&mut self, from: IpAddr, to: IpAddr, now: Duration) -> Option<(IpAddr, IpAddr)> {
        let local = self
            .local
            .get(&Family::from(to))
            .filter(|local| local.pod == to)?;
        let asker = self.askers.get_mut(&from)?;
        asker.bucket.take(now).then_some((local.node, asker.node))
    }

    /// Who a request from `from` is of.
    pub fn asked_by(&self, from: IpAddr) -> Option<&ProbeKey> {
        self.askers.get(&from).map(|asker| &asker.key)
    }

    /// Who an answer from `from` to `to` is of.
    pub fn answered_by(&self, from: IpAddr, to: IpAddr) -> Option<&ProbeKey> {
        self.local
            .get(&Family::from(to))
            .filter(|local| local.node == to)?;
        self.nodes.get(&from)
    }
}

/// How a packet arrived that came by the link called `link`; one that is gone proves nothing.
pub(super) fn arrival(link: Option<&str>) -> Arrival {
    match link {
        Some(name) if name != "lo" && Device::by_name(name).is_none() => Arrival::Native,
        _ => Arrival::Tunnel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::model::ProbePeer;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn desired() -> DesiredProbes {
        let local = LocalEnd {
            pod: ip("10.244.1.0"),
            node: ip("192.0.2.11"),
        };
        let peer = ProbePeer {
            pod: ip("10.244.2.0"),
            others: Vec::new(),
            nodes: vec![ip("192.0.2.12"), ip("198.51.100.12")],
            hop: None,
            size: 1500,
        };
        DesiredProbes {
            local: [(Family::Ipv4, local)].into(),
            peers: [(ProbeKey::new("node-b", Family::Ipv4), peer)].into(),
        }
    }

    #[test]
    fn only_known_pod_addresses_are_answered_at_their_node_and_not_too_often() {
        let mut peers = Peers::default();
        let now = Duration::from_secs(100);
        assert_eq!(peers.answer_to(ip("10.244.2.0"), ip("10.244.1.0"), now), None);
        peers.update(&desired());
        assert_eq!(
            peers.answer_to(ip("10.244.3.0"), ip("10.244.1.0"), now),
            None,
            "an unknown asker"
        );
        assert_eq!(
            peers.answer_to(ip("10.244.2.0"), ip("192.0.2.11"), now),
            None,
            "not our pod address"
        );
        let ends = Some((ip("192.0.2.11"), ip("192.0.2.12")));
        assert_eq!(peers.answer_to(ip("10.244.2.0"), ip("10.244.1.0"), now), ends);
        peers.update(&desired());
        let more = (0..100).filter(|_| peers.answer_to(ip("10.244.2.0"), ip("10.244.1.0"), now).is_some());
        assert_eq!(more.count(), 39);
        assert_eq!(
            peers.answer_to(ip("10.244.2.0"), ip("10.244.1.0"), now + Duration::from_secs(1)),
            ends
        );
    }

    #[test]
    fn only_known_nodes_answer() {
        let mut peers = Peers::default();
        peers.update(&desired());
        let key = ProbeKey::new("node-b", Family::Ipv4);
        assert_eq!(peers.answered_by(ip("192.0.2.12"), ip("192.0.2.11")), Some(&key));
        assert_eq!(
            peers.answered_by(ip("198.51.100.12"), ip("192.0.2.11")),
            Some(&key)
        );
        assert_eq!(peers.answered_by(ip("10.244.2.0"), ip("192.0.2.11")), None);
        assert_eq!(peers.answered_by(ip("192.0.2.12"), ip("10.244.1.0")), None);
    }

    #[test]
    fn what_comes_by_a_tunnel_of_ours_or_from_nowhere_proves_nothing() {
        assert_eq!(arrival(Some("eth0")), Arrival::Native);
        for link in [
            Some("rb-vxlan"),
            Some("rb-vxlan6"),
            Some("rb-ipip"),
            Some("lo"),
            None,
        ] {
            assert_eq!(arrival(link), Arrival::Tunnel, "{link:?}");
        }
    }
}
