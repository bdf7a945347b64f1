//! Path attributes as the RIB stores them: the octets of an attribute list, always in the order and form that the encoder
//! writes towards a speaker of four-octet AS numbers, without next hop and NLRI. Equal sets are equal octets.

use super::attributes;
use super::codes as code;
use super::community::Community;
use super::context::{DecodeContext, EncodeContext, MAX_EXTENDED_MESSAGE};
use super::encode::write_attributes;
use super::path_attributes::PathAttributes;
use super::reader::Reader;
use crate::types::{Asn, PeerKind, PerFamily, RouterId};
use std::net::Ipv4Addr;

/// Appends the octets.
pub(crate) fn write(attributes: &PathAttributes, out: &mut Vec<u8>) {
    write_attributes(out, attributes, None, &EncodeContext::default());
}

/// What such octets say.
pub(crate) fn read(octets: &[u8]) -> PathAttributes {
    let context = DecodeContext {
        four_octet: true,
        peer_kind: PeerKind::Internal,
        add_path: PerFamily::default(),
        extended_next_hop: true,
        max_message_len: MAX_EXTENDED_MESSAGE,
    };
    // What we wrote ourselves has no faults.
    attributes::decode(octets, &context).map_or_else(|_| PathAttributes::default(), |(values, _)| values)
}

/// Such octets, to be asked without being made into values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical<'a>(pub &'a [u8]);

impl<'a> Canonical<'a> {
    /// Each attribute: flags, type code and value.
    pub fn attributes(self) -> impl Iterator<Item = (u8, u8, &'a [u8])> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || attributes::next(&mut reader))
    }

    /// The same, each with all its octets in front.
    pub fn raw(self) -> impl Iterator<Item = (&'a [u8], u8, u8, &'a [u8])> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            let start = reader.rest();
            let (flags, code, value) = attributes::next(&mut reader)?;
            Some((&start[..start.len() - reader.len()], flags, code, value))
        })
    }

    /// The value of one attribute, empty where it is not there.
    pub(super) fn value(self, wanted: u8) -> &'a [u8] {
        self.attributes()
            .find(|(_, code, _)| *code == wanted)
            .map_or(&[], |(_, _, value)| value)
    }

    /// AS_PATH, as octets.
    pub fn as_path(self) -> &'a [u8] {
        self.value(code::AS_PATH)
    }
}

/// The four octets of a value that has four.
fn word(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// The segments of an AS_PATH in octets: whether it is a sequence, and its numbers.
pub(super) fn segments(path: &[u8]) -> impl Iterator<Item = (bool, &[[u8; 4]])> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let [kind, length, tail @ ..] = rest else {
            return None;
        };
        let (octets, tail) = tail.split_at_checked(usize::from(*length) * 4)?;
        rest = tail;
        Some((*kind == 2, octets.as_chunks().0))
    })
}

/// What is asked of attributes without changing them, whichever form they have.
pub(crate) trait Says {
    /// Whether the community is there.
    fn has(&self, community: Community) -> bool;
    /// How many AS numbers of the path are one of two.
    fn count_asns(&self, asns: [Asn; 2]) -> usize;
    /// See [`AsPath::first`](super::AsPath::first).
    fn first_asn(&self) -> Option<Asn>;
    /// ORIGINATOR_ID.
    fn originator(&self) -> Option<RouterId>;
    /// Whether the cluster is in the CLUSTER_LIST.
    fn has_cluster(&self, cluster: Ipv4Addr) -> bool;
    /// How many clusters the route has passed.
    fn clusters(&self) -> usize;
    /// ONLY_TO_CUSTOMER.
    fn otc(&self) -> Option<Asn>;
}

impl Says for PathAttributes {
    fn has(&self, community: Community) -> bool {
        self.has(community)
    }

    fn count_asns(&self, asns: [Asn; 2]) -> usize {
        self.as_path.asns().filter(|asn| asns.contains(asn)).count()
    }

    fn first_asn(&self) -> Option<Asn> {
        self.as_path.first()
    }

    fn originator(&self) -> Option<RouterId> {
        self.originator_id
    }

    fn has_cluster(&self, cluster: Ipv4Addr) -> bool {
        self.cluster_list.contains(&cluster)
    }

    fn clusters(&self) -> usize {
        self.cluster_list.len()
    }

    fn otc(&self) -> Option<Asn> {
        self.otc
    }
}

impl Says for Canonical<'_> {
    fn has(&self, community: Community) -> bool {
        let (all, _) = self.value(code::COMMUNITIES).as_chunks::<4>();
        all.contains(&community.0.to_be_bytes())
    }

    fn count_asns(&self, asns: [Asn; 2]) -> usize {
        let wanted = asns.map(|asn| asn.0.to_be_bytes());
        segments(self.as_path())
            .flat_map(|(_, asns)| asns)
            .filter(|asn| wanted.contains(*asn))
            .count()
    }

    fn first_asn(&self) -> Option<Asn> {
        let (is_sequence, asns) = segments(self.as_path()).next()?;
        let first = asns.first().filter(|_| is_sequence)?;
        Some(Asn(u32::from_be_bytes(*first)))
    }

    fn originator(&self) -> Option<RouterId> {
        word(self.value(code::ORIGINATOR_ID)).map(|id| RouterId(id.into()))
    }

    fn has_cluster(&self, cluster: Ipv4Addr) -> bool {
        let (all, _) = self.value(code::CLUSTER_LIST).as_chunks::<4>();
        all.contains(&cluster.octets())
    }

    fn clusters(&self) -> usize {
        self.value(code::CLUSTER_LIST).len() / 4
    }

    fn otc(&self) -> Option<Asn> {
        word(self.value(code::ONLY_TO_CUSTOMER)).map(Asn)
    }
}

/// What the decision weighs of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights {
    pub local_pref: Option<u32>,
    /// See [`AsPath::hops`](super::AsPath::hops).
    pub hops: usize,
    /// See [`AsPath::first`](super::AsPath::first).
    pub first_asn: Option<Asn>,
    /// ORIGIN, as its code.
    pub origin: u8,
    pub med: Option<u32>,
    /// LLGR_STALE is there (RFC 9494).
    pub stale: bool,
    /// ORIGINATOR_ID or CLUSTER_LIST is there.
    pub reflected: bool,
}

impl Canonical<'_> {
    /// What the decision weighs, in one pass.
    pub fn weights(self) -> Weights {
        let mut weights = Weights {
            local_pref: None,
            hops: 0,
            first_asn: None,
            origin: 0,
            med: None,
            stale: false,
            reflected: false,
        };
        let stale = Community::LLGR_STALE.0.to_be_bytes();
        for (_, code, value) in self.attributes() {
            match code {
                code::ORIGIN => weights.origin = value.first().copied().unwrap_or(0),
                code::AS_PATH => {
                    for (n, (is_sequence, asns)) in segments(value).enumerate() {
                        weights.hops += if is_sequence { asns.len() } else { 1 };
                        let first = asns.first().filter(|_| is_sequence && n == 0);
                        weights.first_asn = weights
                            .first_asn
                            .or(first.map(|asn| Asn(u32::from_be_bytes(*asn))));
                    }
                }
                code::MED => weights.med = word(value),
                code::LOCAL_PREF => weights.local_pref = word(value),
                code::COMMUNITIES => weights.stale = value.as_chunks::<4>().0.contains(&stale),
                code::ORIGINATOR_ID | code::CLUSTER_LIST => weights.reflected = true,
                _ => {}
            }
        }
        weights
    }
}
