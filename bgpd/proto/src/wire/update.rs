//! UPDATE (RFC 4271 §4.3): read, judged, and turned into routes.

use super::attributes::{self, Decoded};
use super::codes::{AS_PATH, LOCAL_PREF, MP_REACH, MP_UNREACH, NEXT_HOP, ORIGIN};
use super::context::DecodeContext;
use super::fault::{Action, Fault};
use super::mp_reach::NextHop;
use super::nlri::{self, Nlri};
use super::notification::Notification;
use super::path_attributes::PathAttributes;
use super::reader::Reader;
use crate::types::{Family, PeerKind};

/// An UPDATE whose form is good. Its routes come out of [`Update::into_routes`] only, which carries out what the
/// faults of its attributes ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    withdrawn: Vec<Nlri>,
    nlri: Vec<Nlri>,
    decoded: Box<Decoded>,
    empty: bool,
}

/// Routes of one family with one next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The family.
    pub family: Family,
    /// Where packets are to be sent.
    pub next_hop: NextHop,
    /// The prefixes.
    pub nlri: Vec<Nlri>,
}

/// Prefixes of one family that are no longer reachable this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The family.
    pub family: Family,
    /// The prefixes.
    pub nlri: Vec<Nlri>,
}

/// What an UPDATE comes to, faults carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutesIn {
    /// Attributes of everything announced.
    pub attributes: PathAttributes,
    /// Routes announced.
    pub announced: Vec<Announcement>,
    /// Routes withdrawn, those treated as withdrawn included.
    pub withdrawn: Vec<Withdrawal>,
    /// The peer has sent its whole table of this family (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// Families whose routes cannot be read: all of the peer's are to go, and nothing of the family is to be taken
    /// from it for the rest of the session (RFC 7606 §2, "AFI/SAFI disable").
    pub disable: Vec<Family>,
    /// What was wrong, for the journal.
    pub faults: Vec<Fault>,
}

impl Update {
    /// Reads the body. An error is the NOTIFICATION for what RFC 7606 leaves as fatal.
    pub(super) fn decode(body: &[u8], context: &DecodeContext) -> Result<Update, Notification> {
        let malformed = || Notification::update(1, Vec::new());
        let mut reader = Reader::new(body);
        let length = usize::from(reader.u16().ok_or_else(malformed)?);
        let withdrawn = reader.take(length).ok_or_else(malformed)?;
        let length = usize::from(reader.u16().ok_or_else(malformed)?);
        let list = reader.take(length).ok_or_else(malformed)?;
        let with_path_id = *context.add_path.get(Family::Ipv4Unicast);
        let read = |field| nlri::decode(field, Family::Ipv4Unicast, with_path_id);
        // RFC 7606 §5.3: prefixes of the classic fields that cannot be read leave nothing to go on.
        let network = || Notification::update(10, Vec::new());
        let mut update = Update {
            withdrawn: read(withdrawn).ok_or_else(network)?,
            nlri: read(reader.rest()).ok_or_else(network)?,
            decoded: Box::new(attributes::decode(list, context)?),
            empty: withdrawn.is_empty() && list.is_empty() && reader.is_empty(),
        };
        update.require_well_known(context);
        update.require_a_place_to_act()?;
        Ok(update)
    }

    /// RFC 7606 §3 (d): announced routes without a mandatory attribute are treated as withdrawn, and so are those whose
    /// NEXT_HOP no host can have (RFC 4271 §6.3). Beside MP_REACH_NLRI alone NEXT_HOP means nothing (RFC 4760 §3).
    fn require_well_known(&mut self, context: &DecodeContext) {
        let (classic, multi) = (!self.nlri.is_empty(), self.decoded.reach.is_some());
        let inside = context.peer_kind == PeerKind::Internal;
        let required = [
            (ORIGIN, classic || multi),
            (AS_PATH, classic || multi),
            (NEXT_HOP, classic),
            (LOCAL_PREF, inside && (classic || multi)),
        ];
        let missing = required
            .iter()
            .filter(|(code, needed)| *needed && !self.decoded.seen.contains(*code))
            .map(|(code, _)| (*code, "it is missing"));
        let no_host = self
            .decoded
            .next_hop
            .filter(|address| classic && !NextHop::V4(*address).is_host())
            .map(|_| (NEXT_HOP, "it is no address of a host"));
        let action = Action::TreatAsWithdraw;
        let fault = |(attribute, what)| Fault {
            attribute,
            action,
            what,
        };
        let faults: Vec<Fault> = missing.chain(no_host).map(fault).collect();
        self.decoded.faults.extend(faults);
    }

