//! The BGP messages of the feeder (RFC 4271, RFC 4760, RFC 6793), and the prefixes that it announces. Shares no code with what
//! is measured.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::place::FEEDER;

/// The feeder's AS.
pub const FEEDER_AS: u32 = 65001;
/// The routers' AS.
pub const ROUTER_AS: u32 = 64512;

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
/// The type of a KEEPALIVE message.
pub const KEEPALIVE: u8 = 4;
const LARGEST: usize = 4096;
/// Long, so that nothing but routes is on the wire while something is measured.
const HOLD: u16 = 240;

/// The family of what is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4 /24s.
    V4,
    /// IPv6 /64s, over the same session.
    V6,
}

impl Family {
    /// Where all announced prefixes of the family lie.
    pub fn space(self) -> IpNet {
        match self {
            Family::V4 => Ipv4Net::new_assert(Ipv4Addr::new(20, 0, 0, 0), 6).into(),
            Family::V6 => Ipv6Net::new_assert(Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0), 16).into(),
        }
    }

    /// Prefix number `n`. Those of the bulk begin at 0, the single ones at [`SINGLE`].
    pub fn prefix(self, n: u32) -> IpNet {
        match self {
            Family::V4 => Ipv4Net::new_assert(Ipv4Addr::from((20 << 24) + (n << 8)), 24).into(),
            Family::V6 => {
                let bits = (0x2a00_u128 << 112) + (u128::from(n) << 64);
                Ipv6Net::new_assert(Ipv6Addr::from(bits), 64).into()
            }
        }
    }

    /// The next hop of what is fed, on the wire.
    pub fn gateway(self) -> IpAddr {
        match self {
            Family::V4 => FEEDER.into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0xb, 0, 0, 0, 0, 0, 1).into(),
        }
    }
}

/// Where the prefixes of the measurements of one prefix begin.
pub const SINGLE: u32 = 150_000;
/// IPv4 prefixes outside [`Family::space`] that stay: a peer has others than the one that comes and goes.
pub const STANDING: std::ops::Range<u32> = 0x40000..0x4000a;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    let length = u16::try_from(19 + body.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

/// OPEN with both families and four-octet AS numbers.
pub fn open() -> Vec<u8> {
    let multiprotocol = |afi: u8| [1, 4, 0, afi, 0, 1];
    let mut capabilities = [multiprotocol(1), multiprotocol(2)].concat();
    capabilities.extend([65, 4]);
    capabilities.extend(FEEDER_AS.to_be_bytes());
    let mut body = vec![4];
    body.extend(u16::try_from(FEEDER_AS).unwrap_or(23456).to_be_bytes());
    body.extend(HOLD.to_be_bytes());
    body.extend(FEEDER.octets());
    let length = u8::try_from(capabilities.len()).unwrap_or(u8::MAX);
    body.extend([length + 2, 2, length]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    message(KEEPALIVE, &[])
}

/// The ends of the first feed (RFC 4724, section 2), of both families.
pub fn end_of_rib() -> Vec<u8> {
    let mut out = update(&[], &[], &[]);
    out.extend(update(&[], &attribute(0x80, 15, &[0, 2, 1]), &[]));
    out
}

fn update(withdrawn: &[u8], attributes: &[u8], announced: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut body = length(withdrawn).to_vec();
    body.extend(withdrawn);
    body.extend(length(attributes));
    body.extend(attributes);
    body.extend(announced);
    message(UPDATE, &body)
}

/// Always with an extended length: one form is enough.
fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![flags | 0x10, kind];
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(value);
    out
}

fn nlri(prefix: &IpNet) -> Vec<u8> {
    let octets = match prefix.addr() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut out = vec![prefix.prefix_len()];
    out.extend(octets.iter().take(usize::from(prefix.prefix_len()).div_ceil(8)));
    out
}

/// ORIGIN IGP, an AS_PATH of two whose second one differs from message to message, and NEXT_HOP for IPv4.
fn path(family: Family, number: u32) -> Vec<u8> {
    let mut hops = vec![2, 2];
    hops.extend(FEEDER_AS.to_be_bytes());
    hops.extend((100 + number % 1000).to_be_bytes());
    let mut out = attribute(0x40, 1, &[0]);
    out.extend(attribute(0x40, 2, &hops));
    if family == Family::V4 {
        out.extend(attribute(0x40, 3, &FEEDER.octets()));
    }
    out
}

/// UPDATEs that announce the prefixes, as many in each message as fit.
pub fn announce(family: Family, prefixes: impl Iterator<Item = u32>) -> Vec<u8> {
    packed(family, prefixes, |number, nlri| match family {
        Family::V4 => update(&[], &path(family, number), nlri),
        Family::V6 => {
            let IpAddr::V6(gateway) = family.gateway() else {
                return Vec::new();
            };
            let mut value = vec![0, 2, 1, 16];
            value.extend(gateway.octets());
            value.push(0);
            value.extend(nlri);
            let mut attributes = path(family, number);
            attributes.extend(attribute(0x80, 14, &value));
            update(&[], &attributes, &[])
        }
    })
}

/// UPDATEs that withdraw the prefixes.
pub fn withdraw(family: Family, prefixes: impl Iterator<Item = u32>) -> Vec<u8> {
    packed(family, prefixes, |_, nlri| match family {
        Family::V4 => update(nlri, &[], &[]),
        Family::V6 => update(&[], &attribute(0x80, 15, &[&[0, 2, 1], nlri].concat()), &[]),
    })
}

fn packed(
    family: Family,
    prefixes: impl Iterator<Item = u32>,
    form: impl Fn(u32, &[u8]) -> Vec<u8>,
) -> Vec<u8> {
    /// More than all but the prefixes takes in either form.
    const REST: usize = 100;
    let (mut out, mut part, mut number) = (Vec::new(), Vec::new(), 0);
    for prefix in prefixes {
        let next = nlri(&family.prefix(prefix));
        if part.len() + next.len() > LARGEST - REST {
            out.extend(form(number, &part));
            part.clear();
            number += 1;
        }
        part.extend(next);
    }
    if !part.is_empty() {
        out.extend(form(number, &part));
    }
    out
}
