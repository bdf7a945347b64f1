//! UPDATEs as bytes: as many prefixes in each as share attributes and fit into the negotiated maximum.
//!
//! IPv4 routes with an IPv4 next hop go into the classic fields; all others into MP_REACH_NLRI, which comes
//! first in the list (RFC 7606 §5.1). Towards a two-octet speaker AS_PATH and AGGREGATOR are written with
//! AS_TRANS and their AS4 companions (RFC 6793 §4.2.2).

use std::net::IpAddr;

use super::canonical::Canonical;
use super::codes::{self as code, EXTENDED_LENGTH, OPTIONAL, PARTIAL, TRANSITIVE};
use super::context::{EncodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE};
use super::frame::{self, HEADER_LEN};
use super::mp_reach::NextHop;
use super::nlri::Nlri;
use super::path_attributes::{Aggregator, PathAttributes};
use super::relay::Relay;
use crate::types::{Asn, Family};

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
    let form = Form::announcing(context, attributes, family, next_hop)?;
    Ok(form.write(out, nlri, |_, _| {}))
}

/// Appends UPDATEs that withdraw `nlri`, and returns how many. Prefixes of another family than `family` are left
/// out.
pub fn encode_withdrawals(
    out: &mut Vec<u8>,
    context: &EncodeContext,
    family: Family,
    nlri: impl IntoIterator<Item = Nlri>,
) -> usize {
    Form::withdrawing(context, family).write(out, nlri, |_, _| {})
}

/// Appends the End-of-RIB marker of a family (RFC 4724 §2).
pub fn encode_end_of_rib(out: &mut Vec<u8>, family: Family) {
    Form::withdrawing(&EncodeContext::default(), family).write_one(out, |_| {});
}

/// An UPDATE but for its prefixes: written once for all messages that say the same. Equal forms are equal messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    family: Family,
    with_path_id: bool,
    /// Octets of prefixes in each message.
    room: usize,
    /// What of the body comes before the prefixes.
    before: Vec<u8>,
    /// And after them.
    after: Vec<u8>,
    /// Where in `before` lengths stand that the prefixes count to.
    lengths: Lengths,
}

/// The length fields before the prefixes, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Classic announcement: none.
    None,
    /// Classic withdrawal: the withdrawn routes.
    Withdrawn,
    /// Multiprotocol: the attribute list, and the first attribute of it.
    Attribute,
}

impl Form {
    /// Announcements with these attributes.
    pub fn announcing(
        context: &EncodeContext,
        attributes: &PathAttributes,
        family: Family,
        next_hop: NextHop,
    ) -> Result<Self, AttributesTooLarge> {
        Self::with_list(context, family, next_hop, |out, classic| {
            write_attributes(out, attributes, classic, context);
        })
    }

    /// Announcements with the stored attributes of another peer's, to a speaker of four-octet AS numbers.
    pub fn relaying(
        context: &EncodeContext,
        stored: Canonical<'_>,
        relay: &Relay,
        family: Family,
        next_hop: NextHop,
    ) -> Result<Self, AttributesTooLarge> {
        Self::with_list(context, family, next_hop, |out, classic| {
            relay.write(out, stored, classic);
        })
    }

