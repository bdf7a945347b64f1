//! Address space that no route may lead to, and no next hop may be in (RFC 6890 and its registries, kept to what is
//! never right: documentation and private ranges are in use in the fabrics that this is for).

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefixes that are refused, with all inside them. The default routes are not inside any.
const PREFIXES_V4: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const PREFIXES_V6: [(Ipv6Addr, u8); 5] = [
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// Whether a destination is inside martian space.
pub(super) fn is_martian_prefix(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => PREFIXES_V4.iter().any(|(network, length)| {
            net.prefix_len() >= *length && same_bits_v4(net.addr(), *network, *length)
        }),
        IpNet::V6(net) => PREFIXES_V6.iter().any(|(network, length)| {
            net.prefix_len() >= *length && same_bits_v6(net.addr(), *network, *length)
        }),
    }
}

/// Whether nothing can be sent to this address as a next hop. Link-local addresses are left to the kernel's answer:
/// unnumbered fabrics use them.
pub(super) fn is_martian_next_hop(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets()[0], 0 | 127 | 224..=255),
        IpAddr::V6(v6) => {
            v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()
        }
    }
}

fn same_bits_v4(a: Ipv4Addr, b: Ipv4Addr, length: u8) -> bool {
    let different = a.to_bits() ^ b.to_bits();
    different.leading_zeros() >= u32::from(length)
}

fn same_bits_v6(a: Ipv6Addr, b: Ipv6Addr, length: u8) -> bool {
    let different = a.to_bits() ^ b.to_bits();
    different.leading_zeros() >= u32::from(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn martian_destinations() {
        let cases = [
            ("0.0.0.0/0", false),
            ("0.0.0.0/8", true),
            ("0.1.0.0/16", true),
            ("0.0.0.0/7", false),
            ("127.0.0.0/8", true),
            ("127.0.0.1/32", true),
            ("126.0.0.0/7", false),
            ("169.254.0.0/16", true),
            ("169.254.1.0/24", true),
            ("169.253.0.0/16", false),
            ("224.0.0.0/4", true),
            ("239.1.2.3/32", true),
            ("240.0.0.0/4", true),
            ("255.255.255.255/32", true),
            ("223.255.255.0/24", false),
            ("10.0.0.0/8", false),
            ("192.0.2.0/24", false),
            ("::/0", false),
            ("::/128", true),
            ("::1/128", true),
            ("::2/128", false),
            ("::ffff:0:0/96", true),
            ("::ffff:10.0.0.0/104", true),
            ("fe80::/10", true),
            ("fe80::/64", true),
            ("febf::/16", true),
            ("fec0::/10", false),
            ("ff00::/8", true),
            ("ff02::1/128", true),
            ("fd00::/8", false),
            ("2001:db8::/32", false),
        ];
        for (prefix, martian) in cases {
            assert_eq!(is_martian_prefix(&prefix.parse().unwrap()), martian, "{prefix}");
        }
    }

    #[test]
    fn martian_next_hops() {
        let cases = [
            ("0.0.0.0", true),
            ("127.0.0.1", true),
            ("224.0.0.5", true),
            ("255.255.255.255", true),
            ("192.0.2.1", false),
            ("169.254.0.1", false),
            ("::", true),
            ("::1", true),
            ("ff02::1", true),
            ("::ffff:192.0.2.1", true),
            ("fe80::1", false),
            ("2001:db8::1", false),
        ];
        for (address, martian) in cases {
            assert_eq!(
                is_martian_next_hop(address.parse().unwrap()),
                martian,
                "{address}"
            );
        }
    }
}
