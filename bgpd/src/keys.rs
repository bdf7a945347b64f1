//! The TCP MD5 keys of the listening sockets (RFC 2385): each must be there before the peer's SYN comes, and goes when the
//! peer does. What is wanted is compared with what is set; only differences reach the kernel.

use crate::options;
use bgpd_proto::speaker::SpeakerConfig;
use bgpd_proto::types::{InterfaceName, PeerId, Secret};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Keys by the network whose peers use them.
pub type KeyTable = BTreeMap<IpNet, Secret>;

/// The listening sockets and their keys.
#[derive(Debug, Default)]
pub struct Keys {
    sockets: Vec<(SocketAddr, Arc<TcpListener>)>,
    set: KeyTable,
}

impl Keys {
    /// Sockets without keys.
    pub fn new(sockets: Vec<(SocketAddr, Arc<TcpListener>)>) -> Self {
        let set = KeyTable::new();
        Self { sockets, set }
    }

    /// Makes the sockets' keys those of `wanted`; whether any differs from before. A key that cannot be set is reported
    /// to the log, and tried again with the next change.
    pub fn apply(&mut self, wanted: KeyTable) -> bool {
        let changes = difference(&self.set, &wanted);
        let changed = !changes.is_empty();
        self.set = wanted;
        for (net, key) in changes {
            let family = |address: &SocketAddr| address.is_ipv4() == matches!(net, IpNet::V4(_));
            for (address, socket) in self.sockets.iter().filter(|(address, _)| family(address)) {
                if let Err(error) = options::set_key(socket, net, key.as_ref()) {
                    tracing::error!(%address, %error, "peers with a password cannot connect");
                    self.set.remove(&net);
                }
            }
        }
        changed
    }
}

/// The keys that a configuration wants; `found` are the neighbours on links. The kernel knows a key by its address alone: two
/// links where the neighbours have the same one need the same key.
pub fn wanted(config: &SpeakerConfig, found: &BTreeMap<InterfaceName, Ipv6Addr>) -> KeyTable {
    let peers = config.peers.iter().filter_map(|(id, peer)| {
        let address = match id {
            PeerId::Address(address) => address.to_canonical(),
            PeerId::Interface(name) => (*found.get(name)?).into(),
        };
        Some((IpNet::from(address), peer.password.clone()?))
    });
    let ranges = config
        .ranges
        .iter()
        .filter_map(|range| Some((range.prefix, range.template.password.clone()?)));
    ranges.chain(peers).collect()
}

/// What to set, and what to take away (`None`).
fn difference(set: &KeyTable, wanted: &KeyTable) -> Vec<(IpNet, Option<Secret>)> {
    let gone = set.keys().filter(|net| !wanted.contains_key(net));
    let new = wanted.iter().filter(|(net, key)| set.get(net) != Some(key));
    gone.map(|net| (*net, None))
        .chain(new.map(|(net, key)| (*net, Some(key.clone()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgpd_proto::speaker::{ListenRange, PeerConfig};
    use bgpd_proto::types::{Asn, RouterId};
    use std::net::Ipv4Addr;

    #[test]
    fn ranges_and_neighbours_on_links_have_keys_as_well() {
        let mut config = SpeakerConfig::new(Asn(64512), RouterId(Ipv4Addr::new(192, 0, 2, 1)));
        let mut peer = PeerConfig::new("peer", Asn(65001));
        peer.password = Some(Secret::new(*b"swordfish"));
        let link: InterfaceName = "eth1".parse().unwrap();
        config.peers.insert(PeerId::Interface(link), peer.clone());
        config.ranges.push(ListenRange {
            prefix: "10.0.0.0/8".parse().unwrap(),
            template: peer,
            limit: 1,
        });
        let nets = |found: &[(InterfaceName, Ipv6Addr)]| -> Vec<String> {
            let keys = wanted(&config, &found.iter().copied().collect());
            keys.keys().map(ToString::to_string).collect()
        };
        assert_eq!(nets(&[]), ["10.0.0.0/8"]);
        let found = [(link, "fe80::1".parse().unwrap())];
        assert_eq!(nets(&found), ["10.0.0.0/8", "fe80::1/128"]);
    }

    #[test]
    fn only_differences_are_set() {
        let table = |rows: &[(&str, &str)]| -> KeyTable {
            rows.iter()
                .map(|(net, key)| (net.parse().unwrap(), Secret::new(key.as_bytes())))
                .collect()
        };
        let set = table(&[("192.0.2.1/32", "a"), ("192.0.2.2/32", "b"), ("::1/128", "c")]);
        let wanted = table(&[("192.0.2.1/32", "a"), ("192.0.2.2/32", "x"), ("10.0.0.0/8", "d")]);
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert_eq!(
            difference(&set, &wanted),
            [
                (net("::1/128"), None),
                (net("10.0.0.0/8"), Some(Secret::new(*b"d"))),
                (net("192.0.2.2/32"), Some(Secret::new(*b"x"))),
            ]
        );
        assert!(difference(&set, &set).is_empty());
    }
}
