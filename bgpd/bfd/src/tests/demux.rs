//! Which packet is for which session, and what strangers can do: nothing.

use super::*;
use crate::Reject;
use proptest::prelude::*;

fn rejected(one: &One) -> Vec<(Reject, u64)> {
    let rejects = one.table.rejects();
    Reject::ALL
        .into_iter()
        .map(|kind| (kind, rejects.of(kind)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// An Up session hears `packet` from `from`; it must be counted as `expected` and have no effect.
fn no_effect(hops: Hops, packet: ControlPacket, from: Arrival, expected: Reject) {
    let mut one = One::up(Settings::new(hops), 0);
    let packet = ControlPacket {
        your_discr: if packet.your_discr == 1 {
            one.discr
        } else {
            packet.your_discr
        },
        ..packet
    };
    let before = one.status();
    one.table.receive(&packet.encode(), from, at(10));
    assert_eq!(rejected(&one), [(expected, 1)], "{packet:?} from {from:?}");
    assert_eq!((one.status(), one.table.poll_event()), (before, None));
}

#[test]
fn strangers_have_no_effect() {
    // Your Discriminator 1 stands for the right one.
    let down = |your_discr| packet(State::Down, your_discr);
    let single = arrival(Hops::Single);
    let multi = arrival(Hops::Multi);
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
    no_effect(
        Hops::Single,
        down(1),
        Arrival {
            ttl: Some(254),
            ..single
        },
        Reject::Ttl,
    );
    no_effect(
        Hops::Single,
        down(1),
        Arrival { ttl: None, ..single },
        Reject::Ttl,
    );
    no_effect(
        Hops::Multi,
        down(1),
        Arrival {
            ttl: Some(239),
            ..multi
        },
        Reject::Ttl,
    );
    no_effect(
        Hops::Single,
        down(1),
        Arrival {
            source: other,
            ..single
        },
        Reject::Source,
    );
    no_effect(Hops::Single, down(1), multi, Reject::Source);
    no_effect(Hops::Single, down(2), single, Reject::UnknownDiscriminator);
    no_effect(
        Hops::Single,
        down(0),
        Arrival {
            source: other,
            ..single
        },
        Reject::UnknownSource,
    );
    no_effect(Hops::Single, down(0), multi, Reject::UnknownSource);
    no_effect(Hops::Single, packet(State::Up, 0), single, Reject::YourDiscrZero);
}

#[test]
fn multihop_takes_what_fifteen_routers_have_passed_on() {
    let mut one = One::up(Settings::new(Hops::Multi), 0);
    let from = Arrival {
        ttl: Some(240),
        ..arrival(Hops::Multi)
    };
    one.table
        .receive(&packet(State::Down, one.discr).encode(), from, at(10));
    assert!(one.table.poll_event().is_some());
}

#[test]
fn link_local_peers_are_known_by_their_interface() {
    let remote: IpAddr = "fe80::2".parse().unwrap();
    let mut table = Table::new(1);
    let wanted = [3, 4].map(|scope| (Key::new(remote, scope), Settings::new(Hops::Single)));
    table.want(wanted.into(), at(0));
    let from = Arrival {
        source: remote,
        scope: 4,
        ..arrival(Hops::Single)
    };
    table.receive(&packet(State::Down, 0).encode(), from, at(1));
    assert_eq!(table.poll_event().unwrap().key, Key { remote, scope: 4 });
    table.receive(
        &packet(State::Down, 0).encode(),
        Arrival { scope: 5, ..from },
        at(1),
    );
    assert_eq!(table.poll_event(), None);
    assert_eq!(
        Key::new(PEER, 9).scope,
        0,
        "only link-local addresses have an interface"
    );
}

#[test]
fn a_peer_on_the_other_port_is_followed() {
    let mut one = One::new(Settings {
        follow: true,
        ..Settings::new(Hops::Single)
    });
    let call = packet(State::Down, 0).encode();
    for millis in [0, 1000, 2000] {
        one.table.receive(&call, arrival(Hops::Multi), at(millis));
    }
    assert_eq!(
        (one.status().hops, one.status().state),
        (Hops::Multi, State::Init)
    );
    // Two calls on two ports in turn do not make it swing.
    one.table.receive(&call, arrival(Hops::Single), at(2100));
    assert_eq!(one.status().hops, Hops::Multi);
}

#[test]
fn one_that_does_not_follow_stays() {
    let mut one = One::new(Settings::new(Hops::Single));
    one.table
        .receive(&packet(State::Down, 0).encode(), arrival(Hops::Multi), at(9000));
    assert_eq!(
        (one.status().hops, one.status().state),
        (Hops::Single, State::Down)
    );
}

#[test]
fn a_flood_of_nonsense_changes_nothing() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    let mut rng = crate::rng::Rng::new(5);
    let before = one.status();
    for _ in 0..200_000 {
        let mut bytes = packet(State::Down, rng.discriminator().get()).encode();
        for _ in 0..rng.up_to(3) {
            bytes[rng.up_to(23) as usize] = rng.up_to(255) as u8;
        }
        // Your Discriminator is a guess each time.
        bytes[8..12].copy_from_slice(
            &(rng.discriminator().get() & !0x8000_0000 | (!one.discr & 0x8000_0000)).to_be_bytes(),
        );
        one.table.receive(&bytes, arrival(Hops::Single), at(10));
    }
    assert_eq!((one.status(), one.table.poll_event()), (before, None));
    assert_eq!(one.table.rejects().total(), 200_000);
}

proptest! {
    /// Deadlines behave as a plain list of them does.
    #[test]
    fn deadlines_equal_their_model(sets in prop::collection::vec((0usize..20, prop::option::of(0u64..50)), 1..200)) {
        let mut tree = crate::heap::Deadlines::new();
        let mut model = [None; 20];
        for (slot, deadline) in sets {
            tree.reserve(slot + 1);
            tree.set(slot, deadline.map(at));
            model[slot] = deadline.map(at);
            let first = model.iter().flatten().min().copied();
            prop_assert_eq!(tree.first(), first);
            let due = tree.due(at(25));
            prop_assert_eq!(due.is_some(), first.is_some_and(|f| f <= at(25)));
            prop_assert!(due.is_none_or(|slot| model[slot] == first));
        }
    }
}
