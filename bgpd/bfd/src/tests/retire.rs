//! Sessions that are not wanted any more, and that are wanted again.

use super::*;

#[test]
fn it_says_admin_down_for_a_detection_time_and_goes() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    one.next_packet(1);
    one.hear(packet(State::Up, one.discr), 400);
    one.table.want(BTreeMap::new(), at(500));
    let mut said = Vec::new();
    for millis in 500..1600 {
        one.table.handle_timeout(at(millis));
        while let Some(packet) = one.send(millis) {
            assert_eq!((packet.state, packet.diag), (State::AdminDown, Diag::ADMIN_DOWN));
            assert!(packet.min_tx >= ms(1000), "RFC 5880 §6.8.3");
            said.push(millis);
        }
    }
    assert!(said[0] == 500 && (3..=5).contains(&said.len()), "{said:?}");
    assert!(said.iter().all(|at| *at <= 1400), "{said:?}");
    assert!(one.table.is_empty());
    assert_eq!((one.table.poll_event(), one.table.poll_timeout()), (None, None));
}

#[test]
fn one_that_was_never_heard_goes_at_once() {
    let mut one = One::new(Settings::new(Hops::Single));
    one.table.want(BTreeMap::new(), at(10));
    assert!(one.table.is_empty());
}

#[test]
fn wanted_again_it_begins_anew_with_another_number() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    let wanted = BTreeMap::from([(Key::new(PEER, 0), Settings::new(Hops::Single))]);
    one.table.want(BTreeMap::new(), at(100));
    one.table.want(wanted, at(200));
    assert_eq!(
        one.status().state,
        State::AdminDown,
        "what has begun is said to its end"
    );
    let mut millis = 200;
    while one.status().state == State::AdminDown {
        millis += 1;
        one.table.handle_timeout(at(millis));
    }
    assert!(millis <= 1000);
    let first = std::iter::from_fn(|| one.send(millis)).last().unwrap();
    assert!(first.state == State::Down && first.my_discr.get() != one.discr);
}

#[test]
fn the_other_encapsulation_is_another_session() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    one.table.want(
        BTreeMap::from([(Key::new(PEER, 0), Settings::new(Hops::Multi))]),
        at(100),
    );
    assert_eq!(
        (one.status().state, one.status().hops),
        (State::AdminDown, Hops::Single)
    );
    one.table.handle_timeout(at(1000));
    assert_eq!(
        (one.status().state, one.status().hops),
        (State::Down, Hops::Multi)
    );
}

#[test]
fn leaving_is_said_as_often_as_asked() {
    let mut one = One::up(Settings::new(Hops::Single), 0);
    for millis in [10, 30, 50] {
        one.table.administratively_down(at(millis));
        assert_eq!(one.send(millis).unwrap().state, State::AdminDown);
        assert_eq!(one.send(millis), None);
    }
    one.hear(
        ControlPacket {
            poll: true,
            ..packet(State::Up, one.discr)
        },
        60,
    );
    assert_eq!(one.send(60), None, "AdminDown discards what comes");
    assert_eq!(one.table.poll_event(), None);
}
