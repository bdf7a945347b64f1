//! The capabilities of our OPEN.
//!
//! Always: multiprotocol for each offered family, route refresh, 4-octet AS, extended messages. By the [`Offer`]: graceful
//! restart (RFC 4724 §3) for each offered family with the F bit, because the kernel goes on forwarding while we are
//! away (a node that boots says so too, without having kept anything; its peers find out at our End-of-RIB, which
//! comes with the first table), and the others.
//!
//! [`Offer`]: crate::session::Offer

use crate::session::offer::AddPathSend;
use crate::session::settings::Settings;
use crate::types::{Family, PeerKind};
use crate::wire::{AddPathMode, Capability, GracefulFamily, LongLivedFamily};

/// AFI of IPv6, as the family of next hops.
const IPV6: u16 = 2;

/// All of them.
pub fn of(settings: &Settings) -> Vec<Capability> {
    let offer = &settings.offer;
    let families = settings.families.as_slice();
    let mut list: Vec<Capability> = families
        .iter()
        .map(|family| Capability::MultiProtocol(*family))
        .collect();
    list.push(Capability::RouteRefresh);
    list.push(Capability::FourOctetAs(settings.local_asn));
    list.push(Capability::ExtendedMessage);
    if offer.enhanced_refresh {
        list.push(Capability::EnhancedRouteRefresh);
    }
    if offer.extended_next_hop && families.contains(&Family::Ipv4Unicast) {
        list.push(Capability::ExtendedNextHop(vec![(Family::Ipv4Unicast, IPV6)]));
    }
    list.extend(add_path(settings));
    list.extend(graceful(settings));
    list.extend(long_lived(settings));
    if let Some(role) = offer.role.filter(|_| settings.kind() == PeerKind::External) {
        list.push(Capability::Role(role));
    }
    list
}

/// Whether it says that IPv4 routes may have IPv6 next hops.
pub fn has_ipv4_over_ipv6(capability: &Capability) -> bool {
    match capability {
        Capability::ExtendedNextHop(list) => list.contains(&(Family::Ipv4Unicast, IPV6)),
        _ => false,
    }
}

/// One capability for all families (RFC 7911 §4).
fn add_path(settings: &Settings) -> Option<Capability> {
    let mode = |family: &Family| {
        let offer = settings.offer.add_path.get(*family);
        let mode = match (offer.receive, offer.send != AddPathSend::None) {
            (true, true) => AddPathMode::Both,
            (true, false) => AddPathMode::Receive,
            (false, true) => AddPathMode::Send,
            (false, false) => return None,
        };
        Some((*family, mode))
    };
    let list: Vec<_> = settings.families.iter().filter_map(mode).collect();
    (!list.is_empty()).then_some(Capability::AddPath(list))
}

fn graceful(settings: &Settings) -> Option<Capability> {
    let graceful = settings.offer.graceful?;
    let kept = |family: &Family| GracefulFamily {
        family: *family,
        forwarding_kept: true,
    };
    Some(Capability::GracefulRestart {
        restarting: settings.restarting,
        notification: graceful.notification,
        time: graceful.announced_time(),
        families: settings.families.iter().map(kept).collect(),
    })
}

fn long_lived(settings: &Settings) -> Option<Capability> {
    settings.offer.graceful?;
    let entry = |family: &Family| {
        let time = (*settings.offer.long_lived.get(*family))?;
        Some(LongLivedFamily {
            family: *family,
            forwarding_kept: true,
            time,
        })
    };
    let list: Vec<_> = settings.families.iter().filter_map(entry).collect();
    (!list.is_empty()).then_some(Capability::LongLived(list))
}
