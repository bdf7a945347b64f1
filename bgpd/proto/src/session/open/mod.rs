//! OPEN messages: what ours says, whether the peer's is acceptable, and what both agree on
//! (RFC 4271 §4.2 and §6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607, RFC 9072).
//!
//! [`ours`] is made of the settings, with the capabilities of `capabilities`. [`validate`] judges the peer's: who it is
//! (`identity`), and, capability by capability, what follows from both lists: restarts (`graceful`), several paths
//! (`add_path`), the role between the two ASes (`role`); `in_force` puts it into words. Nothing is agreed that only one side said, and nothing at all
//! where our OPEN went without optional parameters.

mod add_path;
mod capabilities;
mod graceful;
mod identity;
mod in_force;
mod role;
#[cfg(test)]
mod tests;

use super::settings::Settings;
use crate::types::{Asn, Family, PerFamily, RouterId};
use crate::wire::{Capability, DecodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Notification, Open, Role};
use std::time::Duration;

/// What both OPENs agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The peer's AS number.
    pub asn: Asn,
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
    /// Route refreshes have begin and end marks (RFC 7313).
    pub enhanced_refresh: bool,
    /// The largest message that we may send, in octets: more than 4096 where the peer says that it takes them.
    pub max_message_len: usize,
    /// The largest message that the peer may send: what we said that we take counts alone (RFC 8654 §4).
    pub max_received_len: usize,
    /// The peer sends several paths for each prefix: its NLRI carry path identifiers (RFC 7911).
    pub add_path_in: PerFamily<bool>,
    /// We send several paths: our NLRI carry path identifiers.
    pub add_path_out: PerFamily<bool>,
    /// IPv4 routes may have IPv6 next hops, in both directions (RFC 8950 §4).
    pub extended_next_hop: bool,
    /// What we are to the peer, where we say so at all (RFC 9234); a peer that named its own role has the right one.
    pub role: Option<Role>,
    /// Both announced graceful restart: the peer sends End-of-RIB.
    pub graceful_restart: bool,
    /// The peer's OPEN had the R bit: it has restarted, and waits for End-of-RIB of others itself.
    pub peer_restarting: bool,
    /// Both set the N bit: a NOTIFICATION that is no Hard Reset, or a hold timer that expires, is a restart (RFC 8538).
    pub notification_restart: bool,
    /// How long the peer may be away before its routes go; zero where it does not restart gracefully.
    pub restart_time: Duration,
    /// Common families in which the peer is able to keep forwarding while its control plane is away: those that it
    /// lists at all (RFC 4724 §4.2). Their routes stay when the session is lost.
    pub restarting_families: Vec<Family>,
    /// Of these, those whose routes from before may be used on until End-of-RIB: the peer says that it has kept
    /// forwarding over its restart (the F bit), or that it has not restarted at all (the R bit is clear), as after a
    /// mere loss of the TCP connection. The module `speaker::graceful` says why.
    pub kept_families: Vec<Family>,
    /// Families with long-lived graceful restart on both sides (RFC 9494): for how many seconds after the restart time the
    /// peer's routes may be used, and whether it kept forwarding (the F bit; also set where it has not restarted).
    pub long_lived: PerFamily<Option<(u32, bool)>>,
    /// The peer understands LLGR_STALE: long-lived stale routes may be sent to it (RFC 9494 §4.3).
    pub takes_stale: bool,
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
            add_path: self.add_path_in,
            extended_next_hop: self.extended_next_hop,
            max_message_len: self.max_received_len,
        }
    }
}

/// Our OPEN. `plain` leaves out the optional parameters, for a peer that refused them.
pub fn ours(settings: &Settings, plain: bool) -> Open {
    Open {
        asn: settings.local_asn.two_octet(),
        hold_time: u16::try_from(settings.hold_time.as_secs()).unwrap_or(u16::MAX),
        router_id: settings.router_id,
        capabilities: if plain {
            Vec::new()
        } else {
            capabilities::of(settings)
        },
    }
}

/// Judges the peer's OPEN: what both agree on, or the NOTIFICATION that refuses it. `plain`: ours went without
/// optional parameters.
pub fn validate(open: &Open, settings: &Settings, plain: bool) -> Result<Negotiated, Notification> {
    let asn = identity::check(open, settings)?;
    let hold_time = identity::hold_time(open, settings)?;
    let families = identity::common_families(open, settings, plain)?;
    let local = ours(settings, plain).capabilities;
    // What we did not say ourselves is not looked for.
    let remote: &[Capability] = if plain { &[] } else { &open.capabilities };
    let role = role::agree(settings, remote)?;
    let both = |wanted: fn(&Capability) -> bool| local.iter().any(wanted) && remote.iter().any(wanted);
    let restart = graceful::agree(&local, remote, &families);
    let paths = add_path::agree(&local, remote, &families);
    Ok(Negotiated {
        asn,
        router_id: open.router_id,
        hold_time,
        four_octet: both(|c| matches!(c, Capability::FourOctetAs(_))),
        route_refresh: both(|c| matches!(c, Capability::RouteRefresh)),
        enhanced_refresh: both(|c| matches!(c, Capability::EnhancedRouteRefresh)),
        max_message_len: if both(|c| matches!(c, Capability::ExtendedMessage)) {
            MAX_EXTENDED_MESSAGE
        } else {
            MAX_MESSAGE
        },
        max_received_len: if plain { MAX_MESSAGE } else { MAX_EXTENDED_MESSAGE },
        add_path_in: paths.receive,
        add_path_out: paths.send,
        extended_next_hop: families.contains(&Family::Ipv4Unicast) && both(capabilities::has_ipv4_over_ipv6),
        role,
        graceful_restart: restart.agreed,
        peer_restarting: restart.restarted,
        notification_restart: restart.notification,
        restart_time: restart.time,
        restarting_families: restart.families,
        kept_families: restart.kept,
        long_lived: restart.long_lived,
        takes_stale: restart.takes_stale,
        families,
        local_capabilities: local,
        remote_capabilities: open.capabilities.clone(),
    })
}
