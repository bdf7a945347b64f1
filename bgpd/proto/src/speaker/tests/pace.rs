//! The pause between UPDATEs (MinRouteAdvertisementIntervalTimer, RFC 4271 §9.2.1.1).

use super::{Pair, SECOND, config, id};
use crate::rib::Originated;
use std::collections::BTreeMap;

fn routes(numbers: &[u8]) -> BTreeMap<ipnet::IpNet, Originated> {
    let net = |n: &u8| format!("10.1.{n}.0/24").parse().unwrap();
    numbers.iter().map(|n| (net(n), Originated::default())).collect()
}

/// Speaker 1 pauses for five seconds after what it has told speaker 2.
fn pair() -> Pair {
    let mut first = config(1, &[2]);
    first.peers.get_mut(&id(2)).unwrap().advertisement_interval = 5 * SECOND;
    let mut pair = Pair::of([first, config(2, &[1])]);
    // The marks of the end of its empty table were the first that it said.
    pass(&mut pair, 5);
    pair
}

fn pass(pair: &mut Pair, seconds: u32) {
    pair.now += seconds * SECOND;
    for speaker in &mut pair.speakers {
        speaker.handle_timeout(pair.now);
    }
    pair.settle();
}

fn tell(pair: &mut Pair, numbers: &[u8]) {
    pair.speakers[0].originate(routes(numbers), pair.now);
    pair.settle();
}

#[test]
fn what_changes_in_the_pause_is_told_after_it_and_once() {
    let mut pair = pair();
    tell(&mut pair, &[1]);
    assert_eq!(pair.known(1), 1, "at once");
    let updates = |pair: &Pair| pair.speakers[1].peers(pair.now)[0].counters.updates_in;
    let before = updates(&pair);
    for numbers in [&[1, 2][..], &[2], &[2, 3], &[3, 4]] {
        tell(&mut pair, numbers);
    }
    assert_eq!(updates(&pair), before, "not yet");
    assert_eq!(pair.speakers[0].wants_transmit(), [], "nor does it want to");
    // Of five seconds jitter leaves 3.75 at least.
    pass(&mut pair, 3);
    assert_eq!(updates(&pair), before);
    assert!(
        pair.speakers[0]
            .poll_timeout()
            .is_some_and(|at| at <= pair.now + 2 * SECOND)
    );
    pass(&mut pair, 2);
    assert_eq!(updates(&pair), before + 2, "what is gone, and what is there");
    assert_eq!(pair.known(1), 2);
}
