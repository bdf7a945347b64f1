//! One entry of connection tracking, as far as it says whose it is (`linux/netfilter/nfnetlink_conntrack.h`). Pure.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED};
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage};

use crate::nfnetlink::attribute;

pub(super) const CTA_TUPLE_ORIG: u16 = 1;
pub(super) const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;

/// Source and destination of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Direction {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// As whoever began the flow sent it.
    pub(super) original: Direction,
    /// As the other end answers it: what is translated shows here.
    pub(super) reply: Direction,
    /// Packets went both ways.
    pub(super) answered: bool,
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
            answered: is_answered(attribute(bytes, CTA_STATUS)),
            tuple: tuple.to_vec(),
            id: attribute(bytes, CTA_ID).map(<[u8]>::to_vec),
        })
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

/// Without a word about it, it is taken for answered: that one stays.
fn is_answered(status: Option<&[u8]>) -> bool {
    const IPS_SEEN_REPLY: u32 = 1 << 1;
    let bits = status.and_then(|status| status.try_into().ok());
    bits.is_none_or(|bits| u32::from_be_bytes(bits) & IPS_SEEN_REPLY != 0)
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
