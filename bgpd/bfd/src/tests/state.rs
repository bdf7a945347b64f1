//! The state machine: its sixteen pairs, and what a session makes of them.

use super::*;
use crate::{Why, next};

#[test]
fn sixteen_pairs() {
    use State::*;
    let lost = Some((Down, Diag::NEIGHBOR_DOWN));
    let to = |state| Some((state, Diag::NONE));
    let rows = [
        (AdminDown, [None, None, None, None]),
        (Down, [None, to(Init), to(Up), None]),
        (Init, [lost, None, to(Up), to(Up)]),
        (Up, [lost, lost, None, None]),
    ];
    for (local, expected) in rows {
        for (received, expected) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
            assert_eq!(next(local, received), expected, "{local} hears {received}");
        }
    }
}

#[test]
fn the_handshake_takes_as_long_as_the_packets() {
    let mut one = One::new(Settings::new(Hops::Single));
    one.hear(packet(State::Down, 0), 10);
    let init = one.send(10).expect("a change of state is told at once");
    assert_eq!((init.state, init.your_discr), (State::Init, 7));
    one.hear(packet(State::Up, one.discr), 20);
    let up = one.send(20).expect("told at once");
    assert_eq!((up.state, up.diag), (State::Up, Diag::NONE));
    let events: Vec<_> = std::iter::from_fn(|| one.table.poll_event())
        .map(|e| (e.from, e.to))
        .collect();
    assert_eq!(events, [(State::Down, State::Init), (State::Init, State::Up)]);
}

#[test]
fn silence_is_down_and_says_so() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    assert_eq!(one.tick(899), None);
    let event = one.tick(900).unwrap();
    assert_eq!(
        (event.from, event.to, event.why),
        (State::Up, State::Down, Why::TimeExpired)
    );
    let told = one.send(900).unwrap();
    assert_eq!(
        (told.state, told.diag, told.your_discr),
        (State::Down, Diag::TIME_EXPIRED, 0)
    );
    assert_eq!(one.status().failures, 1);
}

#[test]
fn a_peer_that_says_down_is_believed() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    one.hear(
        ControlPacket {
            diag: Diag::TIME_EXPIRED,
            ..packet(State::Down, one.discr)
        },
        100,
    );
    let event = one.table.poll_event().unwrap();
    assert_eq!((event.from, event.to), (State::Up, State::Down));
    assert_eq!(event.why, Why::Peer(State::Down, Diag::TIME_EXPIRED));
    // What we know of it stays until it is silent for a detection time.
    assert_eq!(one.send(100).unwrap().your_discr, 7);
    assert_eq!(one.tick(999), None);
    assert_eq!(one.status().remote, Some((State::Down, Diag::TIME_EXPIRED)));
    assert_eq!(one.tick(1000), None);
    assert_eq!(one.status().remote, None);
}

#[test]
fn a_peer_that_is_switched_off_has_not_failed() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    one.hear(
        ControlPacket {
            diag: Diag::ADMIN_DOWN,
            ..packet(State::AdminDown, one.discr)
        },
        100,
    );
    let event = one.table.poll_event().unwrap();
    assert!(!event.why.is_failure());
    assert_eq!((one.status().state, one.status().failures), (State::Down, 0));
}

#[test]
fn a_restarted_peer_is_known_by_its_address() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    let again = ControlPacket {
        my_discr: NonZeroU32::new(8).unwrap(),
        ..packet(State::Down, 0)
    };
    one.hear(again, 100);
    let event = one.table.poll_event().unwrap();
    assert_eq!((event.to, event.why), (State::Down, Why::Restarted));
    assert!(!event.why.is_failure(), "what it sends arrives");
    assert_eq!(one.send(100).unwrap().your_discr, 8);
    one.hear(again, 200);
    one.hear(
        ControlPacket {
            your_discr: one.discr,
            state: State::Init,
            ..again
        },
        210,
    );
    assert_eq!(one.status().state, State::Up);
}

#[test]
fn a_process_that_stood_still_waits_once_more() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    assert_eq!(
        one.tick(900 + 451),
        None,
        "half a detection time late: not the peer's fault"
    );
    assert_eq!(one.status().late, 1);
    assert_eq!(one.tick(900 + 451 + 299), None);
    assert_eq!(
        one.tick(900 + 451 + 300).map(|e| e.why),
        Some(Why::TimeExpired),
        "once for each stall"
    );

    let mut one = One::up(Settings::new(Hops::Single), 0);
    assert_eq!(one.tick(5000), None);
    one.hear(packet(State::Up, one.discr), 5100);
    assert_eq!(one.tick(5999), None);
    assert!(one.tick(6000).is_some());
}
