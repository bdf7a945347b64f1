//! What our OPEN says, what is refused in the peer's, and what both come to.

use super::*;
use crate::session::fsm::Tuning;
use crate::session::messages;
use crate::session::offer::{AddPathOffer, AddPathSend, Graceful, Offer};
use crate::wire::{AddPathMode, GracefulFamily, LongLivedFamily};
use std::net::Ipv4Addr;

fn settings(local: u32, remote: u32) -> Settings {
    Settings {
        local_asn: Asn(local),
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, 1)),
        remote_as: Asn(remote).into(),
        hold_time: Duration::from_secs(90),
        min_hold_time: Duration::from_secs(3),
        families: Family::ALL.to_vec(),
        offer: Offer::default(),
        restarting: false,
        tuning: Tuning {
            keepalive: None,
            connect_retry: Duration::from_secs(5),
            passive: false,
        },
    }
}

fn kept(family: Family) -> GracefulFamily {
    GracefulFamily {
        family,
        forwarding_kept: true,
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
        verdict(|open| open.hold_time = 180).unwrap().hold_time,
        Duration::from_secs(90)
    );
}

#[test]
fn a_peer_may_switch_the_hold_timer_off_only_where_that_is_allowed() {
    // Our own proposal, the shortest that we take, the peer's proposal, what comes of it.
    let rows = [
        (90, 3, 0, None),
        (90, 0, 0, Some(0)),
        (0, 3, 0, Some(0)),
        (0, 3, 90, Some(0)),
        (90, 30, 29, None),
        (90, 30, 30, Some(30)),
        (90, 0, 2, None),
    ];
    for (ours, least, theirs, agreed) in rows {
        let mut settings = settings(65000, 65001);
        settings.hold_time = Duration::from_secs(ours);
        settings.min_hold_time = Duration::from_secs(least);
        let mut open = self::theirs(65001);
        open.hold_time = theirs;
        let verdict = validate(&open, &settings, false).map(|agreed| agreed.hold_time.as_secs());
        let wanted = agreed.ok_or_else(messages::unacceptable_hold_time);
        assert_eq!(verdict, wanted, "{ours} {least} {theirs}");
    }
}

