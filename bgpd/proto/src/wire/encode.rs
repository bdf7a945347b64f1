//! UPDATEs as bytes: as many prefixes in each as share attributes and fit into the negotiated maximum.
//!
//! IPv4 routes with an IPv4 next hop go into the classic fields; all others into MP_REACH_NLRI, which comes
//! first in the list (RFC 7606 §5.1). Towards a two-octet speaker AS_PATH and AGGREGATOR are written with
//! AS_TRANS and their AS4 companions (RFC 6793 §4.2.2).

use std::net::IpAddr;

use super::codes::{self as code, EXTENDED_LENGTH, OPTIONAL, PARTIAL, TRANSITIVE};
use super::context::{EncodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE};
use super::frame::{self, HEADER_LEN};
use super::mp_reach::NextHop;
use super::nlri::Nlri;
use super::path_attributes::{Aggregator, PathAttributes};
use crate::types::{Asn, Family};

/// Header and the two length fields of an UPDATE.
const FIXED: usize = HEADER_LEN + 4;
/// Flags, code and a two-octet length.
const ATTRIBUTE_HEAD: usize = 4;

/// The attributes leave no room for even one prefix in a message of the negotiated maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "attributes of {size} octets leave no room for a prefix in a message of {maximum} octets; the route is not sent"
)]
pub struct AttributesTooLarge {
    /// Size of the attributes in octets.
    pub size: usize,
    /// The negotiated maximum in octets.
    pub maximum: usize,
}

/// Appends UPDATEs that announce `nlri`, and returns how many. On an error nothing has been appended. Prefixes of
/// another family than `family` are left out.
pub fn encode_announcements(
    out: &mut Vec<u8>,
    context: &EncodeContext,
    attributes: &PathAttributes,
    family: Family,
    next_hop: NextHop,
    nlri: impl IntoIterator<Item = Nlri>,
) -> Result<usize, AttributesTooLarge> {
    let (classic, next_hop) = match next_hop {
        NextHop::V4(address) if family == Family::Ipv4Unicast => (Some(address), next_hop),
        // An IPv4 address has a form that an IPv6 next hop can take (RFC 4291 §2.5.5.2).
        NextHop::V4(address) => (None, IpAddr::V6(address.to_ipv6_mapped()).into()),
        NextHop::V6 { .. } => (None, next_hop),
    };
    let mut list = Vec::with_capacity(128);
    write_attributes(&mut list, attributes, classic.map(|a| a.octets()), context);
    let mut reach = Vec::new();
    if classic.is_none() {
        reach.extend(family.afi().to_be_bytes());
        reach.push(family.safi());
        next_hop.encode(&mut reach);
        reach.push(0);
    }
    let head = if classic.is_some() {
        0
    } else {
        ATTRIBUTE_HEAD + reach.len()
    };
    let maximum = maximum(context);
    let size = FIXED + list.len() + head;
    // The longest prefix has a path identifier, a length and 16 octets.
    let room = maximum.checked_sub(size).filter(|room| *room >= 21);
    let room = room.ok_or(AttributesTooLarge { size, maximum })?;
    let pieces = Pieces {
        family,
        room,
        with_path_id: context.has_path_id(family),
    };
    Ok(pieces.cut(nlri, |prefixes| {
        frame::write_message(out, frame::UPDATE, |out| {
            out.extend([0, 0]);
            match classic {
                Some(_) => {
                    out.extend(length(list.len()));
                    out.extend_from_slice(&list);
                    out.extend_from_slice(prefixes);
                }
                None => {
                    out.extend(length(head + prefixes.len() + list.len()));
                    out.extend([OPTIONAL | EXTENDED_LENGTH, code::MP_REACH]);
                    out.extend(length(reach.len() + prefixes.len()));
                    out.extend_from_slice(&reach);
                    out.extend_from_slice(prefixes);
                    out.extend_from_slice(&list);
                }
            }
        });
    }))
}

/// Appends UPDATEs that withdraw `nlri`, and returns how many. Prefixes of another family than `family` are left
/// out.
pub fn encode_withdrawals(
    out: &mut Vec<u8>,
    context: &EncodeContext,
    family: Family,
    nlri: impl IntoIterator<Item = Nlri>,
) -> usize {
    let head = match family {
        Family::Ipv4Unicast => 0,
        Family::Ipv6Unicast => ATTRIBUTE_HEAD + 3,
    };
    let room = maximum(context) - FIXED - head;
    let pieces = Pieces {
        family,
        room,
        with_path_id: context.has_path_id(family),
    };
    pieces.cut(nlri, |prefixes| write_withdrawal(out, family, prefixes))
}

/// Appends the End-of-RIB marker of a family (RFC 4724 §2).
pub fn encode_end_of_rib(out: &mut Vec<u8>, family: Family) {
    write_withdrawal(out, family, &[]);
}

fn write_withdrawal(out: &mut Vec<u8>, family: Family, prefixes: &[u8]) {
    frame::write_message(out, frame::UPDATE, |out| match family {
        Family::Ipv4Unicast => {
            out.extend(length(prefixes.len()));
            out.extend_from_slice(prefixes);
            out.extend([0, 0]);
        }
        Family::Ipv6Unicast => {
            out.extend([0, 0]);
            out.extend(length(ATTRIBUTE_HEAD + 3 + prefixes.len()));
            out.extend([OPTIONAL | EXTENDED_LENGTH, code::MP_UNREACH]);
            out.extend(length(3 + prefixes.len()));
            out.extend(family.afi().to_be_bytes());
            out.push(family.safi());
            out.extend_from_slice(prefixes);
        }
    });
}

