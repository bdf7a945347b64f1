//! An attribute list as it is handed on from peer to peer, where nothing changes but what always does: the stored octets are copied,
//! and what goes or comes is left out or put in on the way. Whatever a policy does beyond that is done to values.
//!
//! The result is octet for octet what `encode` writes of the values.

use super::canonical::{Canonical, segments};
use super::codes::{
    AS_PATH, CLUSTER_LIST, EXTENDED_COMMUNITIES, LARGE_COMMUNITIES, LOCAL_PREF, MED, NEXT_HOP,
    ONLY_TO_CUSTOMER, ORIGINATOR_ID, PARTIAL,
};
use super::community::ExtendedCommunity;
use super::encode::{attribute, head};
use crate::types::{Asn, RouterId};
use std::net::Ipv4Addr;

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relay {
    /// Out of the AS: our numbers go in front of the path, and what is meant for the inside goes (RFC 4271 §5.1).
    Outside {
        /// In front of all.
        first: Asn,
        /// Behind that.
        second: Option<Asn>,
        /// ONLY_TO_CUSTOMER, where it is to be added (RFC 9234 §5).
        otc: Option<Asn>,
    },
    /// Within the AS.
    Inside {
        /// Where it has none.
        local_pref: u32,
        /// What a reflector adds: who brought it into the AS, if that is not known yet, and the cluster (RFC 4456 §8).
        reflected: Option<(RouterId, Ipv4Addr)>,
    },
}

impl Relay {
    /// Appends the list, with NEXT_HOP if there is one.
    pub(super) fn write(&self, out: &mut Vec<u8>, stored: Canonical<'_>, next_hop: Option<[u8; 4]>) {
        let mut owed = self.owed(stored);
        for (raw, flags, code, value) in stored.raw() {
            owed.pay(place(code), out);
            match (self, code) {
                (_, AS_PATH) => {
                    self.path(out, value);
                    if let Some(octets) = next_hop {
                        attribute(out, NEXT_HOP, 0, &octets);
                    }
                }
                (Relay::Outside { .. }, MED | LOCAL_PREF | ORIGINATOR_ID | CLUSTER_LIST) => {}
                (Relay::Outside { .. }, EXTENDED_COMMUNITIES) => transitive(out, flags, raw, value),
                (
                    Relay::Inside {
                        reflected: Some((_, cluster)),
                        ..
                    },
                    CLUSTER_LIST,
                ) => {
                    head(out, CLUSTER_LIST, 0, value.len() + 4);
                    out.extend_from_slice(&cluster.octets());
                    out.extend_from_slice(value);
                }
                _ => out.extend_from_slice(raw),
            }
        }
        owed.pay(u8::MAX, out);
    }

    /// What is to be added as an attribute of its own.
    fn owed(&self, stored: Canonical<'_>) -> Owed {
        let mut owed = Owed([None; 3]);
        match *self {
            Relay::Outside { otc, .. } => owed.0[0] = otc.map(|Asn(asn)| (ONLY_TO_CUSTOMER, asn)),
            Relay::Inside {
                local_pref,
                reflected,
            } => {
                let lacks = |code| stored.value(code).is_empty();
                owed.0[0] = lacks(LOCAL_PREF).then_some((LOCAL_PREF, local_pref));
                if let Some((originator, cluster)) = reflected {
                    owed.0[1] = lacks(ORIGINATOR_ID).then_some((ORIGINATOR_ID, originator.0.to_bits()));
                    owed.0[2] = lacks(CLUSTER_LIST).then_some((CLUSTER_LIST, cluster.to_bits()));
                }
            }
        }
        owed
    }

    fn path(&self, out: &mut Vec<u8>, value: &[u8]) {
        let Relay::Outside { first, second, .. } = *self else {
            head(out, AS_PATH, 0, value.len());
            out.extend_from_slice(value);
            return;
        };
        // As `AsPath::prepended` does it: a full segment is left, and so is a set.
        let leading = match segments(value).next() {
            Some((true, asns)) => asns.len(),
            _ => usize::from(u8::MAX),
        };
        let nearest = [second.unwrap_or(first), first];
        let numbers = if second.is_some() {
            &nearest[..]
        } else {
            &nearest[1..]
        };
        let room = usize::from(u8::MAX) - leading;
        let (grown, alone) = numbers.split_at(room.min(numbers.len()));
        let new_segment = if alone.is_empty() { 0 } else { 2 };
        head(out, AS_PATH, 0, value.len() + new_segment + 4 * numbers.len());
        let mut rest = value;
        let mut put = |asns: &[Asn], count: usize| {
            // At most 255, as was asked.
            out.extend_from_slice(&[2, count as u8]);
            asns.iter()
                .rev()
                .for_each(|asn| out.extend_from_slice(&asn.0.to_be_bytes()));
        };
        if !alone.is_empty() {
            put(alone, alone.len());
        }
        if !grown.is_empty() {
            put(grown, leading + grown.len());
            rest = &value[2..];
        }
        out.extend_from_slice(rest);
    }
}

/// Extended communities that cross AS borders.
fn transitive(out: &mut Vec<u8>, flags: u8, raw: &[u8], value: &[u8]) {
    let (all, _) = value.as_chunks::<8>();
    let stays = |octets: &&[u8; 8]| ExtendedCommunity(**octets).is_transitive();
    let count = all.iter().filter(stays).count();
    if count == all.len() {
        out.extend_from_slice(raw);
    } else if count > 0 {
        head(out, EXTENDED_COMMUNITIES, flags & PARTIAL, count * 8);
        all.iter()
            .filter(stays)
            .for_each(|octets| out.extend_from_slice(octets));
    }
}

/// Attributes of four octets that are to be put in, in their order.
struct Owed([Option<(u8, u32)>; 3]);

impl Owed {
    /// Puts in what stands before this place.
    fn pay(&mut self, before: u8, out: &mut Vec<u8>) {
        for owed in &mut self.0 {
            if let Some((code, value)) = owed.take_if(|(code, _)| place(*code) < before) {
                attribute(out, code, 0, &value.to_be_bytes());
            }
        }
    }
}

/// Where an attribute stands in the stored order: by its type, but for those that we do not know.
fn place(code: u8) -> u8 {
    match code {
        1..=10 | EXTENDED_COMMUNITIES | LARGE_COMMUNITIES | ONLY_TO_CUSTOMER => code,
        ..ONLY_TO_CUSTOMER => LARGE_COMMUNITIES + 1,
        _ => ONLY_TO_CUSTOMER + 1,
    }
}