    /// Announcements with the list that is appended, with NEXT_HOP where it is asked for.
    fn with_list(
        context: &EncodeContext,
        family: Family,
        next_hop: NextHop,
        list: impl FnOnce(&mut Vec<u8>, Option<[u8; 4]>),
    ) -> Result<Self, AttributesTooLarge> {
        let (classic, next_hop) = match next_hop {
            NextHop::V4(address) if family == Family::Ipv4Unicast => (Some(address.octets()), next_hop),
            // An IPv4 address has a form that an IPv6 next hop can take (RFC 4291 §2.5.5.2).
            NextHop::V4(address) => (None, IpAddr::V6(address.to_ipv6_mapped()).into()),
            NextHop::V6 { .. } | NextHop::Link { .. } => (None, next_hop),
        };
        // No withdrawn routes, and the length of the list. There is room for all that most lists say.
        let mut before = Vec::with_capacity(128);
        before.extend_from_slice(&[0; 4]);
        let mut after = Vec::new();
        let lengths = if classic.is_some() {
            list(&mut before, classic);
            let size = length(before.len() - 4);
            before[2..4].copy_from_slice(&size);
            Lengths::None
        } else {
            before.extend([OPTIONAL | EXTENDED_LENGTH, code::MP_REACH, 0, 0]);
            before.extend(family.afi().to_be_bytes());
            before.push(family.safi());
            next_hop.encode(&mut before);
            before.push(0);
            list(&mut after, None);
            Lengths::Attribute
        };
        let maximum = maximum(context);
        let size = HEADER_LEN + before.len() + after.len();
        // The longest prefix has a path identifier, a length and 16 octets.
        let room = maximum.checked_sub(size).filter(|room| *room >= 21);
        Ok(Form {
            family,
            with_path_id: context.has_path_id(family),
            room: room.ok_or(AttributesTooLarge { size, maximum })?,
            before,
            after,
            lengths,
        })
    }

    /// Withdrawals.
    pub fn withdrawing(context: &EncodeContext, family: Family) -> Self {
        let (before, after, lengths) = match family {
            Family::Ipv4Unicast => (vec![0; 2], vec![0; 2], Lengths::Withdrawn),
            Family::Ipv6Unicast => {
                let mut before = vec![0, 0, 0, 0, OPTIONAL | EXTENDED_LENGTH, code::MP_UNREACH, 0, 0];
                before.extend(family.afi().to_be_bytes());
                before.push(family.safi());
                (before, Vec::new(), Lengths::Attribute)
            }
        };
        Form {
            family,
            with_path_id: context.has_path_id(family),
            room: maximum(context) - HEADER_LEN - before.len() - after.len(),
            before,
            after,
            lengths,
        }
    }

    /// Octets of a message without prefixes.
    pub fn overhead(&self) -> usize {
        HEADER_LEN + self.before.len() + self.after.len()
    }

    /// Appends as many messages as the prefixes need, and returns how many; `written` is told the octets so far and the
    /// prefixes in each. Those of another family are left out.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        nlri: impl IntoIterator<Item = Nlri>,
        mut written: impl FnMut(usize, usize),
    ) -> usize {
        let mut nlri = nlri
            .into_iter()
            .filter(|nlri| Family::of(&nlri.prefix) == self.family);
        let (mut next, mut messages) = (nlri.next(), 0);
        while next.is_some() {
            let mut prefixes = 0;
            self.write_one(out, |out| {
                let start = out.len();
                while let Some(one) = next {
                    if out.len() - start + one.wire_len(self.with_path_id) > self.room {
                        break;
                    }
                    one.encode(self.with_path_id, out);
                    prefixes += 1;
                    next = nlri.next();
                }
            });
            messages += 1;
            written(out.len(), prefixes);
        }
        messages
    }

    fn write_one(&self, out: &mut Vec<u8>, prefixes: impl FnOnce(&mut Vec<u8>)) {
        frame::write_message(out, frame::UPDATE, |out| {
            let start = out.len();
            out.extend_from_slice(&self.before);
            let end = out.len();
            prefixes(out);
            let size = out.len() - end;
            out.extend_from_slice(&self.after);
            let mut put =
                |at: usize, size: usize| out[start + at..start + at + 2].copy_from_slice(&length(size));
            match self.lengths {
                Lengths::None => {}
                Lengths::Withdrawn => put(0, size),
                Lengths::Attribute => {
                    put(2, self.before.len() - 4 + size + self.after.len());
                    put(6, self.before.len() - 8 + size);
                }
            }
        });
    }
}

fn maximum(context: &EncodeContext) -> usize {
    context.max_message_len.clamp(MAX_MESSAGE, MAX_EXTENDED_MESSAGE)
}

