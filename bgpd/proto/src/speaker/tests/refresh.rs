//! Route refresh with its marks (RFC 7313), in both directions.

use super::hand::{Hand, abilities, announced, known, speaker};
use super::*;
use crate::types::Family;
use crate::wire::{Capability, Message, RefreshKind, RouteRefresh, encode_end_of_rib, encode_route_refresh};

const V4: Family = Family::Ipv4Unicast;

fn enhanced(speaker: &mut Speaker) -> Hand {
    let more = [Capability::EnhancedRouteRefresh];
    Hand::up(speaker, 1, abilities(false, false, &more), *ORIGIN)
}

fn say(hand: &Hand, speaker: &mut Speaker, kind: RefreshKind, now: Instant) {
    hand.say(speaker, now, |out| encode_route_refresh(V4, kind, out));
}

/// The marks and the number of announced prefixes between them.
fn outline(messages: &[Message]) -> Vec<String> {
    let of = |message: &Message| match message {
        Message::RouteRefresh(RouteRefresh { kind, .. }) => format!("{kind:?}"),
        Message::Update(update) if update.clone().into_routes().end_of_rib.is_some() => "EoR".into(),
        Message::Update(_) => announced(std::slice::from_ref(message)).len().to_string(),
        other => format!("{other:?}"),
    };
    messages.iter().map(of).collect()
}

#[test]
fn what_is_not_said_again_between_the_marks_goes_at_the_second() {
    let mut speaker = speaker(|_| ());
    let hand = enhanced(&mut speaker);
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    hand.end_of_rib(&mut speaker, *ORIGIN);
    say(&hand, &mut speaker, RefreshKind::Begin, *ORIGIN);
    hand.announce(&mut speaker, routes(2), &[], *ORIGIN);
    say(&hand, &mut speaker, RefreshKind::Begin, *ORIGIN);
    hand.announce(&mut speaker, routes(4), &[], *ORIGIN);
    assert_eq!(known(&speaker), 10);
    say(&hand, &mut speaker, RefreshKind::End, *ORIGIN);
    assert_eq!(known(&speaker), 4);
    say(&hand, &mut speaker, RefreshKind::End, *ORIGIN);
    assert_eq!(known(&speaker), 4, "an end without a begin");
    assert_eq!(speaker.peers(*ORIGIN)[0].faults.ignored, 1);
}

#[test]
fn a_refresh_that_never_ends_is_ended_in_time() {
    let mut speaker = speaker(|_| ());
    let hand = enhanced(&mut speaker);
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    hand.end_of_rib(&mut speaker, *ORIGIN);
    say(&hand, &mut speaker, RefreshKind::Begin, *ORIGIN);
    let mut now = *ORIGIN;
    while now < *ORIGIN + 359 * SECOND {
        now += SECOND;
        hand.say(&mut speaker, now, crate::wire::encode_keepalive);
        speaker.handle_timeout(now);
    }
    assert_eq!(known(&speaker), 10);
    assert!(speaker.poll_timeout().unwrap() <= *ORIGIN + 360 * SECOND);
    speaker.handle_timeout(*ORIGIN + 360 * SECOND);
    assert_eq!(known(&speaker), 0);
}

#[test]
fn marks_before_end_of_rib_sweep_nothing_that_only_end_of_rib_may() {
    let mut speaker = speaker(|_| ());
    let hand = enhanced(&mut speaker);
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    hand.end_of_rib(&mut speaker, *ORIGIN);
    speaker.handle_closed(hand.conn, "reset".into(), *ORIGIN);
    let hand = enhanced(&mut speaker);
    say(&hand, &mut speaker, RefreshKind::Begin, *ORIGIN);
    hand.announce(&mut speaker, routes(4), &[], *ORIGIN);
    say(&hand, &mut speaker, RefreshKind::End, *ORIGIN);
    assert_eq!(
        (known(&speaker), speaker.peers(*ORIGIN)[0].faults.ignored),
        (10, 2)
    );
    hand.say(&mut speaker, *ORIGIN, |out| encode_end_of_rib(out, V4));
    assert_eq!(known(&speaker), 4);
}

#[test]
fn marks_that_were_not_agreed_mean_nothing_and_unknown_kinds_are_noted() {
    let mut plain = speaker(|_| ());
    let hand = Hand::up(&mut plain, 1, abilities(false, false, &[]), *ORIGIN);
    hand.announce(&mut plain, routes(10), &[], *ORIGIN);
    hand.end_of_rib(&mut plain, *ORIGIN);
    say(&hand, &mut plain, RefreshKind::Begin, *ORIGIN);
    say(&hand, &mut plain, RefreshKind::End, *ORIGIN);
    say(&hand, &mut plain, RefreshKind::Unknown(9), *ORIGIN);
    assert_eq!((known(&plain), plain.peers(*ORIGIN)[0].faults.ignored), (10, 0));

    let mut speaker = speaker(|_| ());
    let hand = enhanced(&mut speaker);
    say(&hand, &mut speaker, RefreshKind::Unknown(9), *ORIGIN);
    assert!(speaker.peers(*ORIGIN)[0].faults.last[0].1.contains("subtype 9"));
}

#[test]
fn an_answer_stands_between_marks_and_after_end_of_rib() {
    let mut speaker = speaker(|_| ());
    speaker.originate(routes(3), *ORIGIN);
    let hand = enhanced(&mut speaker);
    // Asked for before anything was sent: the first table comes first.
    say(&hand, &mut speaker, RefreshKind::Request, *ORIGIN);
    let heard: Vec<Message> = hand
        .hear(&mut speaker, *ORIGIN)
        .into_iter()
        .filter(|message| !matches!(message, Message::Open(_) | Message::Keepalive))
        .collect();
    assert_eq!(outline(&heard), ["3", "EoR", "EoR", "Begin", "3", "End"]);
    (0..100).for_each(|_| say(&hand, &mut speaker, RefreshKind::Request, *ORIGIN));
    let heard = hand.hear(&mut speaker, *ORIGIN);
    assert_eq!(outline(&heard), ["Begin", "3", "End"]);

    let plain = Hand::up(&mut speaker, 3, abilities(false, false, &[]), *ORIGIN);
    plain.hear(&mut speaker, *ORIGIN);
    say(&plain, &mut speaker, RefreshKind::Request, *ORIGIN);
    assert_eq!(outline(&plain.hear(&mut speaker, *ORIGIN)), ["3"]);
}

#[test]
fn a_refresh_is_asked_for_where_the_peer_answers() {
    let mut speaker = speaker(|_| ());
    let hand = enhanced(&mut speaker);
    hand.hear(&mut speaker, *ORIGIN);
    assert!(speaker.request_refresh(id(1), *ORIGIN));
    assert_eq!(
        outline(&hand.hear(&mut speaker, *ORIGIN)),
        ["Request", "Request"],
        "a family each"
    );
    assert!(!speaker.request_refresh(id(3), *ORIGIN), "no session");
}
