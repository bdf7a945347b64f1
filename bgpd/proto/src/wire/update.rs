//! UPDATE (RFC 4271 §4.3): read, judged, and turned into routes.

use super::attributes::{self, Decoded, LOCAL_PREF, NEXT_HOP, ORIGIN};
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
    decoded: Decoded,
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
            decoded: attributes::decode(list, context)?,
            empty: withdrawn.is_empty() && list.is_empty() && reader.is_empty(),
        };
        update.require_well_known(context);
        update.require_a_place_to_act()?;
        Ok(update)
    }

    /// RFC 7606 §3 (d): announced routes without a mandatory attribute are treated as withdrawn.
    fn require_well_known(&mut self, context: &DecodeContext) {
        let (classic, multi) = (!self.nlri.is_empty(), self.decoded.reach.is_some());
        let inside = context.peer_kind == PeerKind::Internal;
        let required = [
            (ORIGIN, classic || multi),
            (attributes::AS_PATH, classic || multi),
            (NEXT_HOP, classic),
            (LOCAL_PREF, inside && (classic || multi)),
        ];
        for (code, needed) in required {
            if needed && !self.decoded.seen.contains(&code) {
                let what = "it is missing";
                self.decoded.faults.push(Fault { attribute: code, action: Action::TreatAsWithdraw, what });
            }
        }
    }

    /// RFC 7606 §5.2: where routes are to be treated as withdrawn, but the list was cut before any routes were
    /// found, nobody knows which: the session has to go.
    fn require_a_place_to_act(&self) -> Result<(), Notification> {
        let found = !self.nlri.is_empty() || self.decoded.reach.is_some() || !self.decoded.disable.is_empty();
        let other_family = self.decoded.seen.contains(&attributes::MP_REACH);
        let only_withdraws = self.decoded.unreach.is_some() || !self.withdrawn.is_empty();
        if self.treat_as_withdraw() && !found && !other_family && !only_withdraws {
            return Err(Notification::update(1, Vec::new()));
        }
        Ok(())
    }

    fn treat_as_withdraw(&self) -> bool {
        self.decoded.faults.iter().any(|f| f.action == Action::TreatAsWithdraw)
    }

    /// The routes, with every fault's action carried out.
    pub fn into_routes(self) -> RoutesIn {
        let treat_as_withdraw = self.treat_as_withdraw();
        let Decoded { attributes, next_hop, reach, unreach, mut disable, faults, .. } = self.decoded;
        let mut routes = RoutesIn::default();
        let only_unreach = self.withdrawn.is_empty() && self.nlri.is_empty() && reach.is_none();
        routes.end_of_rib = match &unreach {
            _ if self.empty => Some(Family::Ipv4Unicast),
            Some((family, list)) if list.is_empty() && only_unreach && faults.is_empty() => Some(*family),
            _ => None,
        };
        let classic = next_hop.map(NextHop::V4).map(|next_hop| (Family::Ipv4Unicast, next_hop, self.nlri.clone()));
        let mut withdraw = |family, nlri: Vec<Nlri>| {
            if !nlri.is_empty() {
                routes.withdrawn.push(Withdrawal { family, nlri });
            }
        };
        withdraw(Family::Ipv4Unicast, self.withdrawn);
        if let Some((family, nlri)) = unreach {
            withdraw(family, nlri);
        }
        if treat_as_withdraw {
            withdraw(Family::Ipv4Unicast, self.nlri);
            if let Some((family, _, nlri)) = reach {
                withdraw(family, nlri);
            }
        } else {
            let announced = classic.into_iter().chain(reach).filter(|(_, _, nlri)| !nlri.is_empty());
            let announcement = |(family, next_hop, nlri)| Announcement { family, next_hop, nlri };
            routes.announced = announced.map(announcement).collect();
            routes.attributes = attributes;
        }
        disable.sort();
        disable.dedup();
        routes.disable = disable;
        routes.faults = faults;
        routes
    }
}
