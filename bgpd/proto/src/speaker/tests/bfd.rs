//! What becomes of a session when its path dies: each row of the table in `speaker/bfd`.

use super::*;
use crate::speaker::{BfdConfig, BfdHops, PathChange};

fn down() -> PathChange {
    PathChange::Down("nothing heard for 900 ms".into())
}

impl Pair {
    /// Ten routes of speaker 1 at speaker 2.
    fn with_routes() -> Self {
        Self::new().told()
    }

    /// The same of two that keep routes over a NOTIFICATION.
    fn with_routes_kept() -> Self {
        let mut configs = [config(1, &[2]), config(2, &[1])];
        let peers = configs.iter_mut().flat_map(|config| config.peers.values_mut());
        for graceful in peers.filter_map(|peer| peer.offer.graceful.as_mut()) {
            graceful.notification = true;
        }
        Self::of(configs).told()
    }

    fn told(self) -> Self {
        let mut pair = self;
        pair.speakers[0].originate(routes(10), pair.now);
        pair.settle();
        assert_eq!(pair.known(1), 10);
        events(&mut pair.speakers[1]);
        pair
    }

    fn path(&mut self, change: PathChange) {
        self.speakers[1].handle_path(id(1), change, self.now);
    }
}

/// The NOTIFICATION in the last words of a closed connection: what follows the header.
fn last_words(speaker: &mut Speaker) -> Vec<u8> {
    let closed = actions(speaker).into_iter().find_map(|action| match action {
        Action::Close { last_words, .. } => Some(last_words),
        Action::Connect { .. } => None,
    });
    closed.expect("the connection is closed")[19..].to_vec()
}

#[test]
fn the_routes_of_an_established_session_go_at_once() {
    let mut pair = Pair::with_routes();
    pair.path(down());
    assert_eq!(
        pair.known(1),
        0,
        "in the same call, although the peer does graceful restart"
    );
    assert_eq!(last_words(&mut pair.speakers[1]), [6, 10], "Cease, BFD Down");
    let status = &pair.speakers[1].peers(pair.now)[0];
    assert_eq!((status.retained_until, status.counters.flaps), (None, 1));
    assert_eq!(
        status.last_loss.as_deref(),
        Some("BFD session down: nothing heard for 900 ms")
    );
    assert!(matches!(
        &events(&mut pair.speakers[1])[..],
        [Event::Down { .. }, Event::RibChanged]
    ));
}

#[test]
fn where_both_keep_routes_over_a_notification_it_is_a_hard_reset() {
    let mut pair = Pair::with_routes_kept();
    pair.path(down());
    assert_eq!(pair.known(1), 0);
    let words = last_words(&mut pair.speakers[1]);
    assert_eq!(words, [6, 9, 6, 10], "BFD Down inside a Hard Reset");
}

#[test]
fn the_other_end_drops_the_routes_too() {
    let mut pair = Pair::with_routes();
    pair.speakers[1].originate(routes(5), pair.now);
    pair.settle();
    pair.path(down());
    let received = |pair: &Pair| {
        let families = &pair.speakers[0].peers(pair.now)[0].families;
        families.iter().map(|family| family.received).sum::<usize>()
    };
    assert_eq!(received(&pair), 5);
    let mut message = vec![0xff; 16];
    message.extend([0, 21, 3, 6, 10]);
    pair.speakers[0].handle_bytes(pair.conns[0], &message, pair.now);
    assert_eq!(received(&pair), 0, "whatever was agreed about restarts");
    assert_eq!(pair.speakers[0].peers(pair.now)[0].retained_until, None);
}

#[test]
fn a_peer_that_restarts_takes_its_bfd_with_it() {
    let mut pair = Pair::with_routes();
    pair.cut();
    pair.path(down());
    assert_eq!(pair.known(1), 10, "TCP was closed first: the peer restarts");
    assert!(pair.speakers[1].peers(pair.now)[0].retained_until.is_some());
    // And the other order: the path is dead, and TCP follows.
    let mut pair = Pair::with_routes();
    pair.path(down());
    pair.cut();
    assert_eq!(pair.known(1), 0);
}

