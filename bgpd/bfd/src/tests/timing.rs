//! Intervals, jitter, detection times and Poll Sequences.

use super::*;

fn settings(tx: u64, rx: u64, mult: u8) -> Settings {
    Settings {
        min_tx: ms(tx),
        min_rx: ms(rx),
        detect_mult: mult,
        ..Settings::new(Hops::Single)
    }
}

/// Pauses between `count` periodic packets while the peer keeps the session Up.
fn pauses(one: &mut One, count: usize) -> Vec<u64> {
    let mut last = one.next_packet(0).0;
    (0..count)
        .map(|_| {
            one.hear(packet(State::Up, one.discr), last);
            let (now, _) = one.next_packet(last + 1);
            now - std::mem::replace(&mut last, now)
        })
        .collect()
}

#[test]
fn jitter_keeps_its_bounds_and_its_mean() {
    let mut one = One::up(settings(400, 300, 3), 0);
    let pauses = pauses(&mut one, 4000);
    assert!(
        pauses.iter().all(|p| (300..=401).contains(p)),
        "{:?} {:?}",
        pauses.iter().min(),
        pauses.iter().max()
    );
    let mean = pauses.iter().sum::<u64>() as f64 / pauses.len() as f64;
    assert!((345.0..356.0).contains(&mean), "{mean}");
}

#[test]
fn a_multiplier_of_one_leaves_room_for_the_packet() {
    let mut one = One::up(settings(400, 300, 1), 0);
    assert!(pauses(&mut one, 2000).iter().all(|p| (300..=361).contains(p)));
}

#[test]
fn nobody_hurries_before_it_is_up() {
    let mut one = One::new(settings(50, 50, 3));
    let (first, packet) = one.next_packet(1);
    assert!((750..=1001).contains(&first), "{first}");
    assert_eq!(
        (packet.min_tx, packet.min_rx, packet.state),
        (ms(1000), ms(50), State::Down)
    );
}

#[test]
fn the_slower_of_both_sets_the_pace() {
    for (ours, theirs, expected) in [(100, 300, 300), (500, 300, 500)] {
        let mut one = One::up(settings(ours, 100, 3), 0);
        one.hear(
            ControlPacket {
                min_rx: ms(theirs),
                ..packet(State::Up, one.discr)
            },
            1,
        );
        assert_eq!(one.status().transmit_interval, ms(expected));
    }
}

#[test]
fn detection_time_is_theirs_times_the_slower() {
    for (our_rx, their_tx, mult, expected) in [(300, 100, 5, 1500), (50, 200, 4, 800)] {
        let mut one = One::up(settings(300, our_rx, 3), 0);
        let theirs = ControlPacket {
            min_tx: ms(their_tx),
            detect_mult: NonZeroU8::new(mult).unwrap(),
            ..packet(State::Up, one.discr)
        };
        one.hear(theirs, 10);
        assert_eq!(one.status().detection_time, Some(ms(expected)));
        assert_eq!(one.tick(9 + expected), None);
        assert!(one.tick(10 + expected).is_some());
    }
}

#[test]
fn a_peer_that_wants_nothing_gets_nothing_but_answers() {
    let mut one = One::up(settings(300, 300, 3), 0);
    let deaf = ControlPacket {
        min_rx: Duration::ZERO,
        ..packet(State::Up, one.discr)
    };
    for millis in (10..5000).step_by(300) {
        one.hear(deaf, millis);
        assert_eq!(one.send(millis), None);
    }
    one.hear(ControlPacket { poll: true, ..deaf }, 5000);
    assert!(one.send(5000).unwrap().fin);
}

#[test]
fn a_peer_in_demand_mode_gets_no_rhythm_but_answers_and_polls() {
    let mut one = One::up(settings(300, 300, 3), 0);
    let demand = ControlPacket {
        demand: true,
        ..packet(State::Up, one.discr)
    };
    one.hear(demand, 10);
    assert_eq!(one.send(800), None);
    one.hear(ControlPacket { poll: true, ..demand }, 810);
    let answer = one.send(810).unwrap();
    assert!(answer.fin && !answer.poll);
    one.table.want(
        BTreeMap::from([(Key::new(PEER, 0), settings(500, 300, 3))]),
        at(820),
    );
    let (_, poll) = one.next_packet(820);
    assert!(poll.poll && poll.min_tx == ms(500));
}

