//! What the kernel is asked for: all entries, or, for few addresses, those that have one of them in a certain place. Pure.
//!
//! A narrow question (Linux 5.8) costs the kernel the same walk, but none of the copying and reading, which is most of it. An older
//! kernel answers it with all entries; so answers are looked through in any case. About IPv6 addresses it is not asked: Linux 6.18 does
//! not find the entries that have them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED};
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::conntrack::{ConntrackMessage, ConntrackMessageType};

use super::entry::{CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, family_of};

/// More addresses than this are looked for in all entries.
pub(super) const FEW: usize = 8;

/// A place in an entry where an address may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Source,
    Destination,
    ReplySource,
    ReplyDestination,
}

/// A question, and the family that it is about.
pub(super) type Question = (NetfilterProtoFamily, ConntrackMessage);

/// All entries there are.
pub(super) fn everything() -> Question {
    (NetfilterProtoFamily::Unspec, ConntrackMessage::Get(Vec::new()))
}

/// The questions whose answers have every entry with one of the addresses in one of the places.
pub(super) fn questions(addresses: &BTreeSet<IpAddr>, places: &[Place]) -> Vec<Question> {
    if addresses.len() > FEW {
        return vec![everything()];
    }
    let v4 = addresses.iter().filter(|address| address.is_ipv4());
    let of_address = |address| places.iter().map(move |place| narrow(address, *place));
    let v6 = addresses.iter().any(IpAddr::is_ipv6).then(|| {
        let everything = ConntrackMessage::Get(Vec::new());
        (NetfilterProtoFamily::IPv6, everything)
    });
    v4.flat_map(of_address).chain(v6).collect()
}

fn narrow(address: &IpAddr, place: Place) -> Question {
    const CTA_TUPLE_IP: u16 = 1;
    const CTA_FILTER: u16 = 25;
    const CTA_FILTER_ORIG_FLAGS: u16 = 1;
    const CTA_FILTER_REPLY_FLAGS: u16 = 2;
    const CTA_FILTER_F_IP_SRC: u32 = 1;
    const CTA_FILTER_F_IP_DST: u32 = 2;
    let (tuple, flags_of) = match place {
        Place::Source | Place::Destination => (CTA_TUPLE_ORIG, CTA_FILTER_ORIG_FLAGS),
        Place::ReplySource | Place::ReplyDestination => (CTA_TUPLE_REPLY, CTA_FILTER_REPLY_FLAGS),
    };
    // CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST.
    let (kind, flag) = match place {
        Place::Source | Place::ReplySource => (1, CTA_FILTER_F_IP_SRC),
        Place::Destination | Place::ReplyDestination => (2, CTA_FILTER_F_IP_DST),
    };
    let ip = match address {
        IpAddr::V4(address) => written(kind, &address.octets()),
        IpAddr::V6(address) => written(kind + 2, &address.octets()),
    };
    let filter = written(flags_of, &flag.to_ne_bytes());
    let attributes = [
        (tuple, written(CTA_TUPLE_IP | NLA_F_NESTED, &ip)),
        (CTA_FILTER, filter),
    ];
    let nested = |(kind, value)| DefaultNla::new(kind | NLA_F_NESTED, value);
    // The typed message would drop the flag that says that these are nested.
    let question = ConntrackMessage::Other {
        message_type: ConntrackMessageType::Get.into(),
        attributes: attributes.map(nested).to_vec(),
    };
    (family_of(address), question)
}

/// An attribute as bytes; all of ours have lengths that need no padding.
fn written(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
}