#[test]
fn a_path_that_is_switched_off_or_was_never_up_is_no_failure() {
    let mut pair = Pair::with_routes();
    pair.path(PathChange::SwitchedOff);
    pair.path(PathChange::Up);
    assert_eq!((pair.known(1), pair.state(1)), (10, State::Established));
    assert_eq!(actions(&mut pair.speakers[1]), []);
}

#[test]
fn before_established_tcp_decides() {
    let mut speaker = Speaker::new(config(2, &[1]), *ORIGIN);
    let conn = speaker.next_conn();
    speaker.handle_incoming(conn, (address(2), 179).into(), (address(1), 999).into(), *ORIGIN);
    actions(&mut speaker);
    speaker.handle_path(id(1), down(), *ORIGIN);
    assert_eq!(actions(&mut speaker), []);
    speaker.handle_path(id(9), down(), *ORIGIN);
}

#[test]
fn a_path_that_comes_back_has_the_next_attempt_made_at_once() {
    let mut pair = Pair::with_routes();
    pair.path(down());
    assert!(
        matches!(&actions(&mut pair.speakers[1])[..], [Action::Close { .. }]),
        "a pause follows"
    );
    pair.path(PathChange::Up);
    let [Action::Connect { conn, .. }] = actions(&mut pair.speakers[1])[..] else {
        panic!("an attempt at once")
    };
    // It is under way, and is not disturbed by what is no news.
    pair.path(PathChange::Up);
    assert_eq!(actions(&mut pair.speakers[1]), []);
    // One that gets no answer is made again when the path comes back once more.
    pair.path(down());
    pair.path(PathChange::Up);
    let again = actions(&mut pair.speakers[1]);
    assert!(
        matches!(&again[..], [Action::Close { conn: old, .. }, Action::Connect { .. }] if *old == conn),
        "{again:?}"
    );
}

#[test]
fn a_passive_session_waits_for_its_peer_even_then() {
    let mut pair = Pair::with_routes();
    let mut passive = config(2, &[1]);
    passive.peers.get_mut(&id(1)).unwrap().passive = true;
    pair.speakers[1].reconfigure(passive, pair.now);
    pair.path(down());
    pair.path(PathChange::Up);
    assert!(
        !actions(&mut pair.speakers[1])
            .iter()
            .any(|a| matches!(a, Action::Connect { .. }))
    );
}

#[test]
fn wishes_follow_the_configuration_and_reset_nothing() {
    let mut pair = Pair::with_routes();
    let speaker = &mut pair.speakers[1];
    assert_eq!(speaker.take_bfd_wishes(), Some(BTreeMap::new()));
    assert_eq!(speaker.take_bfd_wishes(), None);
    let mut watched = config(2, &[1, 3]);
    for peer in watched.peers.values_mut() {
        peer.bfd = Some(BfdConfig::new(BfdHops::Multi));
    }
    speaker.reconfigure(watched.clone(), pair.now);
    let wishes = speaker.take_bfd_wishes().unwrap();
    assert_eq!(wishes.keys().copied().collect::<Vec<_>>(), [id(1), id(3)]);
    assert_eq!(
        wishes[&id(1)].local,
        Some(address(2).into()),
        "our end of the session"
    );
    assert_eq!(
        (wishes[&id(3)].remote, wishes[&id(3)].local),
        (address(3).into(), None)
    );
    watched.peers.remove(&id(3));
    watched.peers.get_mut(&id(1)).unwrap().bfd = None;
    speaker.reconfigure(watched, pair.now);
    assert_eq!(speaker.take_bfd_wishes(), Some(BTreeMap::new()));
    assert_eq!((pair.known(1), pair.state(1)), (10, State::Established));
}

#[test]
fn a_session_that_is_away_is_watched_on() {
    let mut pair = Pair::with_routes();
    let mut watched = config(2, &[1]);
    watched.peers.get_mut(&id(1)).unwrap().bfd = Some(BfdConfig::new(BfdHops::Single));
    pair.speakers[1].reconfigure(watched, pair.now);
    let wishes = pair.speakers[1].take_bfd_wishes();
    pair.path(down());
    assert_eq!(pair.speakers[1].take_bfd_wishes(), None, "as before: {wishes:?}");
}
