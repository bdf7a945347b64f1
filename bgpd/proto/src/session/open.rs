//! OPEN messages: what ours says, whether the peer's is acceptable, and what both agree on
//! (RFC 4271 §4.2 and §6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607).
//!
//! We announce: multiprotocol for each offered family, route refresh, 4-octet AS, extended messages, and graceful
//! restart (RFC 4724 §3) for each offered family with the F bit: the kernel goes on forwarding while we are away. A
//! node that boots says so too, without having kept anything; its peers find out at our End-of-RIB, which comes with
//! the first table.

use super::messages;
use super::settings::Settings;
use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::{
    Capability, DecodeContext, GracefulFamily, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Notification, Open,
};
use std::time::Duration;

/// How long peers may keep our routes while we restart, in seconds (RFC 4724 §3; 4095 at most).
const RESTART_TIME: u16 = 120;

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
    /// The largest message that we may send, in octets: more than 4096 where the peer says that it takes them.
    pub max_message_len: usize,
    /// The largest message that the peer may send: what we said that we take counts alone (RFC 8654 §4).
    pub max_received_len: usize,
    /// The peer announced graceful restart: it sends End-of-RIB.
    pub graceful_restart: bool,
    /// How long the peer may be away before its routes go; zero where it does not restart gracefully.
    pub restart_time: Duration,
    /// Common families in which the peer is able to keep forwarding while its control plane is away: those that it
    /// lists at all (RFC 4724 §4.2). Their routes stay when the session is lost.
    pub restarting_families: Vec<Family>,
    /// Of these, those whose routes from before may be used on until End-of-RIB: the peer says that it has kept
    /// forwarding over its restart (the F bit), or that it has not restarted at all (the R bit is clear), as after a
    /// mere loss of the TCP connection. The module `speaker::graceful` says why.
    pub kept_families: Vec<Family>,
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
            max_message_len: self.max_received_len,
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

