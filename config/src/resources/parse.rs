//! Values of fields from their text: addresses, prefixes, AS numbers, each error with what would be right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::intent::{RemoteAs, Side, SourceAddress};
use crate::vocabulary::{Asn, resource_name};

/// A prefix whose host bits are zero.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    let net: IpNet = text.parse().map_err(|_| match text.parse::<IpAddr>() {
        Ok(address) => format!("`{text}` has no prefix length: write {address}/24 or the like"),
        Err(_) => {
            format!("`{text}` is not a prefix: an address, a slash and a length, such as 10.244.0.0/16")
        }
    })?;
    if net.trunc() != net {
        return Err(format!("`{text}` has host bits: write {}", net.trunc()));
    }
    Ok(net)
}

/// The identifier of a cluster of route reflectors: four octets, written as an IPv4 address.
pub(super) fn cluster_id(text: &str) -> Result<Ipv4Addr, String> {
    match text.parse::<Ipv4Addr>() {
        Ok(id) if !id.is_unspecified() => Ok(id),
        _ => Err(format!(
            "`{text}` is not a cluster id: write it as an IPv4 address, such as 244.0.0.1"
        )),
    }
}

/// A prefix that can hold pods: unicast, not link-local, not everything.
pub(super) fn pod_prefix(text: &str) -> Result<IpNet, String> {
    ordinary(prefix(text)?, "pods")
}

/// A range that can hold addresses of services, as [`pod_prefix`]; host bits are kept.
pub(super) fn service_range(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().or_else(|_| prefix(text))?;
    ordinary(net.trunc(), "services").map(|_| net)
}

/// Refuses ranges that meet what no unicast address is in.
fn ordinary(net: IpNet, whose: &str) -> Result<IpNet, String> {
    let reserved: &[&str] = match net {
        IpNet::V4(_) => &["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"],
        IpNet::V6(_) => &["::/8", "fe80::/10", "ff00::/8"],
    };
    let clash = reserved
        .iter()
        .filter_map(|r| r.parse::<IpNet>().ok())
        .find(|r| r.contains(&net) || net.contains(r));
    match clash {
        Some(range) => Err(format!(
            "`{net}` meets the reserved range {range}: {whose} need unicast addresses"
        )),
        None => Ok(net),
    }
}

/// Refuses addresses that no node or router can have.
fn unicast(address: IpAddr) -> Result<IpAddr, String> {
    let wrong = match address {
        IpAddr::V4(a) => a.is_unspecified() || a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_unspecified() || a.is_multicast() || a.to_ipv4_mapped().is_some(),
    };
    if wrong {
        Err(format!(
            "`{address}` cannot be the address of a speaker: write a unicast address"
        ))
    } else {
        Ok(address)
    }
}

fn not_link_local(address: IpAddr) -> Result<IpAddr, String> {
    match address {
        IpAddr::V6(a) if a.is_unicast_link_local() => Err(format!(
            "`{address}` is link-local: such peerings are not built yet, write a routed address"
        )),
        other => Ok(other),
    }
}

/// An address with an optional prefix length, host bits kept.
fn interface(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A node's IPv4 address, such as 192.0.2.11/24 or 192.0.2.11.
pub(super) fn ipv4_interface(text: &str) -> Result<Ipv4Net, String> {
    match interface(text) {
        Some(IpNet::V4(net)) => usable(net.addr().into()).map(|()| net),
        _ => Err(format!(
            "`{text}` is not an IPv4 address: write {}/24 or the like",
            Ipv4Addr::new(192, 0, 2, 11)
        )),
    }
}

/// A node's IPv6 address, such as 2001:db8::11/64.
pub(super) fn ipv6_interface(text: &str) -> Result<Ipv6Net, String> {
    match interface(text) {
        Some(IpNet::V6(net)) => usable(net.addr().into()).map(|()| net),
        _ => {
            let example = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x11);
            Err(format!(
                "`{text}` is not an IPv6 address: write {example}/64 or the like"
            ))
        }
    }
}

fn usable(address: IpAddr) -> Result<(), String> {
    let address = not_link_local(unicast(address)?)?;
    if address.is_loopback() {
        return Err(format!(
            "`{address}` is a loopback address: other nodes cannot reach it"
        ));
    }
    Ok(())
}

/// A range or a single address, as prefix.
pub(super) fn prefix_or_address(text: &str) -> Result<IpNet, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => prefix(text),
    }
}

/// The key of a label as Kubernetes has it: `rack`, `topology.kubernetes.io/zone`.
pub(super) fn label_key(text: &str) -> Result<String, String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let word = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        part.len() <= 63 && part.chars().all(inner) && edge(part.chars().next()) && edge(part.chars().last())
    };
    let good = match text.split_once('/') {
        Some((domain, name)) => resource_name(domain).is_ok() && word(name),
        None => word(text),
    };
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not the key of a label: write rack, topology.kubernetes.io/zone or the like"
        ))
    }
}

