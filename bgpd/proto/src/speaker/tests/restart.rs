//! Restarts beyond the loss of a connection: the N bit (RFC 8538), and when End-of-RIB may be said (RFC 4724 §4.1).

use super::hand::{Hand, abilities, announced, ends_of_rib, known, speaker};
use super::*;
use crate::session::messages;
use crate::speaker::{Graceful, Offer, PathChange};
use crate::types::Family;
use crate::wire::Notification;

/// A speaker whose peer 1 taught it ten routes; `n` is the N bit of either side.
fn fed(ours: bool, theirs: bool) -> (Speaker, Hand) {
    let mut speaker = speaker(|config| {
        config.peers.get_mut(&id(1)).unwrap().offer = Offer {
            graceful: Some(Graceful {
                time: 120,
                notification: ours,
            }),
            ..Offer::default()
        };
    });
    let hand = Hand::up(&mut speaker, 1, abilities(false, theirs, &[]), *ORIGIN);
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    hand.end_of_rib(&mut speaker, *ORIGIN);
    assert_eq!(known(&speaker), 10);
    (speaker, hand)
}

fn cease(subcode: u8) -> Notification {
    Notification {
        code: 6,
        subcode,
        data: Vec::new(),
    }
}

#[test]
fn the_n_bit_of_both_sides_makes_restarts_of_notifications_and_silence() {
    for (ours, theirs) in [(false, false), (true, false), (false, true), (true, true)] {
        let kept = if ours && theirs { 10 } else { 0 };
        let bits = format!("N {ours} {theirs}");

        let (mut speaker, hand) = fed(ours, theirs);
        hand.say(&mut speaker, *ORIGIN, |out| cease(4).encode(out));
        assert_eq!(known(&speaker), kept, "{bits}: Cease, Administrative Reset");

        let (mut speaker, hand) = fed(ours, theirs);
        let hard = Notification::hard_reset(&cease(2));
        hand.say(&mut speaker, *ORIGIN, |out| hard.encode(out));
        assert_eq!(known(&speaker), 0, "{bits}: Hard Reset");

        let (mut speaker, _) = fed(ours, theirs);
        speaker.handle_timeout(*ORIGIN + 91 * SECOND);
        assert_eq!(known(&speaker), kept, "{bits}: hold timer");

        let (mut speaker, _) = fed(ours, theirs);
        speaker.handle_path(id(1), PathChange::Down("silence".into()), *ORIGIN);
        assert_eq!(known(&speaker), 0, "{bits}: the path is dead");
        let said: &[u8] = if ours && theirs { &[6, 9, 6, 10] } else { &[6, 10] };
        let closed = |action: &Action| matches!(action, Action::Close { last_words, .. } if last_words.ends_with(said));
        assert!(
            actions(&mut speaker).iter().any(closed),
            "{bits}: Cease, BFD Down"
        );

        let (mut speaker, hand) = fed(ours, theirs);
        hand.say(&mut speaker, *ORIGIN, |out| out.extend([0; 40]));
        assert_eq!(known(&speaker), kept, "{bits}: our NOTIFICATION, after garbage");

        let (mut speaker, _) = fed(ours, theirs);
        let mut changed = speaker.config().clone();
        changed.peers.get_mut(&id(1)).unwrap().hold_time = 30 * SECOND;
        speaker.reconfigure(changed, *ORIGIN);
        assert_eq!(known(&speaker), kept, "{bits}: another hold time");

        let (mut speaker, _) = fed(ours, theirs);
        let mut changed = speaker.config().clone();
        changed.peers.get_mut(&id(1)).unwrap().remote_as = Asn(65077).into();
        speaker.reconfigure(changed, *ORIGIN);
        assert_eq!(known(&speaker), 0, "{bits}: another AS");

        let (mut speaker, _) = fed(ours, theirs);
        speaker.shutdown(None, *ORIGIN);
        assert_eq!(known(&speaker), 0, "{bits}: our shutdown");
        let hard = actions(&mut speaker).iter().any(|action| match action {
            Action::Close { last_words, .. } => last_words.ends_with(&[6, 9, 6, 2]),
            Action::Connect { .. } => false,
        });
        assert_eq!(hard, ours && theirs, "{bits}: Hard Reset around the Cease");
    }
}

