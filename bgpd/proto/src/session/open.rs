//! OPEN messages: what ours says, whether the peer's is acceptable, and what both agree on
//! (RFC 4271 §4.2 and §6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607).
//!
//! We announce: multiprotocol for each offered family, route refresh, 4-octet AS, extended messages, and graceful
//! restart with restart time zero and no family. The last one is what RFC 4724 §3 gives to a speaker that cannot
//! keep its forwarding state marked by BGP but sends and understands End-of-RIB: FRR sends the marker only to peers
//! that announce the capability, and we need it to know that a feed is complete. It promises nothing else: with no family
//! listed no peer retains our routes.

use super::messages;
use super::settings::Settings;
use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::{Capability, DecodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Notification, Open};
use std::time::Duration;

/// What both OPENs agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The peer's BGP identifier.
    pub router_id: RouterId,
    /// The smaller of both hold times; zero is off.
    pub hold_time: Duration,
    /// Families that both speak, sorted.
    pub families: Vec<Family>,
    /// AS numbers have four octets on this session.
    pub four_octet: bool,
    /// The peer answers ROUTE-REFRESH.
    pub route_refresh: bool,
    /// The largest message that either side may send, in octets.
    pub max_message_len: usize,
    /// The peer announced graceful restart: it sends End-of-RIB.
    pub graceful_restart: bool,
    /// What we announced.
    pub local_capabilities: Vec<Capability>,
    /// What the peer announced.
    pub remote_capabilities: Vec<Capability>,
}

impl Negotiated {
    /// How the peer's messages are to be read from now on.
    pub fn decode_context(&self, settings: &Settings) -> DecodeContext {
        DecodeContext {
            four_octet: self.four_octet,
            peer_kind: settings.kind(),
            max_message_len: self.max_message_len,
            ..DecodeContext::default()
        }
    }
}

/// Our OPEN. `plain` leaves out the optional parameters, for a peer that refused them.
pub fn ours(settings: &Settings, plain: bool) -> Open {
    Open {
        asn: settings.local_asn.two_octet(),
        hold_time: u16::try_from(settings.hold_time.as_secs()).unwrap_or(u16::MAX),
        router_id: settings.router_id,
        capabilities: if plain { Vec::new() } else { capabilities(settings) },
    }
}

fn capabilities(settings: &Settings) -> Vec<Capability> {
    let families = settings.families.iter().map(|f| Capability::MultiProtocol(*f));
    families
        .chain([
            Capability::RouteRefresh,
            Capability::FourOctetAs(settings.local_asn),
            Capability::ExtendedMessage,
            Capability::GracefulRestart {
                restarting: false,
                notification: false,
                time: 0,
                families: Vec::new(),
            },
        ])
        .collect()
}

/// Judges the peer's OPEN: what both agree on, or the NOTIFICATION that refuses it.
pub fn validate(open: &Open, settings: &Settings, plain: bool) -> Result<Negotiated, Notification> {
    check_identity(open, settings)?;
    if matches!(open.hold_time, 1 | 2) {
        return Err(messages::unacceptable_hold_time());
    }
    let hold_time = settings.hold_time.min(Duration::from_secs(u64::from(open.hold_time)));
    let families = common_families(open, settings, plain)?;
    let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    let extended = !plain && has(|c| matches!(c, Capability::ExtendedMessage));
    Ok(Negotiated {
        router_id: open.router_id,
        hold_time,
        families,
        four_octet: !plain && has(|c| matches!(c, Capability::FourOctetAs(_))),
        route_refresh: !plain && has(|c| matches!(c, Capability::RouteRefresh)),
        max_message_len: if extended { MAX_EXTENDED_MESSAGE } else { MAX_MESSAGE },
        graceful_restart: has(|c| matches!(c, Capability::GracefulRestart { .. })),
        local_capabilities: ours(settings, plain).capabilities,
        remote_capabilities: open.capabilities.clone(),
    })
}

fn check_identity(open: &Open, settings: &Settings) -> Result<(), Notification> {
    // The capability outranks the two-octet field (RFC 6793 §4.1). AS 0 is nobody's (RFC 7607).
    let announced = open.capabilities.iter().find_map(|c| match c {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    });
    let asn = announced.unwrap_or(Asn(u32::from(open.asn)));
    if asn != settings.remote_asn || asn == Asn(0) {
        return Err(messages::bad_peer_as());
    }
    // RFC 6286: not zero, and unique within an AS.
    let ours = settings.kind() == PeerKind::Internal && open.router_id == settings.router_id;
    if open.router_id.0.is_unspecified() || ours {
        return Err(messages::bad_identifier());
    }
    Ok(())
}

/// A peer that says nothing of multiprotocol speaks IPv4 unicast (RFC 4760 §8).
fn common_families(open: &Open, settings: &Settings, plain: bool) -> Result<Vec<Family>, Notification> {
    let mut theirs: Vec<Family> = open.capabilities.iter().filter_map(Capability::family).collect();
    if plain || !open.capabilities.iter().any(Capability::is_multiprotocol) {
        theirs = vec![Family::Ipv4Unicast];
    }
    let common: Vec<Family> = settings.families.iter().copied().filter(|f| theirs.contains(f)).collect();
    if common.is_empty() {
        return Err(messages::unsupported_capability(&settings.families));
    }
    Ok(common)
}
