//! What a session has to know of both ends before it starts.

use super::fsm::Tuning;
use super::offer::Offer;
use super::open;
use crate::types::{Asn, Family, PeerKind, RemoteAs, RouterId};
use std::time::Duration;

/// The part of the configuration that the OPEN messages are about, and how to behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our AS number on this session.
    pub local_asn: Asn,
    /// Our BGP identifier.
    pub router_id: RouterId,
    /// The AS that the peer must be in.
    pub remote_as: RemoteAs,
    /// Hold time that we propose.
    pub hold_time: Duration,
    /// The shortest hold time that the peer may propose, unless we propose zero ourselves. Zero lets it switch the hold
    /// timer off.
    pub min_hold_time: Duration,
    /// Families that we offer, sorted.
    pub families: Vec<Family>,
    /// Capabilities that we offer.
    pub offer: Offer,
    /// We have come up lately and are still collecting the first feed: said in the OPEN (RFC 4724 §3, R bit).
    pub restarting: bool,
    /// Attempts to connect.
    pub tuning: Tuning,
}

impl Settings {
    /// iBGP or eBGP.
    pub fn kind(&self) -> PeerKind {
        self.remote_as.kind(self.local_asn)
    }

    /// Whether a session without any optional parameter makes sense: IPv4, and an AS number of two octets.
    pub fn can_be_plain(&self) -> bool {
        self.families.contains(&Family::Ipv4Unicast) && u16::try_from(self.local_asn.0).is_ok()
    }

    /// Whether these are the settings of a session between others than `old`: what was learned there means nothing here.
    pub fn is_of_another(&self, old: &Settings) -> bool {
        let ends = |s: &Settings| (s.local_asn, s.router_id, s.remote_as, s.families.clone());
        ends(self) != ends(old)
    }

    /// Whether what was agreed under `old` no longer holds.
    pub fn needs_new_session(&self, old: &Settings) -> bool {
        let said = |s: &Settings| {
            let mut settings = s.clone();
            settings.restarting = false;
            open::ours(&settings, false)
        };
        // A peer that was let in may not be welcome any more.
        let stricter = self.offer.strict_role && !old.offer.strict_role;
        said(self) != said(old) || self.remote_as != old.remote_as || stricter
    }
}