#[test]
fn each_fault_has_its_subcode() {
    type Change = fn(&mut Open);
    let table: [(&str, Change); 8] = [
        ("N2/6", |open| open.hold_time = 0),
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
    assert!(!agreed.four_octet && !agreed.route_refresh && !agreed.graceful_restart);
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
        time: 120,
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

/// What we at AS 65000 agree on with a peer in AS 65001, by what each offers.
fn between(local: Offer, remote: Offer) -> Result<Negotiated, String> {
    let mut us = settings(65000, 65001);
    us.offer = local;
    let mut them = settings(65001, 65000);
    them.offer = remote;
    them.router_id = RouterId(Ipv4Addr::new(10, 0, 0, 2));
    validate(&ours(&them, false), &us, false).map_err(|n| messages::codes(&n))
}

fn role(role: Option<Role>, strict_role: bool) -> Offer {
    Offer {
        role,
        strict_role,
        ..Offer::default()
    }
}

#[test]
fn roles_go_together_or_the_session_does_not() {
    use Role::*;
    let rows = [
        (Some(Provider), Some(Customer), Ok(Some(Provider))),
        (Some(Customer), Some(Provider), Ok(Some(Customer))),
        (Some(RouteServer), Some(RouteServerClient), Ok(Some(RouteServer))),
        (
            Some(RouteServerClient),
            Some(RouteServer),
            Ok(Some(RouteServerClient)),
        ),
        (Some(Peer), Some(Peer), Ok(Some(Peer))),
        (Some(Peer), Some(Customer), Err("N2/11")),
        (Some(Provider), Some(Provider), Err("N2/11")),
        (Some(Provider), None, Ok(Some(Provider))),
        (None, Some(Provider), Ok(None)),
    ];
    for (local, remote, wanted) in rows {
        let agreed = between(role(local, false), role(remote, false)).map(|agreed| agreed.role);
        assert_eq!(agreed, wanted.map_err(str::to_owned), "{local:?} {remote:?}");
    }
    assert_eq!(
        between(role(Some(Peer), true), role(None, false)).unwrap_err(),
        "N2/11",
        "strict"
    );
    assert!(between(role(Some(Peer), true), role(Some(Peer), false)).is_ok());
}

#[test]
fn a_role_that_is_repeated_differs_or_is_unknown() {
    let mut us = settings(65000, 65001);
    us.offer.role = Some(Role::Provider);
    let unknown = Capability::Unknown {
        code: 9,
        value: vec![5],
    };
    let customer = Capability::Role(Role::Customer);
    for (roles, good) in [
        (vec![customer.clone(), customer.clone()], true),
        (vec![customer.clone(), Capability::Role(Role::Peer)], false),
        (vec![customer, unknown.clone()], false),
        (vec![unknown], false),
    ] {
        let mut open = theirs(65001);
        open.capabilities.extend(roles.clone());
        assert_eq!(validate(&open, &us, false).is_ok(), good, "{roles:?}");
    }
    // Inside an AS there are no roles.
    let mut inside = settings(65000, 65000);
    inside.offer = role(Some(Role::Provider), true);
    assert!(!ours(&inside, false).capabilities.iter().any(Capability::is_role));
    assert_eq!(validate(&theirs(65000), &inside, false).unwrap().role, None);
}

#[test]
fn several_paths_flow_where_one_side_sends_and_the_other_receives() {
    let offer = |receive, send| {
        let mut offer = Offer::default();
        offer.add_path.ipv6 = AddPathOffer { receive, send };
        offer
    };
    let all = [
        (false, AddPathSend::None),
        (true, AddPathSend::None),
        (false, AddPathSend::Best(2)),
        (true, AddPathSend::All),
    ];
    for ours in all {
        for theirs in all {
            let agreed = between(offer(ours.0, ours.1), offer(theirs.0, theirs.1)).unwrap();
            let sends = |side: (bool, AddPathSend)| side.1 != AddPathSend::None;
            assert_eq!(
                agreed.add_path_in.ipv6,
                ours.0 && sends(theirs),
                "{ours:?} {theirs:?}"
            );
            assert_eq!(
                agreed.add_path_out.ipv6,
                sends(ours) && theirs.0,
                "{ours:?} {theirs:?}"
            );
            assert!(!agreed.add_path_in.ipv4 && !agreed.add_path_out.ipv4);
            let context = agreed.decode_context(&settings(65000, 65001));
            assert_eq!(context.add_path, agreed.add_path_in);
        }
    }
}

#[test]
fn of_several_entries_for_several_paths_the_last_one_counts() {
    let mut us = settings(65000, 65001);
    us.offer.add_path.ipv4.receive = true;
    let mut open = theirs(65001);
    let entry = |mode| Capability::AddPath(vec![(Family::Ipv4Unicast, mode)]);
    open.capabilities
        .extend([entry(AddPathMode::Send), entry(AddPathMode::Receive)]);
    assert!(!validate(&open, &us, false).unwrap().add_path_in.ipv4);
}

#[test]
fn what_only_one_side_offers_is_not_agreed() {
    let everything = Offer {
        graceful: Some(Graceful {
            time: 5000,
            notification: true,
        }),
        long_lived: crate::types::PerFamily {
            ipv4: Some(3600),
            ipv6: None,
        },
        extended_next_hop: true,
        ..Offer::default()
    };
    let nothing = Offer {
        graceful: None,
        enhanced_refresh: false,
        ..Offer::default()
    };
    let features = |agreed: &Negotiated| {
        [
            agreed.graceful_restart,
            agreed.notification_restart,
            agreed.enhanced_refresh,
            agreed.extended_next_hop,
            agreed.long_lived.ipv4.is_some(),
        ]
    };
    for (local, remote) in [(everything, nothing), (nothing, everything), (nothing, nothing)] {
        let agreed = between(local, remote).unwrap();
        assert_eq!(features(&agreed), [false; 5]);
        assert_eq!(agreed.restarting_families, []);
    }
    let agreed = between(everything, everything).unwrap();
    assert_eq!(features(&agreed), [true; 5]);
    assert_eq!(agreed.restart_time, Duration::from_secs(4095), "12 bits");
    assert_eq!(
        (agreed.long_lived.ipv4, agreed.long_lived.ipv6),
        (Some((3600, true)), None)
    );
    assert!(agreed.takes_stale);
    let plain_notification = Offer::default();
    let agreed = between(everything, plain_notification).unwrap();
    assert!(
        agreed.graceful_restart && !agreed.notification_restart,
        "N of both"
    );
}

#[test]
fn long_lived_restart_means_nothing_without_graceful_restart() {
    let mut us = settings(65000, 65001);
    us.offer.long_lived.ipv4 = Some(3600);
    let mut open = theirs(65001);
    open.capabilities
        .push(Capability::LongLived(vec![LongLivedFamily {
            family: Family::Ipv4Unicast,
            forwarding_kept: false,
            time: 77,
        }]));
    let agreed = validate(&open, &us, false).unwrap();
    assert_eq!(agreed.long_lived.ipv4, Some((77, true)), "it has not restarted");
    open.capabilities
        .retain(|c| !matches!(c, Capability::GracefulRestart { .. }));
    let agreed = validate(&open, &us, false).unwrap();
    assert_eq!((agreed.long_lived.ipv4, agreed.takes_stale), (None, false));
    us.offer.graceful = None;
    let said = ours(&us, false).capabilities;
    assert!(!said.iter().any(|c| matches!(c, Capability::LongLived(_))));
}

#[test]
fn a_change_that_the_peer_would_not_hear_of_keeps_the_session() {
    let old = settings(65000, 65001);
    type Change = fn(&mut Settings);
    let rows: [(bool, Change); 10] = [
        (false, |s| s.restarting = true),
        (false, |s| s.min_hold_time = Duration::ZERO),
        (false, |s| s.tuning.passive = true),
        (true, |s| s.hold_time = Duration::from_secs(30)),
        (true, |s| s.offer.graceful = None),
        (true, |s| s.offer.role = Some(Role::Peer)),
        (true, |s| s.offer.strict_role = true),
        (true, |s| s.families = vec![Family::Ipv4Unicast]),
        (true, |s| s.local_asn = Asn(4_200_000_000)),
        (true, |s| s.remote_as = Asn(65002).into()),
    ];
    for (at, (reset, change)) in rows.into_iter().enumerate() {
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(new.needs_new_session(&old), reset, "row {at}");
    }
    let mut more = old.clone();
    more.offer.add_path.ipv4.send = AddPathSend::Best(2);
    let mut even_more = more.clone();
    even_more.offer.add_path.ipv4.send = AddPathSend::All;
    assert!(more.needs_new_session(&old) && !even_more.needs_new_session(&more));
}
