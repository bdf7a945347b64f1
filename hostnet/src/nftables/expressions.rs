//! The parts of a rule as the kernel's expressions (`linux/netfilter/nf_tables.h`), just as `nft` writes them, so that it can list
//! them. Pure.
//!
//! `fib`, `counter`, `masq` and `nat` are not among the typed expressions of the netlink crate; their attributes are written here.

use std::net::IpAddr;

use ipnet::Ipv6Net;
use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, Expressions, Immediate, Lookup, Meta, MetaKey, Operator, Payload, Register,
    Verdict, VerdictAttribute,
};

use super::model::Part;
use super::ranges::Family;

/// The one register that is needed: each condition loads a value and compares it.
const REGISTER: Register = Register::Reg1;

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`, `IPPROTO_ICMPV6`.
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const IPPROTO_ICMPV6: u8 = 58;

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// Length of interface names and kinds, with padding (`IFNAMSIZ`).
const NAME: usize = 16;

/// Verdicts of netfilter (`linux/netfilter.h`).
const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;

/// The expressions of a part.
pub(super) fn expressions(part: &Part) -> Vec<Expressions> {
    match part {
        Part::FromInterface(begin) => meta(MetaKey::Iifname, Operator::Equal, begin.as_bytes()),
        Part::NotFromInterface(begin) => meta(MetaKey::Iifname, Operator::NotEqual, begin.as_bytes()),
        Part::FromKind(kind) => meta(MetaKey::Iifkind, Operator::Equal, &padded(kind)),
        Part::NotToInterface(begin) => meta(MetaKey::Oifname, Operator::NotEqual, begin.as_bytes()),
        Part::Of(family) => meta(MetaKey::Nfproto, Operator::Equal, &[protocol(*family)]),
        Part::Source6(range) => source6(range),
        Part::SourceIn(family, set) => vec![source(*family), look_up(set, 0)],
        Part::DestinationNotIn(family, set) => vec![destination(*family), look_up(set, NFT_LOOKUP_F_INV)],
        Part::ToAnotherHost => vec![fib_kind(), compare(Operator::Equal, &RTN_UNICAST.to_ne_bytes())],
        Part::Icmpv6 => meta(MetaKey::L4Proto, Operator::Equal, &[IPPROTO_ICMPV6]),
        Part::Icmpv6Type(kind) => vec![load(TRANSPORT_HEADER, 0, 1), compare(Operator::Equal, &[*kind])],
        Part::NoWayBack => vec![fib_way_back(), compare(Operator::Equal, &[0; 4])],
        Part::Count => vec![counter()],
        Part::Jump(chain) => vec![verdict(Verdict::Jump, Some(chain))],
        Part::Accept => vec![verdict(Verdict::Other(NF_ACCEPT), None)],
        Part::Drop => vec![verdict(Verdict::Other(NF_DROP), None)],
        Part::Masquerade => vec![masquerade()],
        Part::SourceTo(address) => source_to(address).into(),
    }
}

fn protocol(family: Family) -> u8 {
    match family {
        Family::V4 => NFPROTO_IPV4,
        Family::V6 => NFPROTO_IPV6,
    }
}

fn padded(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(NAME, 0);
    bytes
}

fn meta(key: MetaKey, operator: Operator, value: &[u8]) -> Vec<Expressions> {
    let load = Expressions::Meta(vec![Meta::Key(key), Meta::DestinationRegister(REGISTER)]);
    vec![load, compare(operator, value)]
}

fn load(base: u32, offset: u32, length: u32) -> Expressions {
    Expressions::Payload(vec![
        Payload::DestinationRegister(REGISTER),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(length),
    ])
}

fn compare(operator: Operator, value: &[u8]) -> Expressions {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(REGISTER),
        Cmp::Op(operator),
        Cmp::Data(DataAttribute::Value(value.to_vec())),
    ])
}

/// `NFT_LOOKUP_F_INV`: matches where it is not in the set.
const NFT_LOOKUP_F_INV: u32 = 1;

fn look_up(set: &str, flags: u32) -> Expressions {
    Expressions::Lookup(vec![
        Lookup::Set(set.to_owned()),
        Lookup::SourceRegister(REGISTER),
        Lookup::Flags(flags),
    ])
}

/// RFC 791 section 3.1, RFC 8200 section 3.
fn source(family: Family) -> Expressions {
    match family {
        Family::V4 => load(NETWORK_HEADER, 12, 4),
        Family::V6 => load(NETWORK_HEADER, 8, 16),
    }
}

fn destination(family: Family) -> Expressions {
    match family {
        Family::V4 => load(NETWORK_HEADER, 16, 4),
        Family::V6 => load(NETWORK_HEADER, 24, 16),
    }
}

fn source6(range: &Ipv6Net) -> Vec<Expressions> {
    let (mask, zero) = (range.netmask().octets().to_vec(), vec![0; 16]);
    let masked = Expressions::Bitwise(vec![
        Bitwise::SourceRegister(REGISTER),
        Bitwise::DestinationRegister(REGISTER),
        Bitwise::Length(16),
        Bitwise::Mask(DataAttribute::Value(mask)),
        Bitwise::Xor(DataAttribute::Value(zero)),
    ]);
    let mut all = vec![source(Family::V6)];
    all.extend((range.prefix_len() < 128).then_some(masked));
    all.push(compare(Operator::Equal, &range.network().octets()));
    all
}

fn verdict(code: Verdict, chain: Option<&str>) -> Expressions {
    let mut attributes = vec![VerdictAttribute::Code(code)];
    attributes.extend(chain.map(|chain| VerdictAttribute::Chain(chain.to_owned())));
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(attributes)),
    ])
}

/// `fib saddr . iif oif`: whether there is a route to the source through the interface by which the packet came.
fn fib_way_back() -> Expressions {
    const NFT_FIB_RESULT_OIF: u32 = 1;
    const NFTA_FIB_F_SADDR: u32 = 1;
    const NFTA_FIB_F_IIF: u32 = 8;
    const NFTA_FIB_F_PRESENT: u32 = 32;
    fib(
        NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT,
        NFT_FIB_RESULT_OIF,
    )
}

/// `RTN_UNICAST` (`linux/rtnetlink.h`).
const RTN_UNICAST: u32 = 1;

/// `fib daddr type`: what kind of address the destination is to this node.
fn fib_kind() -> Expressions {
    const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
    const NFTA_FIB_F_DADDR: u32 = 2;
    fib(NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE)
}

fn fib(flags: u32, result: u32) -> Expressions {
    const NFTA_FIB_DREG: u16 = 1;
    const NFTA_FIB_RESULT: u16 = 2;
    const NFTA_FIB_FLAGS: u16 = 3;
    let numbers = [
        (NFTA_FIB_FLAGS, flags),
        (NFTA_FIB_RESULT, result),
        (NFTA_FIB_DREG, REGISTER.into()),
    ];
    other("fib", &numbers)
}

/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY` (`linux/netfilter/nf_nat.h`): the port is taken at random.
const RANDOM_PORT: u32 = 16;

