//! The list of path attributes of an UPDATE, read attribute by attribute with RFC 7606's judgement on each.

use std::net::Ipv4Addr;

use super::as_path::AsPath;
use super::codes::{
    AGGREGATOR, AS_PATH, AS4_AGGREGATOR, AS4_PATH, ATOMIC_AGGREGATE, CLUSTER_LIST, COMMUNITIES, Codes,
    EXTENDED_COMMUNITIES, EXTENDED_LENGTH, LARGE_COMMUNITIES, LOCAL_PREF, MED, MP_REACH, MP_UNREACH,
    NEXT_HOP, ONLY_TO_CUSTOMER, OPTIONAL, ORIGIN, ORIGINATOR_ID, PARTIAL, TRANSITIVE, flags_of,
};
use super::community::{Community, ExtendedCommunity, LargeCommunity};
use super::context::DecodeContext;
use super::fault::{Action, Fault};
use super::mp_reach::{self, Multi, NextHop};
use super::nlri::Prefixes;
use super::notification::Notification;
use super::path_attributes::{Aggregator, Origin, PathAttributes, RawAttribute};
use super::reader::Reader;
use crate::types::{Asn, Family, PeerKind, RouterId};

/// What an attribute list says beside what is stored of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub seen: Codes,
    pub next_hop: Option<Ipv4Addr>,
    pub reach: Option<(NextHop, Prefixes)>,
    pub unreach: Option<Prefixes>,
    pub disable: Vec<Family>,
    pub faults: Vec<Fault>,
    /// The list ended inside an attribute.
    pub cut: bool,
}

impl Found {
    /// Whether the list says nothing but attributes, and nothing is wrong with them.
    pub fn is_plain(&self) -> bool {
        let multi = self.reach.is_some() || self.unreach.is_some() || !self.disable.is_empty();
        !multi && self.faults.is_empty() && !self.cut
    }
}

/// Everything that the attribute list says.
#[derive(Default)]
struct Decoded {
    attributes: PathAttributes,
    found: Found,
    repeats: Codes,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
}

/// Why an attribute's value cannot stand.
type Judged = Result<(), (Action, &'static str)>;

const WITHDRAW: fn(&'static str) -> (Action, &'static str) = |what| (Action::TreatAsWithdraw, what);
const DISCARD: fn(&'static str) -> (Action, &'static str) = |what| (Action::Discard, what);

/// Reads the list. An error is the NOTIFICATION for what RFC 7606 leaves as fatal.
pub(super) fn decode(field: &[u8], context: &DecodeContext) -> Result<(PathAttributes, Found), Notification> {
    let mut decoded = Decoded::default();
    let mut reader = Reader::new(field);
    while !reader.is_empty() {
        let start = reader.rest();
        let Some((flags, code, value)) = next(&mut reader) else {
            decoded.cut(start)?;
            break;
        };
        if !decoded.found.seen.insert(code) {
            decoded.repeated(code)?;
            continue;
        }
        let raw = &start[..start.len() - reader.len()];
        decoded.take(flags, code, value, raw, context)?;
    }
    decoded.merge_as4(context);
    decoded.attributes.unknown.sort_by_key(|raw| raw.code);
    Ok((decoded.attributes, decoded.found))
}

/// Flags, code and value of the next attribute; `None` where it runs over the end.
pub(super) fn next<'a>(reader: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    let (flags, code) = (reader.u8()?, reader.u8()?);
    let length = match flags & EXTENDED_LENGTH {
        0 => usize::from(reader.u8()?),
        _ => usize::from(reader.u16()?),
    };
    Some((flags, code, reader.take(length)?))
}

