//! UPDATE (RFC 4271 §4.3): read, judged, and turned into routes.

use super::attributes::{self, Found};
use super::codes::{AS_PATH, LOCAL_PREF, MP_REACH, MP_UNREACH, NEXT_HOP, ORIGIN};
use super::context::DecodeContext;
use super::fault::{Action, Fault};
use super::mp_reach::NextHop;
use super::nlri::{Nlri, Prefixes};
use super::notification::Notification;
use super::path_attributes::PathAttributes;
use super::plain;
use super::reader::Reader;
use super::said::Said;
use crate::types::{Family, PeerKind};
use std::sync::Arc;

/// An UPDATE whose form is good. Its routes come out of [`Update::routes`] or [`Update::into_routes`] only, which carry out
/// what the faults of its attributes ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    withdrawn: Prefixes,
    nlri: Prefixes,
    found: Arc<Found>,
    said: Arc<Said>,
    /// Faults that are not of one attribute alone.
    missing: Vec<Fault>,
    empty: bool,
}

/// The attribute list of the UPDATE before, as it came and as it was read: a table comes in runs of UPDATEs with one list, which is
/// read once. Lists with faults or multiprotocol attributes are not remembered.
#[derive(Clone, Debug, Default)]
pub struct LatestList {
    octets: Vec<u8>,
    read: Option<(Arc<Found>, Arc<Said>)>,
    stored: Vec<u8>,
}

/// Longer lists are read each time.
const REMEMBERED: usize = 4096;

impl LatestList {
    /// What the list says.
    fn read(
        &mut self,
        list: &[u8],
        context: &DecodeContext,
    ) -> Result<(Arc<Found>, Arc<Said>), Notification> {
        if let Some(read) = self.read.as_ref().filter(|_| self.octets == list) {
            return Ok(read.clone());
        }
        self.stored.clear();
        let (found, said) = match plain::read(list, context, &mut self.stored) {
            Some(found) => (found, Said::stored(&self.stored)),
            None => {
                let (values, found) = attributes::decode(list, context)?;
                (found, Said::from(values))
            }
        };
        let read = (Arc::new(found), Arc::new(said));
        if list.len() <= REMEMBERED && read.0.is_plain() {
            self.octets.clear();
            self.octets.extend_from_slice(list);
            self.read = Some(read.clone());
        }
        Ok(read)
    }
}

