//! Whether the peer is who it should be, and the two things that no session goes without: a hold time and a family.

use crate::session::messages;
use crate::session::settings::Settings;
use crate::types::{Asn, Family, PeerKind};
use crate::wire::{Capability, Notification, Open};
use std::time::Duration;

/// The peer's AS number, if it may have it.
pub fn check(open: &Open, settings: &Settings) -> Result<Asn, Notification> {
    // The capability outranks the two-octet field (RFC 6793 §4.1).
    let mut announced = open.capabilities.iter().filter_map(|c| match c {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    });
    let asn = announced.next().unwrap_or(Asn(u32::from(open.asn)));
    let contradicted = announced.any(|other| other != asn);
    if contradicted || !settings.remote_as.admits(asn, settings.local_asn) {
        return Err(messages::bad_peer_as());
    }
    // RFC 6286: not zero, and unique within an AS.
    let ours = settings.kind() == PeerKind::Internal && open.router_id == settings.router_id;
    if open.router_id.0.is_unspecified() || ours {
        return Err(messages::bad_identifier());
    }
    Ok(asn)
}

/// The smaller of both hold times. Without a hold timer a connection that is dead on one side keeps its routes for ever:
/// a peer may switch it off only where that is allowed, or where we propose the same.
pub fn hold_time(open: &Open, settings: &Settings) -> Result<Duration, Notification> {
    let theirs = Duration::from_secs(u64::from(open.hold_time));
    let too_short = theirs < settings.min_hold_time && !settings.hold_time.is_zero();
    if matches!(open.hold_time, 1 | 2) || too_short {
        return Err(messages::unacceptable_hold_time());
    }
    Ok(settings.hold_time.min(theirs))
}

/// A peer that says nothing of multiprotocol speaks IPv4 unicast (RFC 4760 §8).
pub fn common_families(open: &Open, settings: &Settings, plain: bool) -> Result<Vec<Family>, Notification> {
    let mut theirs: Vec<Family> = open.capabilities.iter().filter_map(Capability::family).collect();
    if plain || !open.capabilities.iter().any(Capability::is_multiprotocol) {
        theirs = vec![Family::Ipv4Unicast];
    }
    let common: Vec<Family> = settings
        .families
        .iter()
        .copied()
        .filter(|f| theirs.contains(f))
        .collect();
    if common.is_empty() {
        return Err(messages::unsupported_capability(&settings.families));
    }
    Ok(common)
}