impl Decoded {
    fn fault(&mut self, attribute: u8, (action, what): (Action, &'static str)) {
        self.found.faults.push(Fault {
            attribute,
            action,
            what,
        });
    }

    /// RFC 7606 §4: an attribute that runs over the end; the total length still tells where the NLRI are. Those of a
    /// multiprotocol attribute that is cut itself are lost (§5.3).
    fn cut(&mut self, rest: &[u8]) -> Result<(), Notification> {
        let code = rest.get(1).copied().unwrap_or(0);
        if matches!(code, MP_REACH | MP_UNREACH) {
            return Err(Notification::update(1, Vec::new()));
        }
        self.found.cut = true;
        self.fault(code, WITHDRAW("it runs over the end of the attribute list"));
        Ok(())
    }

    /// RFC 7606 §3 (g): a second multiprotocol attribute is fatal, any other repeat is dropped.
    fn repeated(&mut self, code: u8) -> Result<(), Notification> {
        if matches!(code, MP_REACH | MP_UNREACH) {
            return Err(Notification::update(1, Vec::new()));
        }
        // One word for each type, however often it comes.
        if self.repeats.insert(code) {
            self.fault(code, DISCARD("it appears more than once; the first counts"));
        }
        Ok(())
    }

    fn take(
        &mut self,
        flags: u8,
        code: u8,
        value: &[u8],
        raw: &[u8],
        context: &DecodeContext,
    ) -> Result<(), Notification> {
        let Some(right) = flags_of(code) else {
            return self.unknown(flags, code, value, raw);
        };
        if flags & (OPTIONAL | TRANSITIVE) != right {
            // RFC 7606 §3 (c); for the attributes that are only dropped when malformed, §7.6 and §7.7 apply.
            let action = match code {
                ATOMIC_AGGREGATE | AGGREGATOR | AS4_PATH | AS4_AGGREGATOR => Action::Discard,
                // §7.5, §7.9, §7.10: from outside they go, whatever is wrong with them.
                LOCAL_PREF | ORIGINATOR_ID | CLUSTER_LIST if context.peer_kind == PeerKind::External => {
                    Action::Discard
                }
                _ => Action::TreatAsWithdraw,
            };
            self.fault(code, (action, "its flags are wrong"));
            // What a multiprotocol attribute names must be known even to be withdrawn.
            if !matches!(code, MP_REACH | MP_UNREACH) {
                return Ok(());
            }
        }
        let judged = match code {
            MP_REACH | MP_UNREACH => return self.multiprotocol(code, value, raw, context),
            ORIGIN | AS_PATH | NEXT_HOP | MED | LOCAL_PREF => self.well_known(code, value, context),
            ORIGINATOR_ID | CLUSTER_LIST => self.reflection(code, value, context),
            COMMUNITIES | EXTENDED_COMMUNITIES | LARGE_COMMUNITIES => self.communities(code, value),
            ONLY_TO_CUSTOMER => self.only_to_customer(value),
            _ => self.aggregation(code, value, context),
        };
        match judged {
            Err(wrong) => self.fault(code, wrong),
            Ok(()) if flags & PARTIAL != 0 => self.attributes.partial.insert(code),
            Ok(()) => {}
        }
        Ok(())
    }

    /// RFC 4271 §5, §6.3: unknown well-known is fatal, unknown non-transitive is dropped without a word.
    fn unknown(&mut self, flags: u8, code: u8, value: &[u8], raw: &[u8]) -> Result<(), Notification> {
        if flags & OPTIONAL == 0 {
            return Err(Notification::update(2, raw));
        }
        if flags & TRANSITIVE != 0 {
            self.attributes.unknown.push(RawAttribute {
                code,
                value: value.into(),
            });
        }
        Ok(())
    }

    fn multiprotocol(
        &mut self,
        code: u8,
        value: &[u8],
        raw: &[u8],
        context: &DecodeContext,
    ) -> Result<(), Notification> {
        let fate = if code == MP_REACH {
            let fate = keep(mp_reach::decode_reach(value, context), &mut self.found.reach);
            if self
                .found
                .reach
                .as_ref()
                .is_some_and(|(next_hop, _)| !next_hop.is_host())
            {
                self.fault(code, WITHDRAW("its next hop is no address of a host"));
            }
            fate
        } else {
            keep(mp_reach::decode_unreach(value, context), &mut self.found.unreach)
        };
        match fate {
            Fate::Kept => Ok(()),
            Fate::OtherFamily => {
                self.fault(code, DISCARD("it is of a family that was not negotiated"));
                Ok(())
            }
            Fate::Disable(family) => {
                self.found.disable.push(family);
                Ok(())
            }
            Fate::Fatal => Err(Notification::update(9, raw)),
        }
    }

    fn well_known(&mut self, code: u8, value: &[u8], context: &DecodeContext) -> Judged {
        let four = || <[u8; 4]>::try_from(value).map_err(|_| WITHDRAW("its length is not 4"));
        match code {
            ORIGIN => {
                self.attributes.origin = match value {
                    [0] => Origin::Igp,
                    [1] => Origin::Egp,
                    [2] => Origin::Incomplete,
                    _ => return Err(WITHDRAW("it is none of the three values")),
                }
            }
            AS_PATH => self.attributes.as_path = as_path(value, context.four_octet).map_err(WITHDRAW)?,
            // Whether it is the address of a host is asked only where there are routes that it is for.
            NEXT_HOP => self.found.next_hop = Some(four()?.into()),
            MED => self.attributes.med = Some(u32::from_be_bytes(four()?)),
            // RFC 7606 §7.5: from outside it means nothing and is dropped, whatever its form.
            _ if context.peer_kind == PeerKind::External => {
                return Err(DISCARD("an external peer must not send it"));
            }
            _ => self.attributes.local_pref = Some(u32::from_be_bytes(four()?)),
        }
        Ok(())
    }

    /// RFC 7606 §7.9, §7.10.
    fn reflection(&mut self, code: u8, value: &[u8], context: &DecodeContext) -> Judged {
        if context.peer_kind == PeerKind::External {
            return Err(DISCARD("an external peer must not send it"));
        }
        if code == ORIGINATOR_ID {
            let octets = <[u8; 4]>::try_from(value).map_err(|_| WITHDRAW("its length is not 4"))?;
            self.attributes.originator_id = Some(RouterId(octets.into()));
        } else {
            self.attributes.cluster_list = list(value, |o: [u8; 4]| Ipv4Addr::from(o))?;
        }
        Ok(())
    }

    fn communities(&mut self, code: u8, value: &[u8]) -> Judged {
        let word = |o: &[u8]| o.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
        match code {
            COMMUNITIES => {
                self.attributes.communities =
                    sorted(list(value, |o: [u8; 4]| Community(u32::from_be_bytes(o)))?);
            }
            EXTENDED_COMMUNITIES => {
                self.attributes.extended_communities = sorted(list(value, ExtendedCommunity)?);
            }
            _ => {
                let large = |o: [u8; 12]| LargeCommunity {
                    global: word(&o[..4]),
                    local1: word(&o[4..8]),
                    local2: word(&o[8..]),
                };
                self.attributes.large_communities = sorted(list(value, large)?);
            }
        }
        Ok(())
    }

    /// RFC 9234 §5.
    fn only_to_customer(&mut self, value: &[u8]) -> Judged {
        let octets = <[u8; 4]>::try_from(value).map_err(|_| WITHDRAW("its length is not 4"))?;
        self.attributes.otc = Some(Asn(u32::from_be_bytes(octets)));
        Ok(())
    }

    /// ATOMIC_AGGREGATE, AGGREGATOR and the four-octet companions: dropped when malformed (RFC 7606 §7.6, §7.7,
    /// RFC 6793 §6).
    fn aggregation(&mut self, code: u8, value: &[u8], context: &DecodeContext) -> Judged {
        match code {
            ATOMIC_AGGREGATE if value.is_empty() => self.attributes.atomic_aggregate = true,
            ATOMIC_AGGREGATE => return Err(DISCARD("its length is not 0")),
            AGGREGATOR => {
                self.attributes.aggregator = Some(aggregator(value, context.four_octet).map_err(DISCARD)?);
            }
            AS4_AGGREGATOR | AS4_PATH if context.four_octet => {
                return Err(DISCARD("a speaker of 4-octet AS numbers must not send it"));
            }
            AS4_AGGREGATOR => self.as4_aggregator = Some(aggregator(value, true).map_err(DISCARD)?),
            _ => self.as4_path = Some(as_path(value, true).map_err(DISCARD)?),
        }
        Ok(())
    }

    /// RFC 6793 §4.2.3: the four-octet truth behind what a two-octet speaker sent.
    fn merge_as4(&mut self, context: &DecodeContext) {
        if context.four_octet {
            return;
        }
        if let (Some(old), Some(new)) = (self.attributes.aggregator, self.as4_aggregator) {
            if old.asn != Asn::TRANS {
                // Someone who knows nothing of AS4 attributes aggregated since: both are out of date.
                return;
            }
            self.attributes.aggregator = Some(new);
        }
        if let Some(as4) = self.as4_path.take() {
            let path = std::mem::take(&mut self.attributes.as_path);
            self.attributes.as_path = path.merged_with_as4(as4);
        }
    }
}

/// What a multiprotocol attribute comes to.
enum Fate {
    Kept,
    OtherFamily,
    Disable(Family),
    Fatal,
}

fn keep<T>(multi: Multi<T>, place: &mut Option<T>) -> Fate {
    match multi {
        Multi::Good(value) => {
            *place = Some(value);
            Fate::Kept
        }
        Multi::OtherFamily => Fate::OtherFamily,
        Multi::Disable(family) => Fate::Disable(family),
        Multi::Unreadable => Fate::Fatal,
    }
}

/// The most AS numbers of a path: in two-octet form more of them fit into a message than in the form that we store and
/// send. Nothing near it is a path that a route has taken.
const LONGEST_PATH: usize = 8192;

/// AS 0 is nobody's: a path with it is malformed (RFC 7607 §2).
fn as_path(value: &[u8], four_octet: bool) -> Result<AsPath, &'static str> {
    let path = AsPath::decode(value, four_octet).ok_or("its segments are malformed")?;
    if path.asns().count() > LONGEST_PATH {
        return Err("it is longer than any path can be");
    }
    if path.contains(Asn(0)) {
        Err("AS 0 is in it")
    } else {
        Ok(path)
    }
}

fn aggregator(value: &[u8], four_octet: bool) -> Result<Aggregator, &'static str> {
    let mut reader = Reader::new(value);
    let asn = if four_octet {
        reader.u32()
    } else {
        reader.u16().map(u32::from)
    };
    match (asn, reader.array::<4>(), reader.is_empty()) {
        (Some(0), Some(_), true) => Err("AS 0 is in it"),
        (Some(asn), Some(address), true) => Ok(Aggregator {
            asn: Asn(asn),
            address: address.into(),
        }),
        _ => Err("its length is wrong"),
    }
}

/// A list of items of fixed size, at least one.
fn list<const N: usize, T>(
    value: &[u8],
    item: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, (Action, &'static str)> {
    let (chunks, rest) = value.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(WITHDRAW("its length is not a multiple of its items' size"));
    }
    Ok(chunks.iter().map(|chunk| item(*chunk)).collect())
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}
