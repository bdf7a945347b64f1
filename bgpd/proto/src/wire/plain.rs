//! The short way of an attribute list: one that is faultless, and written as we would write it, is stored as it came, but for its
//! next hop and multiprotocol attributes. Nearly all lists are. Whatever else one is, or might be, is for `attributes`.

use super::attributes::{Found, next};
use super::codes::{
    AGGREGATOR, AS_PATH, ATOMIC_AGGREGATE, CLUSTER_LIST, COMMUNITIES, EXTENDED_COMMUNITIES, EXTENDED_LENGTH,
    LARGE_COMMUNITIES, LOCAL_PREF, MED, MP_REACH, MP_UNREACH, NEXT_HOP, ONLY_TO_CUSTOMER, OPTIONAL, ORIGIN,
    ORIGINATOR_ID, TRANSITIVE, flags_of,
};
use super::context::DecodeContext;
use super::mp_reach::{self, Multi};
use super::reader::Reader;
use crate::types::PeerKind;

/// The longest AS_PATH that is looked at here, in AS numbers: a quarter of what `attributes` would take.
const LONGEST_PATH: usize = 2048;

/// Appends the canonical octets of the list. `None` where it takes the long way; what was appended then is of no use.
pub(super) fn read(list: &[u8], context: &DecodeContext, stored: &mut Vec<u8>) -> Option<Found> {
    if !context.four_octet {
        return None;
    }
    let external = context.peer_kind == PeerKind::External;
    let mut found = Found::default();
    let mut reader = Reader::new(list);
    let (mut latest, mut run) = (0, list);
    while !reader.is_empty() {
        let start = reader.rest();
        let (flags, code, value) = next(&mut reader)?;
        if !found.seen.insert(code) {
            return None;
        }
        match code {
            NEXT_HOP | MP_REACH | MP_UNREACH => {
                aside(flags, code, value, context, &mut found)?;
                // What stands between two of these is copied in one go.
                stored.extend_from_slice(&run[..run.len() - start.len()]);
                run = reader.rest();
            }
            _ => {
                let long = if value.len() > 255 { EXTENDED_LENGTH } else { 0 };
                let in_order = code > latest && flags == flags_of(code)? | long;
                if !in_order || !is_plain(code, value, external) {
                    return None;
                }
                latest = code;
            }
        }
    }
    stored.extend_from_slice(run);
    (found.seen.contains(ORIGIN) && found.seen.contains(AS_PATH)).then_some(found)
}

/// What is not stored with the others.
fn aside(flags: u8, code: u8, value: &[u8], context: &DecodeContext, found: &mut Found) -> Option<()> {
    let right = if code == NEXT_HOP { TRANSITIVE } else { OPTIONAL };
    if flags & !EXTENDED_LENGTH != right {
        return None;
    }
    match code {
        NEXT_HOP => found.next_hop = Some(<[u8; 4]>::try_from(value).ok()?.into()),
        MP_REACH => match mp_reach::decode_reach(value, context) {
            Multi::Good(reach) if reach.0.is_host() => found.reach = Some(reach),
            _ => return None,
        },
        _ => match mp_reach::decode_unreach(value, context) {
            Multi::Good(unreach) => found.unreach = Some(unreach),
            _ => return None,
        },
    }
    Some(())
}

/// Whether the value has no fault, and is the one way in which we would write what it says.
fn is_plain(code: u8, value: &[u8], external: bool) -> bool {
    match code {
        ORIGIN => matches!(value, [0..=2]),
        AS_PATH => is_plain_path(value),
        MED | ONLY_TO_CUSTOMER => value.len() == 4,
        LOCAL_PREF | ORIGINATOR_ID => !external && value.len() == 4,
        CLUSTER_LIST => !external && !value.is_empty() && value.len().is_multiple_of(4),
        ATOMIC_AGGREGATE => value.is_empty(),
        AGGREGATOR => value.len() == 8 && value[..4] != [0; 4],
        COMMUNITIES => is_ascending::<4>(value),
        EXTENDED_COMMUNITIES => is_ascending::<8>(value),
        LARGE_COMMUNITIES => is_ascending::<12>(value),
        _ => false,
    }
}

/// Items of one size, at least one, sorted and without repeats.
fn is_ascending<const N: usize>(value: &[u8]) -> bool {
    let (items, rest) = value.as_chunks::<N>();
    !items.is_empty() && rest.is_empty() && items.windows(2).all(|pair| pair[0] < pair[1])
}

fn is_plain_path(value: &[u8]) -> bool {
    let mut rest = value;
    let mut count = 0;
    while let [kind, length, tail @ ..] = rest {
        let Some((octets, tail)) = tail.split_at_checked(usize::from(*length) * 4) else {
            return false;
        };
        let (asns, _) = octets.as_chunks::<4>();
        if !matches!(kind, 1 | 2) || asns.is_empty() || asns.contains(&[0; 4]) {
            return false;
        }
        count += asns.len();
        rest = tail;
    }
    rest.is_empty() && count <= LONGEST_PATH
}