/// A peer's address with an optional port.
pub(super) fn peer_address(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let bare = text.parse::<IpAddr>().map(|address| (address, None));
    let parsed = bare.or_else(|_| text.parse::<SocketAddr>().map(|s| (s.ip(), Some(s.port()))));
    let (address, port) = parsed.map_err(|_| {
        format!("`{text}` is not an address: 192.0.2.1, 192.0.2.1:1179, 2001:db8::1 or [2001:db8::1]:1179")
    })?;
    if port == Some(0) {
        return Err(format!("`{text}` has port 0: ports go from 1 to 65535"));
    }
    Ok((unicast(address)?, port))
}

/// Addresses of peers that are not known one by one: not all there are, and no link-local ones.
pub(super) fn peer_range(text: &str) -> Result<IpNet, String> {
    let net = prefix(text)?;
    if net.prefix_len() == 0 {
        return Err(format!(
            "`{text}` is everybody: write the network that the peers are in"
        ));
    }
    unicast(net.network())?;
    match net {
        IpNet::V6(v6) if v6.network().is_unicast_link_local() => Err(format!(
            "`{text}` is link-local: write interface, one BGPPeer for each link"
        )),
        _ => Ok(net),
    }
}

/// The name of a network interface, as Linux allows it.
pub(super) fn interface_name(text: &str) -> Result<String, String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
    if text.len() > 15 || text.contains(odd) || matches!(text, "" | "." | ".." | "lo") {
        return Err(format!(
            "`{text}` is not an interface that peers are on: 1 to 15 bytes, such as eth1"
        ));
    }
    Ok(text.to_owned())
}

/// `UseNodeIP`, `None`, or an address of the node.
pub(super) fn source_address(text: &str) -> Result<SourceAddress, String> {
    match text {
        "UseNodeIP" => Ok(SourceAddress::UseNodeIp),
        "None" => Ok(SourceAddress::None),
        _ => {
            let address: IpAddr = text.parse().map_err(|_| {
                format!(
                    "`{text}` is not a value of this field: write UseNodeIP, None, or an address of the node"
                )
            })?;
            Ok(SourceAddress::Address(not_link_local(unicast(address)?)?))
        }
    }
}

/// An AS number, or the side that the peer's is on.
pub(super) fn remote_as(text: &str) -> Result<RemoteAs, String> {
    match text {
        "external" => Ok(RemoteAs::Any(Side::External)),
        "internal" => Ok(RemoteAs::Any(Side::Internal)),
        _ => as_number(text).map(RemoteAs::Is),
    }
}

/// An AS number that a speaker can have.
pub(super) fn as_number(text: &str) -> Result<Asn, String> {
    if text == "0" {
        return Err(format!(
            "{}: write the number of your AS",
            Asn(0).reserved().unwrap_or_default()
        ));
    }
    let asn: Asn = text
        .parse()
        .map_err(|error: crate::vocabulary::WordError| error.to_string())?;
    match asn.reserved() {
        Some(why) => Err(format!("{why}: write the number of your AS")),
        None => Ok(asn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_exact() {
        assert!(prefix("10.244.0.0/16").is_ok());
        assert_eq!(
            prefix("10.244.1.5/24"),
            Err("`10.244.1.5/24` has host bits: write 10.244.1.0/24".to_owned())
        );
        assert!(prefix("10.244.0.0").is_err_and(|e| e.contains("no prefix length")));
        assert!(prefix("x").is_err());
    }

    #[test]
    fn pods_need_unicast() {
        for bad in [
            "0.0.0.0/0",
            "169.254.0.0/16",
            "127.0.0.0/24",
            "240.0.0.0/8",
            "::/0",
            "fe80::/64",
            "ff00::/8",
        ] {
            assert!(pod_prefix(bad).is_err(), "{bad}");
        }
        for good in ["10.0.0.0/8", "192.168.0.0/16", "fd00::/48", "2001:db8::/32"] {
            assert!(pod_prefix(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn labels_follow_kubernetes() {
        for good in ["rack", "a", "topology.kubernetes.io/zone", "A_b.c-d"] {
            assert!(label_key(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a/b/c",
            "/a",
            "a/",
            "a b",
            "Upper.io/a",
            &"a".repeat(64),
            "é",
        ] {
            assert!(label_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn peers_may_have_ports() {
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        assert_eq!(peer_address("192.0.2.1"), Ok((address("192.0.2.1"), None)));
        assert_eq!(
            peer_address("192.0.2.1:1179"),
            Ok((address("192.0.2.1"), Some(1179)))
        );
        assert_eq!(peer_address("2001:db8::1"), Ok((address("2001:db8::1"), None)));
        assert_eq!(
            peer_address("[2001:db8::1]:1179"),
            Ok((address("2001:db8::1"), Some(1179)))
        );
        for bad in [
            "",
            "0.0.0.0",
            "224.0.0.1",
            "fe80::1%eth0",
            "192.0.2.1:0",
            "192.0.2.1:99999",
            "tor-1",
            "[::1",
            "::ffff:1.2.3.4",
        ] {
            assert!(peer_address(bad).is_err(), "{bad}");
        }
    }
}
