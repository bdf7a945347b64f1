//! One entry of connection tracking, as far as it says whose it is (`linux/netfilter/nfnetlink_conntrack.h`). Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED};
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage};

use crate::nfnetlink::attribute;

pub(super) const CTA_TUPLE_ORIG: u16 = 1;
pub(super) const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;

/// Source and destination of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Direction {
    source: IpAddr,
    destination: IpAddr,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// As whoever began the flow sent it.
    original: Direction,
    /// As the other end answers it: what is translated shows here.
    reply: Direction,
    /// By which the kernel finds it again.
    tuple: Vec<u8>,
    id: Option<Vec<u8>>,
}

impl Entry {
    /// From the attributes of the kernel's answer; none where it is in a zone or of another family.
    pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
        let tuple = attribute(bytes, CTA_TUPLE_ORIG)?;
        if attribute(bytes, CTA_ZONE).is_some_and(|zone| zone != [0, 0]) {
            return None;
        }
        Some(Entry {
            original: direction(tuple)?,
            reply: direction(attribute(bytes, CTA_TUPLE_REPLY)?)?,
            tuple: tuple.to_vec(),
            id: attribute(bytes, CTA_ID).map(<[u8]>::to_vec),
        })
    }

    /// Whether one of these addresses is an end of the flow, as it was sent or as it was translated.
    pub(super) fn reaches(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let ends = [self.original.source, self.original.destination, self.reply.source];
        ends.iter().any(|end| addresses.contains(end))
    }

    /// Whether the flow goes out with one of these addresses instead of its own.
    pub(super) fn is_translated_to(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let is = self.reply.destination;
        is != self.original.source && addresses.contains(&is)
    }

    pub(super) fn family(&self) -> NetfilterProtoFamily {
        family_of(&self.original.source)
    }

    /// Deletes this one, and none that has taken its place.
    pub(super) fn delete(&self) -> ConntrackMessage {
        let tuple = DefaultNla::new(CTA_TUPLE_ORIG | NLA_F_NESTED, self.tuple.clone());
        let id = self.id.clone().map(|id| DefaultNla::new(CTA_ID, id));
        let attributes = [Some(tuple), id].into_iter().flatten();
        ConntrackMessage::Delete(attributes.map(ConntrackAttribute::Other).collect())
    }
}

pub(super) fn family_of(address: &IpAddr) -> NetfilterProtoFamily {
    match address {
        IpAddr::V4(_) => NetfilterProtoFamily::IPv4,
        IpAddr::V6(_) => NetfilterProtoFamily::IPv6,
    }
}

fn direction(tuple: &[u8]) -> Option<Direction> {
    const CTA_TUPLE_IP: u16 = 1;
    let addresses = attribute(tuple, CTA_TUPLE_IP)?;
    let v4 = |kind| {
        let octets: [u8; 4] = attribute(addresses, kind)?.try_into().ok()?;
        Some(IpAddr::from(octets))
    };
    let v6 = |kind| {
        let octets: [u8; 16] = attribute(addresses, kind)?.try_into().ok()?;
        Some(IpAddr::from(octets))
    };
    // CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST.
    Some(Direction {
        source: v4(1).or_else(|| v6(3))?,
        destination: v4(2).or_else(|| v6(4))?,
    })
}
