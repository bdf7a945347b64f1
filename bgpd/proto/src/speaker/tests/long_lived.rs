//! Routes of a peer that is away for longer than a restart takes (RFC 9494).

use super::hand::{Hand, abilities, announced, known, speaker};
use super::*;
use crate::types::Family;
use crate::wire::{Capability, Community, LongLivedFamily, Message, encode_end_of_rib, encode_keepalive};

const V4: Family = Family::Ipv4Unicast;

/// Long-lived graceful restart of IPv4, for an hour.
fn long_lived(forwarding_kept: bool) -> Capability {
    Capability::LongLived(vec![LongLivedFamily {
        family: V4,
        forwarding_kept,
        time: 3600,
    }])
}

/// Speaker 2, that passes routes on, and its peer 1, both with long-lived restart; two of ten routes forbid it.
fn fed() -> (Speaker, Hand) {
    let mut speaker = speaker(|config| {
        for peer in config.peers.values_mut() {
            peer.set_transit(true);
            peer.offer.long_lived.ipv4 = Some(3600);
        }
    });
    let hand = Hand::up(
        &mut speaker,
        1,
        abilities(false, false, &[long_lived(true)]),
        *ORIGIN,
    );
    hand.announce(&mut speaker, routes(10), &[], *ORIGIN);
    hand.announce(&mut speaker, routes(2), &[Community::NO_LLGR], *ORIGIN);
    hand.end_of_rib(&mut speaker, *ORIGIN);
    (speaker, hand)
}

/// The peer goes away; this is when its restart time is over.
fn away(speaker: &mut Speaker, hand: &Hand) -> Instant {
    speaker.handle_closed(hand.conn, "reset".into(), *ORIGIN);
    let over = *ORIGIN + 120 * SECOND;
    speaker.handle_timeout(over - SECOND);
    assert_eq!(known(speaker), 10);
    assert!(speaker.poll_timeout().unwrap() <= over);
    speaker.handle_timeout(over);
    over
}

fn stale(speaker: &Speaker) -> bool {
    speaker.peers(*ORIGIN)[0].families[0].long_lived
}

/// How many of the announced prefixes carry LLGR_STALE.
fn marked(messages: &[Message]) -> usize {
    let of = |message: &Message| match message {
        Message::Update(update) => {
            let routes = update.clone().into_routes();
            let marked = routes.attributes.has(Community::LLGR_STALE);
            let count: usize = routes.announced.iter().map(|part| part.nlri.len()).sum();
            if marked { count } else { 0 }
        }
        _ => 0,
    };
    messages.iter().map(of).sum()
}

#[test]
fn routes_outlive_the_restart_time_where_both_sides_say_so_and_the_route_does_not_forbid_it() {
    let (mut speaker, hand) = fed();
    let over = away(&mut speaker, &hand);
    assert_eq!((known(&speaker), stale(&speaker)), (8, true));
    let end = over + 3600 * SECOND;
    assert_eq!(speaker.peers(over)[0].retained_until, Some(end));
    speaker.handle_timeout(end - SECOND);
    assert_eq!(known(&speaker), 8);
    speaker.handle_timeout(end);
    assert_eq!((known(&speaker), stale(&speaker)), (0, false));
    assert_eq!(speaker.peers(end)[0].retained_until, None);
}

#[test]
fn a_stale_route_loses_against_any_other() {
    let (mut speaker, hand) = fed();
    let other = Hand::up(&mut speaker, 3, abilities(false, false, &[]), *ORIGIN);
    other.announce(&mut speaker, routes(10), &[], *ORIGIN);
    let from = |speaker: &Speaker| -> Vec<IpAddr> {
        let hop = |route: crate::rib::BestRoute| route.paths[0].next_hop.unwrap().ip;
        speaker.rib().loc_rib().map(hop).collect()
    };
    assert_eq!(
        from(&speaker)[5],
        IpAddr::V4(address(1)),
        "by the lower identifier"
    );
    for second in (60..=120).step_by(60) {
        other.say(
            &mut speaker,
            *ORIGIN + second * SECOND - 2 * SECOND,
            encode_keepalive,
        );
    }
    let over = away(&mut speaker, &hand);
    assert_eq!(from(&speaker), vec![IpAddr::V4(address(3)); 10]);
    other.say(&mut speaker, over, |out| {
        crate::wire::encode_withdrawals(
            out,
            &Default::default(),
            V4,
            routes(10).into_keys().map(Into::into),
        );
    });
    assert_eq!(from(&speaker), vec![IpAddr::V4(address(1)); 8]);
}

#[test]
fn only_who_knows_the_mark_is_told_of_stale_routes() {
    for knows in [false, true] {
        let (mut speaker, hand) = fed();
        let more = if knows { vec![long_lived(true)] } else { Vec::new() };
        let other = Hand::up(&mut speaker, 3, abilities(false, false, &more), *ORIGIN);
        assert_eq!(announced(&other.hear(&mut speaker, *ORIGIN)).len(), 10);
        for second in (60..=120).step_by(60) {
            other.say(
                &mut speaker,
                *ORIGIN + second * SECOND - 2 * SECOND,
                encode_keepalive,
            );
        }
        let over = away(&mut speaker, &hand);
        let heard = other.hear(&mut speaker, over);
        let withdrawn: usize = heard
            .iter()
            .map(|message| match message {
                Message::Update(update) => {
                    let withdrawn = update.clone().into_routes().withdrawn;
                    withdrawn.iter().map(|part| part.nlri.len()).sum()
                }
                _ => 0,
            })
            .sum();
        assert_eq!((marked(&heard), withdrawn), if knows { (8, 2) } else { (0, 10) });
        // Back, and said again: the mark is gone.
        let back = Hand::up(&mut speaker, 1, abilities(true, false, &[long_lived(true)]), over);
        back.announce(&mut speaker, routes(10), &[], over);
        back.end_of_rib(&mut speaker, over);
        let heard = other.hear(&mut speaker, over);
        assert_eq!((marked(&heard), announced(&heard).len()), (0, 10));
    }
}

#[test]
fn the_time_runs_on_until_end_of_rib_whatever_the_session_does() {
    let (mut speaker, hand) = fed();
    let over = away(&mut speaker, &hand);
    let end = over + 3600 * SECOND;
    let back = Hand::up(&mut speaker, 1, abilities(true, false, &[long_lived(true)]), over);
    assert_eq!(
        (known(&speaker), speaker.peers(over)[0].retained_until),
        (8, Some(end))
    );
    back.announce(&mut speaker, routes(3), &[], over);
    speaker.handle_closed(back.conn, "reset".into(), over + SECOND);
    assert_eq!(known(&speaker), 10, "eight, and two that are no longer forbidden");
    assert_eq!(speaker.peers(over)[0].retained_until, Some(end));
    let back = Hand::up(
        &mut speaker,
        1,
        abilities(true, false, &[long_lived(true)]),
        over + 2 * SECOND,
    );
    back.say(&mut speaker, over + 2 * SECOND, |out| encode_end_of_rib(out, V4));
    assert_eq!((known(&speaker), stale(&speaker)), (0, false));
}

#[test]
fn who_comes_back_without_its_forwarding_or_without_the_capability_loses_all() {
    for (restarting, more) in [(true, vec![long_lived(false)]), (false, Vec::new())] {
        let (mut speaker, hand) = fed();
        let over = away(&mut speaker, &hand);
        Hand::up(&mut speaker, 1, abilities(restarting, false, &more), over);
        assert_eq!(known(&speaker), 0, "{restarting}");
    }
}