/// The kernel keeps forwarding while we are away: exit leaves every route in place.
fn kept(family: Family) -> GracefulFamily {
    GracefulFamily {
        family,
        forwarding_kept: true,
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
                restarting: settings.restarting,
                notification: false,
                time: RESTART_TIME,
                families: settings.families.iter().map(|f| kept(*f)).collect(),
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
    let hold_time = settings
        .hold_time
        .min(Duration::from_secs(u64::from(open.hold_time)));
    let families = common_families(open, settings, plain)?;
    let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    let extended = !plain && has(|c| matches!(c, Capability::ExtendedMessage));
    let restart = open.capabilities.iter().find_map(|c| match c {
        Capability::GracefulRestart {
            restarting,
            time,
            families,
            ..
        } if !plain => Some((*restarting, *time, families.as_slice())),
        _ => None,
    });
    let (restarted, restart_time, listed) = restart.unwrap_or((false, 0, &[]));
    let those = |wanted: &dyn Fn(&GracefulFamily) -> bool| -> Vec<Family> {
        let is = |family: &Family| listed.iter().any(|f| f.family == *family && wanted(f));
        families.iter().copied().filter(is).collect()
    };
    Ok(Negotiated {
        router_id: open.router_id,
        hold_time,
        families: families.clone(),
        four_octet: !plain && has(|c| matches!(c, Capability::FourOctetAs(_))),
        route_refresh: !plain && has(|c| matches!(c, Capability::RouteRefresh)),
        max_message_len: if extended {
            MAX_EXTENDED_MESSAGE
        } else {
            MAX_MESSAGE
        },
        max_received_len: if plain { MAX_MESSAGE } else { MAX_EXTENDED_MESSAGE },
        graceful_restart: has(|c| matches!(c, Capability::GracefulRestart { .. })),
        restart_time: Duration::from_secs(u64::from(restart_time)),
        restarting_families: those(&|_| true),
        kept_families: those(&|family| family.forwarding_kept || !restarted),
        local_capabilities: ours(settings, plain).capabilities,
        remote_capabilities: open.capabilities.clone(),
    })
}

fn check_identity(open: &Open, settings: &Settings) -> Result<(), Notification> {
    // The capability outranks the two-octet field (RFC 6793 §4.1). AS 0 is nobody's (RFC 7607).
    let mut announced = open.capabilities.iter().filter_map(|c| match c {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    });
    let asn = announced.next().unwrap_or(Asn(u32::from(open.asn)));
    let contradicted = announced.any(|other| other != asn);
    if asn != settings.remote_asn || asn == Asn(0) || contradicted {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fsm::Tuning;
    use std::net::Ipv4Addr;

    fn settings(local: u32, remote: u32) -> Settings {
        Settings {
            local_asn: Asn(local),
            router_id: RouterId(Ipv4Addr::new(10, 0, 0, 1)),
            remote_asn: Asn(remote),
            hold_time: Duration::from_secs(90),
            families: Family::ALL.to_vec(),
            restarting: false,
            tuning: Tuning {
                connect_retry: Duration::from_secs(5),
                passive: false,
            },
        }
    }

    /// The OPEN of a peer with AS number `asn`, as we would send it ourselves.
    fn theirs(asn: u32) -> Open {
        let router_id = RouterId(Ipv4Addr::new(10, 0, 0, 2));
        ours(
            &Settings {
                router_id,
                ..settings(asn, 1)
            },
            false,
        )
    }

    fn verdict(change: impl FnOnce(&mut Open)) -> Result<Negotiated, String> {
        let mut open = theirs(4_200_000_001);
        change(&mut open);
        validate(&open, &settings(65000, 4_200_000_001), false).map_err(|n| messages::codes(&n))
    }

    #[test]
    fn a_good_open_is_accepted_with_the_smaller_hold_time() {
        let agreed = verdict(|open| open.hold_time = 30).unwrap();
        assert_eq!(agreed.hold_time, Duration::from_secs(30));
        assert_eq!(agreed.families, Family::ALL);
        assert_eq!(agreed.max_message_len, MAX_EXTENDED_MESSAGE);
        assert_eq!(
            verdict(|open| open.hold_time = 0).unwrap().hold_time,
            Duration::ZERO
        );
        assert_eq!(
            verdict(|open| open.hold_time = 180).unwrap().hold_time,
            Duration::from_secs(90)
        );
    }

    #[test]
    fn each_fault_has_its_subcode() {
        type Change = fn(&mut Open);
        let table: [(&str, Change); 7] = [
            ("N2/6", |open| open.hold_time = 1),
            ("N2/6", |open| open.hold_time = 2),
            ("N2/3", |open| open.router_id = RouterId(Ipv4Addr::UNSPECIFIED)),
            // Without the capability the two-octet field counts: AS_TRANS is not the peer.
            ("N2/2", |open| {
                open.capabilities
                    .retain(|c| !matches!(c, Capability::FourOctetAs(_)))
            }),
            ("N2/2", |open| {
                open.capabilities.push(Capability::FourOctetAs(Asn(0)))
            }),
            ("N2/2", |open| {
                open.capabilities.insert(0, Capability::FourOctetAs(Asn(7)))
            }),
            ("N2/7", |open| {
                open.capabilities.retain(|c| c.family().is_none());
                open.capabilities
                    .push(Capability::OtherFamily { afi: 25, safi: 65 });
            }),
        ];
        for (at, (codes, change)) in table.into_iter().enumerate() {
            assert_eq!(verdict(change).unwrap_err(), codes, "row {at}");
        }
    }

    #[test]
    fn equal_identifiers_are_an_error_inside_one_as_only() {
        let mut open = theirs(65000);
        open.router_id = settings(65000, 65000).router_id;
        assert!(validate(&open, &settings(65000, 65000), false).is_err());
        let mut open = theirs(65001);
        open.router_id = settings(65000, 65001).router_id;
        assert!(validate(&open, &settings(65000, 65001), false).is_ok());
    }

    #[test]
    fn a_peer_without_capabilities_speaks_plain_bgp4() {
        let mut open = theirs(65001);
        open.capabilities.clear();
        let agreed = validate(&open, &settings(65000, 65001), false).unwrap();
        assert_eq!(agreed.families, [Family::Ipv4Unicast]);
        assert!(!agreed.four_octet && !agreed.route_refresh && !agreed.graceful_restart);
        assert_eq!(agreed.max_message_len, MAX_MESSAGE);
    }

    #[test]
    fn after_a_plain_open_of_ours_nothing_is_agreed_that_we_did_not_say() {
        let agreed = validate(&theirs(65001), &settings(65000, 65001), true).unwrap();
        assert_eq!(agreed.families, [Family::Ipv4Unicast]);
        assert!(!agreed.four_octet && !agreed.route_refresh);
        assert!(agreed.local_capabilities.is_empty());
    }

    #[test]
    fn restart_is_announced_for_every_family_with_its_state_kept() {
        let open = ours(
            &Settings {
                restarting: true,
                ..settings(4_200_000_001, 1)
            },
            false,
        );
        assert_eq!(open.asn, 23456);
        let families = Family::ALL.map(kept).to_vec();
        let wanted = Capability::GracefulRestart {
            restarting: true,
            notification: false,
            time: RESTART_TIME,
            families,
        };
        assert!(open.capabilities.contains(&wanted));
    }

    #[test]
    fn what_a_restart_has_lost_is_not_kept_and_without_a_restart_nothing_was_lost() {
        // Whether the peer says that it has restarted, and what of an IPv4 that it keeps and an IPv6 that it does not may stay.
        let rows: [(bool, &[Family]); 2] = [(true, &[Family::Ipv4Unicast]), (false, &Family::ALL)];
        for (restarting, kept_families) in rows {
            let lost = GracefulFamily {
                family: Family::Ipv6Unicast,
                forwarding_kept: false,
            };
            let mut open = theirs(65001);
            open.capabilities
                .retain(|c| !matches!(c, Capability::GracefulRestart { .. }));
            open.capabilities.push(Capability::GracefulRestart {
                restarting,
                notification: false,
                time: 77,
                families: vec![kept(Family::Ipv4Unicast), lost],
            });
            let agreed = validate(&open, &settings(65000, 65001), false).unwrap();
            assert_eq!(agreed.restart_time, Duration::from_secs(77));
            assert_eq!(agreed.kept_families, kept_families, "R bit {restarting}");
            assert_eq!(agreed.restarting_families, Family::ALL);
        }
    }

    #[test]
    fn a_family_that_is_not_listed_is_not_kept_even_without_a_restart() {
        let mut open = theirs(65001);
        for capability in &mut open.capabilities {
            if let Capability::GracefulRestart { families, .. } = capability {
                families.retain(|f| f.family == Family::Ipv4Unicast);
            }
        }
        let agreed = validate(&open, &settings(65000, 65001), false).unwrap();
        assert_eq!(agreed.kept_families, [Family::Ipv4Unicast]);
        assert_eq!(agreed.restarting_families, [Family::Ipv4Unicast]);
    }
}