fn masquerade() -> Expressions {
    const NFTA_MASQ_FLAGS: u16 = 1;
    other("masq", &[(NFTA_MASQ_FLAGS, RANDOM_PORT)])
}

/// Of a range of addresses only the first is given, as `nft` does for a single one. That there is an address at all newer kernels
/// add to the flags themselves, and tell it when they are read; so it is said here too.
fn source_to(address: &IpAddr) -> [Expressions; 2] {
    const NFTA_NAT_TYPE: u16 = 1;
    const NFTA_NAT_FAMILY: u16 = 2;
    const NFTA_NAT_REG_ADDR_MIN: u16 = 3;
    const NFTA_NAT_FLAGS: u16 = 7;
    const NFT_NAT_SNAT: u32 = 0;
    const NF_NAT_RANGE_MAP_IPS: u32 = 1;
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let load = Expressions::Immediate(vec![
        Immediate::DestinationRegister(REGISTER),
        Immediate::Data(DataAttribute::Value(octets)),
    ]);
    let numbers = [
        (NFTA_NAT_TYPE, NFT_NAT_SNAT),
        (NFTA_NAT_FAMILY, protocol(Family::of(address)).into()),
        (NFTA_NAT_REG_ADDR_MIN, REGISTER.into()),
        (NFTA_NAT_FLAGS, RANDOM_PORT | NF_NAT_RANGE_MAP_IPS),
    ];
    [load, other("nat", &numbers)]
}

/// An expression of numbers.
fn other(name: &str, numbers: &[(u16, u32)]) -> Expressions {
    let number = |&(kind, value): &(u16, u32)| DefaultNla::new(kind, value.to_be_bytes().to_vec());
    Expressions::Other {
        expression_type: name.to_owned(),
        attributes: numbers.iter().map(number).collect(),
    }
}

/// The name of the expression that counts.
pub(super) const COUNTER: &str = "counter";

/// A counter, beginning at zero.
fn counter() -> Expressions {
    Expressions::Other {
        expression_type: COUNTER.to_owned(),
        attributes: Vec::new(),
    }
}

/// Packets and bytes of a counter that was read.
pub(super) fn counted(expression: &Expressions) -> Option<(u64, u64)> {
    const NFTA_COUNTER_BYTES: u16 = 1;
    const NFTA_COUNTER_PACKETS: u16 = 2;
    let Expressions::Other {
        expression_type,
        attributes,
    } = expression
    else {
        return None;
    };
    let number = |kind| {
        use netlink_packet_core::Nla;
        let attribute = attributes.iter().find(|attribute| attribute.kind() == kind)?;
        let mut value = [0; 8];
        (attribute.value_len() == value.len()).then(|| attribute.emit_value(&mut value))?;
        Some(u64::from_be_bytes(value))
    };
    (expression_type == COUNTER).then_some(())?;
    Some((number(NFTA_COUNTER_PACKETS)?, number(NFTA_COUNTER_BYTES)?))
}