fn maximum(context: &EncodeContext) -> usize {
    context.max_message_len.clamp(MAX_MESSAGE, MAX_EXTENDED_MESSAGE)
}

/// How prefixes are cut into pieces that fit into one message each.
struct Pieces {
    family: Family,
    /// Octets in each piece.
    room: usize,
    with_path_id: bool,
}

impl Pieces {
    /// Hands each piece to `write`; returns how many there were.
    fn cut(&self, nlri: impl IntoIterator<Item = Nlri>, mut write: impl FnMut(&[u8])) -> usize {
        let mut piece = Vec::with_capacity(self.room.min(MAX_MESSAGE));
        let mut written = 0;
        for nlri in nlri
            .into_iter()
            .filter(|nlri| Family::of(&nlri.prefix) == self.family)
        {
            if piece.len() + nlri.wire_len(self.with_path_id) > self.room {
                write(&piece);
                written += 1;
                piece.clear();
            }
            nlri.encode(self.with_path_id, &mut piece);
        }
        if !piece.is_empty() {
            write(&piece);
            written += 1;
        }
        written
    }
}

/// Everything but the multiprotocol attributes, in the order of the type codes.
fn write_attributes(
    out: &mut Vec<u8>,
    a: &PathAttributes,
    next_hop: Option<[u8; 4]>,
    context: &EncodeContext,
) {
    attribute(out, code::ORIGIN, 0, &[a.origin.code()]);
    let mut path = Vec::new();
    a.as_path.encode(context.four_octet, &mut path);
    attribute(out, code::AS_PATH, 0, &path);
    if let Some(octets) = next_hop {
        attribute(out, code::NEXT_HOP, 0, &octets);
    }
    if let Some(med) = a.med {
        attribute(out, code::MED, 0, &med.to_be_bytes());
    }
    if let Some(preference) = a.local_pref {
        attribute(out, code::LOCAL_PREF, 0, &preference.to_be_bytes());
    }
    if a.atomic_aggregate {
        attribute(out, code::ATOMIC_AGGREGATE, 0, &[]);
    }
    if let Some(aggregator) = a.aggregator {
        attribute(
            out,
            code::AGGREGATOR,
            0,
            &aggregator_value(aggregator, context.four_octet),
        );
    }
    list(out, code::COMMUNITIES, &a.communities, |c| c.0.to_be_bytes());
    if let Some(originator) = a.originator_id {
        attribute(out, code::ORIGINATOR_ID, 0, &originator.0.octets());
    }
    list(out, code::CLUSTER_LIST, &a.cluster_list, |c| c.octets());
    list(out, code::EXTENDED_COMMUNITIES, &a.extended_communities, |c| c.0);
    if !context.four_octet {
        write_as4(out, a);
    }
    list(out, code::LARGE_COMMUNITIES, &a.large_communities, |c| {
        let mut octets = [0; 12];
        for (part, word) in octets.chunks_exact_mut(4).zip([c.global, c.local1, c.local2]) {
            part.copy_from_slice(&word.to_be_bytes());
        }
        octets
    });
    for raw in &a.unknown {
        attribute(out, raw.code, OPTIONAL | TRANSITIVE | PARTIAL, &raw.value);
    }
}

fn write_as4(out: &mut Vec<u8>, a: &PathAttributes) {
    if a.as_path.needs_as4() {
        let mut path = Vec::new();
        a.as_path.encode(true, &mut path);
        attribute(out, code::AS4_PATH, 0, &path);
    }
    if let Some(aggregator) = a.aggregator.filter(|g| g.asn.0 > u32::from(u16::MAX)) {
        attribute(out, code::AS4_AGGREGATOR, 0, &aggregator_value(aggregator, true));
    }
}

fn aggregator_value(aggregator: Aggregator, four_octet: bool) -> Vec<u8> {
    let Asn(asn) = aggregator.asn;
    let mut value = match four_octet {
        true => asn.to_be_bytes().to_vec(),
        false => aggregator.asn.two_octet().to_be_bytes().to_vec(),
    };
    value.extend(aggregator.address.octets());
    value
}

fn list<T, const N: usize>(out: &mut Vec<u8>, code: u8, items: &[T], octets: impl Fn(&T) -> [u8; N]) {
    if !items.is_empty() {
        let value: Vec<u8> = items.iter().flat_map(octets).collect();
        attribute(out, code, 0, &value);
    }
}

/// One attribute; its flags are those of its type, or `unknown` for a type that has none here.
fn attribute(out: &mut Vec<u8>, code: u8, unknown: u8, value: &[u8]) {
    let flags = code::flags_of(code).unwrap_or(unknown);
    match u8::try_from(value.len()) {
        Ok(short) => out.extend([flags, code, short]),
        Err(_) => {
            out.extend([flags | EXTENDED_LENGTH, code]);
            out.extend(length(value.len()));
        }
    }
    out.extend_from_slice(value);
}

/// A two-octet length. Callers stay below the maximum of a message; a longer attribute is refused as a whole.
fn length(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes()
}
