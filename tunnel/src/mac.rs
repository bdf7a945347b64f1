//! The MAC address of a node's VXLAN tunnel end (VTEP).
//!
//! Every node computes the same address from the node's name alone, so nothing is exchanged or learned. The rule is
//! Calico's, so that a node keeps its address when one takes the place of the other: 0x66 and the first five bytes of
//! the SHA-1 of the node's name, with `-v6` appended to the name for the IPv6 device. 0x66 has the locally administered
//! bit set and the multicast bit clear (IEEE 802-2014 §8.2).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use sha1::{Digest, Sha1};

use crate::family::Family;

const FIRST_BYTE: u8 = 0x66;

/// The VTEP's MAC address of the node called `node`, for the device that carries `family`.
pub fn vtep_mac(node: &str, family: Family) -> [u8; 6] {
    let mut hash = Sha1::new();
    hash.update(node.as_bytes());
    if family == Family::Ipv6 {
        hash.update(b"-v6");
    }
    let digest = hash.finalize();
    let mut mac = [FIRST_BYTE; 6];
    for (byte, hashed) in mac.iter_mut().skip(1).zip(digest.iter()) {
        *byte = *hashed;
    }
    mac
}

/// The next hop for routes over the tunnel to a node with the BGP address `address` and the VTEP address `mac`.
///
/// IPv4 takes the node's address itself, as an on-link gateway. The kernel refuses that for IPv6 as soon as any route but the
/// default one leads to the address over another link (`ip6_route_check_nh_onlink`: "device mismatch"); a link-local
/// address is always taken, so there it is the one that belongs to the MAC address (RFC 4291 appendix A). It is never
/// on the wire: the neighbour entry is static.
pub fn vtep_gateway(address: IpAddr, mac: [u8; 6]) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(_) => {
            let [a, b, c, d, e, f] = mac;
            let words = [[a ^ 2, b], [c, 0xff], [0xfe, d], [e, f]].map(u16::from_be_bytes);
            let [first, second, third, fourth] = words;
            IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, first, second, third, fourth))
        }
    }
}

/// Shows a MAC address as `66:07:02:c1:cc:60`.
#[derive(Debug, Clone, Copy)]
pub struct ShowMac(pub [u8; 6]);

impl fmt::Display for ShowMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from another implementation: `"66" + hashlib.sha1(name).hexdigest()[:10]` in Python.
    #[test]
    fn agrees_with_another_sha1() {
        let long = "ip-10-0-0-1.eu-west-1.compute.internal";
        for (name, family, expected) in [
            ("node-a", Family::Ipv4, "66:07:02:c1:cc:60"),
            ("node-a", Family::Ipv6, "66:d4:d5:51:3d:42"),
            ("node-b", Family::Ipv4, "66:89:3a:22:7a:ac"),
            ("node-b", Family::Ipv6, "66:35:be:36:cf:19"),
            (long, Family::Ipv4, "66:22:36:a4:22:94"),
            (long, Family::Ipv6, "66:69:dd:eb:50:aa"),
        ] {
            assert_eq!(
                ShowMac(vtep_mac(name, family)).to_string(),
                expected,
                "{name} {family}"
            );
        }
    }

    #[test]
    fn the_gateway_is_the_node_or_its_link_local_address() {
        let v4 = "192.0.2.12".parse().unwrap();
        assert_eq!(vtep_gateway(v4, vtep_mac("node-b", Family::Ipv4)), v4);
        let v6 = "2001:db8::12".parse().unwrap();
        let gateway = vtep_gateway(v6, vtep_mac("node-b", Family::Ipv6));
        assert_eq!(gateway.to_string(), "fe80::6435:beff:fe36:cf19");
    }

    #[test]
    fn is_a_local_unicast_address() {
        let [first, ..] = vtep_mac("n", Family::Ipv4);
        assert_eq!(first & 0b11, 0b10);
    }
}