/// What an UPDATE comes to, faults carried out, with its prefixes as they came.
#[derive(Debug)]
pub(crate) struct Routes<'a> {
    /// Attributes of everything announced. UPDATEs that follow each other with the same list share them.
    pub said: &'a Arc<Said>,
    pub announced: [Option<(NextHop, &'a Prefixes)>; 2],
    pub withdrawn: [Option<&'a Prefixes>; 4],
    /// See [`RoutesIn::end_of_rib`].
    pub end_of_rib: Option<Family>,
    /// See [`RoutesIn::disable`].
    pub disable: &'a [Family],
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
    pub(super) fn decode(
        body: &[u8],
        context: &DecodeContext,
        latest: &mut LatestList,
    ) -> Result<Update, Notification> {
        let malformed = || Notification::update(1, Vec::new());
        let mut reader = Reader::new(body);
        let length = usize::from(reader.u16().ok_or_else(malformed)?);
        let withdrawn = reader.take(length).ok_or_else(malformed)?;
        let length = usize::from(reader.u16().ok_or_else(malformed)?);
        let list = reader.take(length).ok_or_else(malformed)?;
        let with_path_id = *context.add_path.get(Family::Ipv4Unicast);
        let read = |field| Prefixes::read(field, Family::Ipv4Unicast, with_path_id);
        // RFC 7606 §5.3: prefixes of the classic fields that cannot be read leave nothing to go on.
        let network = || Notification::update(10, Vec::new());
        let (classic, nlri) = (
            read(withdrawn).ok_or_else(network)?,
            read(reader.rest()).ok_or_else(network)?,
        );
        let (found, said) = latest.read(list, context)?;
        let mut update = Update {
            withdrawn: classic,
            nlri,
            found,
            said,
            missing: Vec::new(),
            empty: withdrawn.is_empty() && list.is_empty() && reader.is_empty(),
        };
        update.require_well_known(context);
        update.require_a_place_to_act()?;
        Ok(update)
    }

    /// RFC 7606 §3 (d): announced routes without a mandatory attribute are treated as withdrawn, and so are those whose
    /// NEXT_HOP no host can have (RFC 4271 §6.3). Beside MP_REACH_NLRI alone NEXT_HOP means nothing (RFC 4760 §3).
    fn require_well_known(&mut self, context: &DecodeContext) {
        let (classic, multi) = (!self.nlri.is_empty(), self.found.reach.is_some());
        let inside = context.peer_kind == PeerKind::Internal;
        let required = [
            (ORIGIN, classic || multi),
            (AS_PATH, classic || multi),
            (NEXT_HOP, classic),
            (LOCAL_PREF, inside && (classic || multi)),
        ];
        let missing = required
            .iter()
            .filter(|(code, needed)| *needed && !self.found.seen.contains(*code))
            .map(|(code, _)| (*code, "it is missing"));
        let no_host = self
            .found
            .next_hop
            .filter(|address| classic && !NextHop::V4(*address).is_host())
            .map(|_| (NEXT_HOP, "it is no address of a host"));
        let action = Action::TreatAsWithdraw;
        let fault = |(attribute, what)| Fault {
            attribute,
            action,
            what,
        };
        self.missing = missing.chain(no_host).map(fault).collect();
    }

    /// RFC 7606 §5.2: where routes are to be treated as withdrawn, but the UPDATE names none that it announces,
    /// nobody can be sure that they were not lost with the broken attribute: the session has to go.
    fn require_a_place_to_act(&self) -> Result<(), Notification> {
        let announces = !self.nlri.is_empty() || self.found.seen.contains(MP_REACH);
        let only_withdraws = !self.found.cut && !self.found.seen.has_other_than(MP_UNREACH);
        match self.treat_as_withdraw() && !announces && !only_withdraws {
            true => Err(Notification::update(1, Vec::new())),
            false => Ok(()),
        }
    }

    fn treat_as_withdraw(&self) -> bool {
        self.faults().any(|f| f.action == Action::TreatAsWithdraw)
    }

    /// What was wrong, for the journal.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.found.faults.iter().chain(&self.missing)
    }

    /// The marker that ends a peer's table (RFC 4724 §2): nothing at all for IPv4, or an MP_UNREACH_NLRI without
    /// prefixes and no other attribute.
    fn end_of_rib(&self) -> Option<Family> {
        if self.empty {
            return Some(Family::Ipv4Unicast);
        }
        let list = self.found.unreach.as_ref()?;
        let alone = self.withdrawn.is_empty() && self.nlri.is_empty() && self.faults().next().is_none();
        let marker = list.is_empty() && alone && !self.found.seen.has_other_than(MP_UNREACH);
        marker.then_some(list.family)
    }

    /// The routes, with every fault's action carried out. Withdrawals come before announcements: a prefix that is in
    /// both stays (RFC 4271 §4.3).
    pub(crate) fn routes(&self) -> Routes<'_> {
        let treat_as_withdraw = self.treat_as_withdraw();
        let mut routes = Routes {
            said: &self.said,
            announced: [None; 2],
            withdrawn: [Some(&self.withdrawn), self.found.unreach.as_ref(), None, None],
            end_of_rib: self.end_of_rib(),
            disable: &self.found.disable,
        };
        match self.found.next_hop {
            Some(next_hop) if !treat_as_withdraw => {
                routes.announced[0] = Some((NextHop::V4(next_hop), &self.nlri));
            }
            // Without NEXT_HOP there is a fault as well.
            _ => routes.withdrawn[2] = Some(&self.nlri),
        }
        match &self.found.reach {
            Some((_, nlri)) if treat_as_withdraw => routes.withdrawn[3] = Some(nlri),
            reach => routes.announced[1] = reach.as_ref().map(|(next_hop, nlri)| (*next_hop, nlri)),
        }
        for place in &mut routes.announced {
            *place = place.take_if(|(_, nlri)| !nlri.is_empty());
        }
        for place in &mut routes.withdrawn {
            *place = place.take_if(|nlri| !nlri.is_empty());
        }
        routes
    }

    /// The same as values of their own.
    pub fn into_routes(self) -> RoutesIn {
        let routes = self.routes();
        let announcement = |(next_hop, prefixes): &(NextHop, &Prefixes)| Announcement {
            family: prefixes.family,
            next_hop: *next_hop,
            nlri: prefixes.iter().collect(),
        };
        let withdrawal = |prefixes: &&Prefixes| Withdrawal {
            family: prefixes.family,
            nlri: prefixes.iter().collect(),
        };
        let announced: Vec<Announcement> = routes.announced.iter().flatten().map(announcement).collect();
        let attributes = match announced.is_empty() {
            true => PathAttributes::default(),
            false => self.said.values().clone(),
        };
        let mut disable = routes.disable.to_vec();
        disable.sort();
        disable.dedup();
        RoutesIn {
            attributes,
            announced,
            withdrawn: routes.withdrawn.iter().flatten().map(withdrawal).collect(),
            end_of_rib: routes.end_of_rib,
            disable,
            faults: self.faults().cloned().collect(),
        }
    }
}