/// Everything but the multiprotocol attributes, in the order of the type codes.
pub(super) fn write_attributes(
    out: &mut Vec<u8>,
    a: &PathAttributes,
    next_hop: Option<[u8; 4]>,
    context: &EncodeContext,
) {
    // Set by whoever did not know the attribute; it stays set (RFC 4271 §5).
    let partial = |code: u8| if a.partial.contains(code) { PARTIAL } else { 0 };
    attribute(out, code::ORIGIN, 0, &[a.origin.code()]);
    head(out, code::AS_PATH, 0, a.as_path.encoded_len(context.four_octet));
    a.as_path.encode(context.four_octet, out);
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
            partial(code::AGGREGATOR),
            &aggregator_value(aggregator, context.four_octet),
        );
    }
    let bit = partial(code::COMMUNITIES);
    list(out, code::COMMUNITIES, bit, &a.communities, |c| c.0.to_be_bytes());
    if let Some(originator) = a.originator_id {
        attribute(out, code::ORIGINATOR_ID, 0, &originator.0.octets());
    }
    list(out, code::CLUSTER_LIST, 0, &a.cluster_list, |c| c.octets());
    let bit = partial(code::EXTENDED_COMMUNITIES);
    list(
        out,
        code::EXTENDED_COMMUNITIES,
        bit,
        &a.extended_communities,
        |c| c.0,
    );
    if !context.four_octet {
        write_as4(out, a);
    }
    let bit = partial(code::LARGE_COMMUNITIES);
    list(out, code::LARGE_COMMUNITIES, bit, &a.large_communities, |c| {
        let mut octets = [0; 12];
        for (part, word) in octets.chunks_exact_mut(4).zip([c.global, c.local1, c.local2]) {
            part.copy_from_slice(&word.to_be_bytes());
        }
        octets
    });
    let mut unknown = a.unknown.iter().peekable();
    while let Some(raw) = unknown.next_if(|raw| raw.code < code::ONLY_TO_CUSTOMER) {
        attribute(out, raw.code, PARTIAL, &raw.value);
    }
    if let Some(otc) = a.otc {
        let bit = partial(code::ONLY_TO_CUSTOMER);
        attribute(out, code::ONLY_TO_CUSTOMER, bit, &otc.0.to_be_bytes());
    }
    for raw in unknown {
        attribute(out, raw.code, PARTIAL, &raw.value);
    }
}

fn write_as4(out: &mut Vec<u8>, a: &PathAttributes) {
    if a.as_path.needs_as4() {
        head(out, code::AS4_PATH, 0, a.as_path.encoded_len(true));
        a.as_path.encode(true, out);
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

fn list<T, const N: usize>(
    out: &mut Vec<u8>,
    code: u8,
    bit: u8,
    items: &[T],
    octets: impl Fn(&T) -> [u8; N],
) {
    if !items.is_empty() {
        head(out, code, bit, items.len() * N);
        items.iter().for_each(|item| out.extend_from_slice(&octets(item)));
    }
}

/// One attribute; its flags are those of its type, for a type that we do not know optional and transitive, and `bit`.
pub(super) fn attribute(out: &mut Vec<u8>, code: u8, bit: u8, value: &[u8]) {
    head(out, code, bit, value.len());
    out.extend_from_slice(value);
}

/// What stands before the value of an attribute.
pub(super) fn head(out: &mut Vec<u8>, code: u8, bit: u8, size: usize) {
    let flags = code::flags_of(code).unwrap_or(OPTIONAL | TRANSITIVE) | bit;
    match u8::try_from(size) {
        Ok(short) => out.extend_from_slice(&[flags, code, short]),
        Err(_) => {
            out.extend_from_slice(&[flags | EXTENDED_LENGTH, code]);
            out.extend_from_slice(&length(size));
        }
    }
}

/// A two-octet length. Callers stay below the maximum of a message; a longer attribute is refused as a whole.
fn length(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes()
}
