//! What a session has to know of both ends before it starts.

use super::fsm::Tuning;
use crate::types::{Asn, Family, PeerKind, RouterId};
use std::time::Duration;

/// The part of the configuration that the OPEN messages are about, and how to behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our AS number.
    pub local_asn: Asn,
    /// Our BGP identifier.
    pub router_id: RouterId,
    /// The AS number that the peer must have.
    pub remote_asn: Asn,
    /// Hold time that we propose.
    pub hold_time: Duration,
    /// Families that we offer, sorted.
    pub families: Vec<Family>,
    /// We have come up lately and are still collecting the first feed: said in the OPEN (RFC 4724 §3, R bit).
    pub restarting: bool,
    /// Attempts to connect.
    pub tuning: Tuning,
}

impl Settings {
    /// iBGP or eBGP.
    pub fn kind(&self) -> PeerKind {
        if self.local_asn == self.remote_asn {
            PeerKind::Internal
        } else {
            PeerKind::External
        }
    }

    /// Whether what was agreed under `old` no longer holds.
    pub fn needs_new_session(&self, old: &Settings) -> bool {
        let agreed = |s: &Settings| {
            (
                s.local_asn,
                s.router_id,
                s.remote_asn,
                s.hold_time,
                s.families.clone(),
            )
        };
        agreed(self) != agreed(old)
    }
}