#[test]
fn what_a_peer_asks_for_its_restart_has_a_bound() {
    let mut speaker = speaker(|config| {
        config.peers.get_mut(&id(1)).unwrap().restart_limit = 50 * SECOND;
    });
    let hand = Hand::up(&mut speaker, 1, abilities(false, false, &[]), *ORIGIN);
    speaker.handle_closed(hand.conn, "reset".into(), *ORIGIN);
    let status = &speaker.peers(*ORIGIN)[0];
    assert_eq!(status.retained_until, Some(*ORIGIN + 50 * SECOND));
}

#[test]
fn who_does_not_offer_graceful_restart_keeps_nothing() {
    let mut speaker = speaker(|config| {
        config.peers.get_mut(&id(1)).unwrap().offer.graceful = None;
    });
    let hand = Hand::up(&mut speaker, 1, abilities(false, true, &[]), *ORIGIN);
    hand.announce(&mut speaker, routes(3), &[], *ORIGIN);
    speaker.handle_closed(hand.conn, "reset".into(), *ORIGIN);
    assert_eq!(known(&speaker), 0);
}

fn transit(config: &mut SpeakerConfig) {
    config.peers.values_mut().for_each(|peer| peer.set_transit(true));
}

#[test]
fn a_restarting_speaker_that_passes_routes_on_ends_its_feed_when_it_is_fed() {
    let mut speaker = speaker(transit);
    let a = Hand::up(&mut speaker, 1, abilities(false, false, &[]), *ORIGIN);
    let later = *ORIGIN + 5 * SECOND;
    a.end_of_rib(&mut speaker, later);
    assert_eq!(
        ends_of_rib(&a.hear(&mut speaker, later)),
        [],
        "c has not come yet"
    );
    let c = Hand::up(&mut speaker, 3, abilities(false, false, &[]), later);
    c.announce(&mut speaker, routes(4), &[], later);
    let heard = a.hear(&mut speaker, later);
    assert_eq!(
        (announced(&heard).len(), ends_of_rib(&heard)),
        (4, vec![]),
        "routes wait for nobody"
    );
    c.end_of_rib(&mut speaker, later);
    assert_eq!(ends_of_rib(&a.hear(&mut speaker, later)), Family::ALL);
    assert_eq!(ends_of_rib(&c.hear(&mut speaker, later)), Family::ALL);
}

#[test]
fn end_of_rib_waits_for_the_deferral_at_most_and_not_for_those_who_wait_as_well() {
    let mut away = speaker(transit);
    let a = Hand::up(&mut away, 1, abilities(false, false, &[]), *ORIGIN);
    a.end_of_rib(&mut away, *ORIGIN);
    let over = *ORIGIN + away.config().feed_deferral;
    away.handle_timeout(over);
    assert_eq!(ends_of_rib(&a.hear(&mut away, over)), Family::ALL);

    let mut both = speaker(transit);
    let a = Hand::up(&mut both, 1, abilities(false, false, &[]), *ORIGIN);
    a.end_of_rib(&mut both, *ORIGIN);
    let c = Hand::up(&mut both, 3, abilities(true, false, &[]), *ORIGIN);
    assert_eq!(ends_of_rib(&c.hear(&mut both, *ORIGIN)), Family::ALL);
    assert!(!both.fully_fed(), "what is fed is another matter");
}

#[test]
fn a_leaf_ends_its_feed_at_once() {
    let mut leaf = speaker(|_| ());
    let a = Hand::up(&mut leaf, 1, abilities(false, false, &[]), *ORIGIN);
    assert_eq!(ends_of_rib(&a.hear(&mut leaf, *ORIGIN)), Family::ALL);
}

#[test]
fn the_notification_of_a_removed_peer_is_hard() {
    let (mut speaker, _) = fed(true, true);
    let mut changed = speaker.config().clone();
    changed.peers.remove(&id(1));
    speaker.reconfigure(changed, *ORIGIN);
    assert_eq!(known(&speaker), 0);
    let wanted = Notification::hard_reset(&messages::peer_deconfigured());
    let mut bytes = Vec::new();
    wanted.encode(&mut bytes);
    let said =
        |action: &Action| matches!(action, Action::Close { last_words, .. } if last_words.ends_with(&bytes));
    assert!(actions(&mut speaker).iter().any(said));
}
