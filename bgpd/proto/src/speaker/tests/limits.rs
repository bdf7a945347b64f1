//! Peers that send more than they may.

use super::hand::{Hand, abilities, known, speaker};
use super::*;
use crate::speaker::{MaxPrefix, MaxPrefixAction};
use crate::types::Family;

fn limit(limit: u32, restart: Option<Duration>, action: MaxPrefixAction) -> MaxPrefix {
    MaxPrefix {
        limit,
        warn_percent: 80,
        restart,
        action,
    }
}

/// Speaker 2, whose peer 1 may send so much, with one route of peer 3.
fn limited(limit: MaxPrefix) -> (Speaker, Hand) {
    let mut speaker = speaker(|config| {
        config.peers.get_mut(&id(1)).unwrap().max_prefix.ipv4 = Some(limit);
    });
    let other = Hand::up(&mut speaker, 3, abilities(false, false, &[]), *ORIGIN);
    let lone = [("10.3.0.0/16".parse().unwrap(), Originated::default())];
    other.announce(&mut speaker, lone.into(), &[], *ORIGIN);
    let hand = Hand::up(&mut speaker, 1, abilities(false, true, &[]), *ORIGIN);
    events(&mut speaker);
    (speaker, hand)
}

fn reached(speaker: &mut Speaker) -> Vec<u64> {
    let of = |event| match event {
        Event::PrefixLimit {
            peer,
            family,
            received,
            limit,
        } => {
            assert_eq!((peer, family, limit), (id(1), Family::Ipv4Unicast, 10));
            Some(received)
        }
        _ => None,
    };
    events(speaker).into_iter().filter_map(of).collect()
}

#[test]
fn one_prefix_too_many_ends_the_session_and_takes_its_routes() {
    let (mut speaker, hand) = limited(limit(10, Some(60 * SECOND), MaxPrefixAction::Restart));
    hand.announce(&mut speaker, routes(7), &[], *ORIGIN);
    assert_eq!(reached(&mut speaker), []);
    hand.announce(&mut speaker, routes(9), &[], *ORIGIN);
    assert_eq!(reached(&mut speaker), [9], "a warning at 80 %");
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    assert_eq!((known(&speaker), reached(&mut speaker)), (11, vec![]));
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    assert_eq!(known(&speaker), 11, "the same ones again are not more");
    actions(&mut speaker);
    hand.announce(&mut speaker, routes(200), &[], *ORIGIN);
    assert_eq!(
        reached(&mut speaker),
        [11],
        "and no more than that were looked at"
    );
    assert_eq!(known(&speaker), 1, "of the other peer");
    let closing = actions(&mut speaker);
    let [Action::Close { last_words, .. }] = &closing[..] else {
        panic!("{closing:?}")
    };
    assert!(last_words.ends_with(&[6, 1, 0, 1, 1, 0, 0, 0, 10]));

    let status = speaker.peers(*ORIGIN)[0].clone();
    assert!(status.exceeded && status.retained_until.is_none());
    assert_eq!(status.idle_until, Some(*ORIGIN + 60 * SECOND));
    assert_eq!(status.families[0].limit, Some(10));
    assert!(status.last_loss.unwrap().contains("Maximum Number of Prefixes"));

    // Until the time is up it is refused, then called.
    let refused = speaker.next_conn();
    speaker.handle_incoming(
        refused,
        (address(2), 179).into(),
        (address(1), 999).into(),
        *ORIGIN,
    );
    assert!(matches!(actions(&mut speaker)[..], [Action::Close { conn, .. }] if conn == refused));
    speaker.handle_timeout(*ORIGIN + 59 * SECOND);
    assert_eq!(speaker.peers(*ORIGIN)[0].state, State::Idle);
    speaker.handle_timeout(*ORIGIN + 60 * SECOND);
    assert_eq!(speaker.peers(*ORIGIN)[0].state, State::Connect);
}

#[test]
fn without_a_restart_only_another_limit_brings_the_peer_back() {
    let (mut speaker, hand) = limited(limit(10, None, MaxPrefixAction::Restart));
    hand.announce(&mut speaker, routes(11), &[], *ORIGIN);
    let later = *ORIGIN + 3600 * SECOND;
    speaker.handle_timeout(later);
    assert_eq!(speaker.peers(later)[0].state, State::Idle);
    let mut changed = speaker.config().clone();
    changed.peers.get_mut(&id(1)).unwrap().max_prefix.ipv4 = Some(limit(20, None, MaxPrefixAction::Restart));
    speaker.reconfigure(changed, later);
    assert_eq!(speaker.peers(later)[0].state, State::Connect);
    assert!(!speaker.peers(later)[0].exceeded);
}

#[test]
fn a_limit_may_only_warn() {
    let (mut speaker, hand) = limited(limit(10, None, MaxPrefixAction::Warn));
    hand.announce(&mut speaker, routes(30), &[], *ORIGIN);
    hand.announce(&mut speaker, routes(40), &[], *ORIGIN);
    assert_eq!((known(&speaker), reached(&mut speaker)), (41, vec![30]));
    assert_eq!(speaker.peers(*ORIGIN)[0].state, State::Established);
}

#[test]
fn a_smaller_limit_holds_at_once_and_a_larger_one_resets_nothing() {
    let (mut speaker, hand) = limited(limit(10, None, MaxPrefixAction::Restart));
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    let mut changed = speaker.config().clone();
    let to = |config: &mut SpeakerConfig, n| {
        config.peers.get_mut(&id(1)).unwrap().max_prefix.ipv4 =
            Some(limit(n, None, MaxPrefixAction::Restart));
    };
    to(&mut changed, 20);
    speaker.reconfigure(changed.clone(), *ORIGIN);
    assert_eq!(speaker.peers(*ORIGIN)[0].counters.flaps, 0);
    hand.announce(&mut speaker, routes(15), &[], *ORIGIN);
    assert_eq!(known(&speaker), 16);
    to(&mut changed, 14);
    speaker.reconfigure(changed, *ORIGIN);
    assert_eq!(
        (known(&speaker), speaker.peers(*ORIGIN)[0].counters.flaps),
        (1, 1)
    );
}