#[test]
fn a_poll_is_answered_at_once_and_outside_the_rhythm() {
    let mut one = One::up(settings(300, 300, 3), 0);
    let (last, _) = one.next_packet(1);
    one.hear(
        ControlPacket {
            poll: true,
            ..packet(State::Up, one.discr)
        },
        last + 1,
    );
    let answer = one.send(last + 1).unwrap();
    assert!(answer.fin && !answer.poll);
    let (next, periodic) = one.next_packet(last + 2);
    assert!(
        !periodic.fin && (225..=301).contains(&(next - last)),
        "{}",
        next - last
    );
}

#[test]
fn slower_and_sooner_dead_hold_only_after_the_answer() {
    let mut one = One::up(settings(300, 600, 3), 0);
    one.hear(packet(State::Up, one.discr), 10);
    assert_eq!(one.status().detection_time, Some(ms(1800)));
    one.table.want(
        BTreeMap::from([(Key::new(PEER, 0), settings(900, 300, 3))]),
        at(20),
    );
    assert_eq!(
        (one.status().transmit_interval, one.status().detection_time),
        (ms(300), Some(ms(1800)))
    );
    // An answer to a question that was not yet sent is none.
    one.hear(
        ControlPacket {
            fin: true,
            ..packet(State::Up, one.discr)
        },
        30,
    );
    assert_eq!(one.status().transmit_interval, ms(300));
    let (sent, poll) = one.next_packet(30);
    assert!(poll.poll && poll.min_tx == ms(900) && poll.min_rx == ms(300));
    one.hear(
        ControlPacket {
            fin: true,
            ..packet(State::Up, one.discr)
        },
        sent,
    );
    assert_eq!(
        (one.status().transmit_interval, one.status().detection_time),
        (ms(900), Some(ms(900)))
    );
    assert!(!one.next_packet(sent + 1).1.poll);
}

#[test]
fn faster_and_later_dead_hold_at_once() {
    let mut one = One::up(settings(900, 300, 3), 0);
    one.hear(packet(State::Up, one.discr), 10);
    one.table.want(
        BTreeMap::from([(Key::new(PEER, 0), settings(300, 600, 3))]),
        at(20),
    );
    assert_eq!(
        (one.status().transmit_interval, one.status().detection_time),
        (ms(300), Some(ms(1800)))
    );
    assert!(
        one.next_packet(20).0 <= 301,
        "the packet that was due later comes earlier"
    );
}

#[test]
fn a_later_change_joins_the_next_sequence() {
    let mut one = One::up(settings(300, 300, 3), 0);
    let key = Key::new(PEER, 0);
    one.table
        .want(BTreeMap::from([(key, settings(600, 300, 3))]), at(10));
    let (sent, first) = one.next_packet(10);
    one.table
        .want(BTreeMap::from([(key, settings(900, 300, 3))]), at(sent + 1));
    let (again, second) = one.next_packet(sent + 1);
    assert!(second.poll && second.min_tx == first.min_tx && first.min_tx == ms(600));
    one.hear(
        ControlPacket {
            fin: true,
            ..packet(State::Up, one.discr)
        },
        again,
    );
    assert_eq!(one.status().transmit_interval, ms(600));
    let (sent, third) = one.next_packet(again);
    assert!(third.poll && third.min_tx == ms(900));
    one.hear(
        ControlPacket {
            fin: true,
            ..packet(State::Up, one.discr)
        },
        sent,
    );
    assert_eq!(one.status().transmit_interval, ms(900));
}

#[test]
fn limits() {
    let one = One::up(
        Settings {
            detect_mult: 0,
            ..settings(0, 1, 3)
        },
        0,
    );
    assert_eq!(
        one.status().detection_time,
        Some(ms(900)),
        "the peer's 300 ms count"
    );
    assert_eq!(one.status().transmit_interval, ms(300));
}
