use super::*;
use crate::digest::Seen;
use crate::parse;
use crate::scene::Role;

/// What a receiver has after these bytes.
fn heard(expected: &Arc<Expected>, feeds: &[&[u8]]) -> Seen {
    let mut seen = Seen::new(expected.clone());
    let mut attributes = Attributes::default();
    for feed in feeds {
        let mut bytes = *feed;
        while let Some((_, body, length)) = parse::message(bytes).unwrap() {
            let update = parse::update(body).unwrap();
            update.attributes(&mut attributes).unwrap();
            let number = seen.number(&mut attributes);
            parse::prefixes(update.announced, |prefix| {
                seen.announced(prefix, number, &attributes)
            })
            .unwrap();
            bytes = &bytes[length..];
        }
    }
    seen
}

fn feeds(setup: &Setup) -> Vec<&[u8]> {
    setup.feeders.copied.iter().map(|plan| &plan.feed[..]).collect()
}

#[test]
fn a_relay_makes_a_full_table_complete_and_a_router_must_do_more() {
    let setup = full_table::setup(1, 3_000);
    let relayed = setup.receivers.copied[0].expected.clone().unwrap();
    assert_eq!(relayed.count(), 3_000);
    assert!(heard(&relayed, &feeds(&setup)).complete());
    let routed = setup.receivers.routed[0].expected.clone().unwrap();
    let seen = heard(&routed, &feeds(&setup));
    assert!(!seen.complete(), "the router's AS has to be there, MED not");
    assert!(
        seen.differences().contains("3000 with other attributes"),
        "{}",
        seen.differences()
    );
}

#[test]
fn ten_peers_announce_the_same_and_one_path_is_the_shortest() {
    let setup = ten_peers::setup(2, 2_000);
    let feeds = feeds(&setup);
    assert_eq!(feeds.len(), 10);
    let relayed = setup.receivers.copied[0].expected.clone().unwrap();
    assert!(heard(&relayed, &feeds[..1]).complete());
    let mut shortest: std::collections::HashMap<Prefix, Vec<usize>> = Default::default();
    let mut attributes = Attributes::default();
    for feed in &feeds {
        let mut bytes = *feed;
        while let Some((_, body, length)) = parse::message(bytes).unwrap() {
            let update = parse::update(body).unwrap();
            update.attributes(&mut attributes).unwrap();
            let hops = attributes.path.len();
            parse::prefixes(update.announced, |prefix| {
                shortest.entry(prefix).or_default().push(hops)
            })
            .unwrap();
            bytes = &bytes[length..];
        }
    }
    assert_eq!(shortest.len(), 2_000);
    for (prefix, mut hops) in shortest {
        hops.sort_unstable();
        assert_eq!(hops.len(), 10, "{prefix}");
        assert!(hops[0] + 1 == hops[1] && hops[1] == hops[9], "{prefix} {hops:?}");
    }
}

#[test]
fn a_reflector_names_the_originator_and_its_cluster() {
    let setup = reflector::setup(3, 500);
    assert_eq!(setup.receivers.routed.len(), 100);
    assert!(setup.scene.reflects() && setup.scene.peers.len() == 101);
    let routed = setup.receivers.routed[0].expected.clone().unwrap();
    assert!(!heard(&routed, &feeds(&setup)).complete());
    let relayed = setup.receivers.copied[99].expected.clone().unwrap();
    assert!(heard(&relayed, &feeds(&setup)).complete());
}

#[test]
fn everyone_in_a_mesh_is_waited_for() {
    let setup = mesh::setup(30);
    assert_eq!(setup.receivers.routed[0].expected.as_ref().unwrap().count(), 62);
    assert!(
        setup
            .feeders
            .routed
            .iter()
            .all(|plan| plan.expected.as_ref().unwrap().count() == 2)
    );
    let relayed = setup.receivers.copied[0].expected.clone().unwrap();
    assert_eq!(relayed.count(), 60);
    assert!(heard(&relayed, &feeds(&setup)).complete());
    assert_eq!(setup.scene.originate.len(), 2);
}

#[test]
fn idle_peers_hear_all_but_their_own() {
    let setup = idle::setup(4);
    assert_eq!(setup.feeders.routed.len(), 100);
    for plan in &setup.feeders.routed {
        assert_eq!(plan.expected.as_ref().unwrap().count(), 9_900);
        assert_eq!(plan.peer.role, Role::Receiver);
    }
}