    /// RFC 7606 §5.2: where routes are to be treated as withdrawn, but the UPDATE names none that it announces,
    /// nobody can be sure that they were not lost with the broken attribute: the session has to go.
    fn require_a_place_to_act(&self) -> Result<(), Notification> {
        let announces = !self.nlri.is_empty() || self.decoded.seen.contains(MP_REACH);
        let only_withdraws = !self.decoded.cut && !self.decoded.seen.has_other_than(MP_UNREACH);
        match self.treat_as_withdraw() && !announces && !only_withdraws {
            true => Err(Notification::update(1, Vec::new())),
            false => Ok(()),
        }
    }

    fn treat_as_withdraw(&self) -> bool {
        self.decoded
            .faults
            .iter()
            .any(|f| f.action == Action::TreatAsWithdraw)
    }

    /// The marker that ends a peer's table (RFC 4724 §2): nothing at all for IPv4, or an MP_UNREACH_NLRI without
    /// prefixes and no other attribute.
    fn end_of_rib(&self) -> Option<Family> {
        if self.empty {
            return Some(Family::Ipv4Unicast);
        }
        let (family, list) = self.decoded.unreach.as_ref()?;
        let alone = self.withdrawn.is_empty() && self.nlri.is_empty() && self.decoded.faults.is_empty();
        let marker = list.is_empty() && alone && !self.decoded.seen.has_other_than(MP_UNREACH);
        marker.then_some(*family)
    }

    /// The routes, with every fault's action carried out. Withdrawals come before announcements: a prefix that is in
    /// both stays (RFC 4271 §4.3).
    pub fn into_routes(self) -> RoutesIn {
        let treat_as_withdraw = self.treat_as_withdraw();
        let end_of_rib = self.end_of_rib();
        let Decoded {
            attributes,
            next_hop,
            reach,
            unreach,
            mut disable,
            faults,
            ..
        } = *self.decoded;
        let mut withdrawn = Vec::new();
        let mut withdraw = |family, nlri: Vec<Nlri>| {
            if !nlri.is_empty() {
                withdrawn.push(Withdrawal { family, nlri });
            }
        };
        withdraw(Family::Ipv4Unicast, self.withdrawn);
        if let Some((family, nlri)) = unreach {
            withdraw(family, nlri);
        }
        let mut announced = Vec::new();
        match next_hop {
            Some(next_hop) if !treat_as_withdraw => {
                announced.push((Family::Ipv4Unicast, NextHop::V4(next_hop), self.nlri));
            }
            // Without NEXT_HOP there is a fault as well.
            _ => withdraw(Family::Ipv4Unicast, self.nlri),
        }
        match reach {
            Some((family, _, nlri)) if treat_as_withdraw => withdraw(family, nlri),
            reach => announced.extend(reach),
        }
        let announced: Vec<Announcement> = announced
            .into_iter()
            .filter(|(_, _, nlri)| !nlri.is_empty())
            .map(|(family, next_hop, nlri)| Announcement {
                family,
                next_hop,
                nlri,
            })
            .collect();
        let attributes = if announced.is_empty() {
            PathAttributes::default()
        } else {
            attributes
        };
        disable.sort();
        disable.dedup();
        RoutesIn {
            attributes,
            announced,
            withdrawn,
            end_of_rib,
            disable,
            faults,
        }
    }
}
