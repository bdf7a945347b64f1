//! Many quiet sessions: how often their speaker wakes up.

use super::hand::{Hand, abilities};
use super::*;
use crate::wire::{self, Message};

const PEERS: std::ops::Range<u8> = 10..110;
/// A third of the hold time that the hands offer.
const PAUSE: Duration = Duration::from_secs(30);

#[test]
fn keepalives_of_many_peers_share_a_wake_up() {
    let peers: Vec<u8> = PEERS.collect();
    let mut speaker = Speaker::new(config(2, &peers), *ORIGIN);
    let up = |(n, host): (u32, &u8)| {
        let now = *ORIGIN + Duration::from_millis(100) * n;
        (
            Hand::up(&mut speaker, *host, abilities(false, false, &[]), now),
            now,
        )
    };
    let mut hands: Vec<(Hand, Instant)> = (0..).zip(&peers).map(up).collect();
    let ready = *ORIGIN + 10 * SECOND;
    for (hand, _) in &hands {
        hand.end_of_rib(&mut speaker, ready);
        hand.hear(&mut speaker, ready);
    }
    // What was begun with the sessions ends; and each peer says a KEEPALIVE in its turn, a few times a second altogether.
    let mut told: BTreeMap<usize, Vec<Instant>> = BTreeMap::new();
    let (mut wakes, mut now) = (0, ready);
    let end = ready + 600 * SECOND;
    while now < end {
        let timer = speaker.poll_timeout().unwrap();
        let (next, word) = hands.iter().map(|(_, at)| *at + PAUSE).zip(0..).min().unwrap();
        now = timer.min(next);
        if now == timer {
            wakes += 1;
            speaker.handle_timeout(now);
        } else {
            hands[word].1 = next;
            hands[word].0.say(&mut speaker, now, wire::encode_keepalive);
        }
        for (n, (hand, _)) in hands.iter().enumerate() {
            let heard = hand.hear(&mut speaker, now);
            assert!(
                heard.iter().all(|message| matches!(message, Message::Keepalive)),
                "{heard:?}"
            );
            told.entry(n).or_default().extend(heard.iter().map(|_| now));
        }
    }
    let pauses = |times: &Vec<Instant>| -> Vec<Duration> { times.windows(2).map(|w| w[1] - w[0]).collect() };
    let pauses: Vec<Duration> = told.values().flat_map(pauses).collect();
    assert!(
        pauses.iter().all(|pause| *pause <= PAUSE),
        "a third of the hold time"
    );
    assert!(
        pauses.iter().all(|pause| *pause >= PAUSE * 3 / 4 - PAUSE / 16),
        "{:?}",
        pauses.iter().min()
    );
    assert!(pauses.len() > 2_000, "{}", pauses.len());
    assert!(
        wakes * 5 < pauses.len(),
        "{wakes} wake-ups for {} KEEPALIVEs",
        pauses.len()
    );
}
