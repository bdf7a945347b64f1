//! Peers that are there by connecting from a range.

use super::super::ListenRange;
use super::*;

/// Speaker 1 with a range of /24 round its own address and room for `limit`, and peers of it by `peers`.
fn ranged(peers: &[u8], limit: usize) -> SpeakerConfig {
    let mut config = config(1, peers);
    let mut template = peer(1, 65002);
    template.name = "rack".into();
    config.ranges = vec![ListenRange {
        prefix: "192.0.2.0/24".parse().unwrap(),
        template,
        limit,
    }];
    config
}

/// A speaker with a configured peer 1 connects to `speaker`; its number there.
fn incoming(speaker: &mut Speaker, host: u8) -> ConnId {
    let conn = speaker.next_conn();
    speaker.handle_incoming(
        conn,
        (address(1), 179).into(),
        (address(host), 999).into(),
        *ORIGIN,
    );
    conn
}

/// The OPEN and the KEEPALIVE of AS 65002, and one IPv4 route of it.
fn open(host: u8) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend([0, 29, 1, 4]);
    bytes.extend(65002u16.to_be_bytes());
    bytes.extend([0, 90]);
    bytes.extend(address(host).octets());
    bytes.push(0);
    bytes.extend([0xff; 16]);
    bytes.extend([0, 19, 4]);
    bytes
}

fn established(speaker: &Speaker) -> Vec<PeerId> {
    let peers = speaker.peers(*ORIGIN);
    let up = peers.iter().filter(|status| status.state == State::Established);
    up.map(|status| status.id).collect()
}

#[test]
fn whoever_connects_from_a_range_is_a_peer_until_its_session_ends() {
    let mut speaker = Speaker::new(ranged(&[], 10), *ORIGIN);
    assert!(speaker.fully_fed(), "nobody waits for peers of a range");
    let conn = incoming(&mut speaker, 7);
    speaker.handle_bytes(conn, &open(7), *ORIGIN);
    assert_eq!(established(&speaker), [id(7)]);
    assert_eq!(speaker.peers(*ORIGIN)[0].name, "rack");
    assert!(speaker.fully_fed());
    speaker.handle_closed(conn, "reset".into(), *ORIGIN);
    assert!(speaker.peers(*ORIGIN).is_empty());
    assert!(speaker.config().peers.is_empty());
    assert!(
        !actions(&mut speaker)
            .iter()
            .any(|action| matches!(action, Action::Connect { .. })),
        "peers of a range are waited for"
    );
}

#[test]
fn a_connection_without_a_good_open_leaves_no_peer() {
    let mut speaker = Speaker::new(ranged(&[], 10), *ORIGIN);
    for host in 2..50 {
        let conn = incoming(&mut speaker, host);
        speaker.handle_bytes(conn, &[0; 19], *ORIGIN);
    }
    assert!(speaker.peers(*ORIGIN).is_empty());
    assert_eq!(speaker.poll_timeout(), None);
}

#[test]
fn a_range_has_room_for_so_many_and_says_so_to_others() {
    let mut speaker = Speaker::new(ranged(&[2], 2), *ORIGIN);
    actions(&mut speaker);
    let conns: Vec<ConnId> = (10..13).map(|host| incoming(&mut speaker, host)).collect();
    let refused = actions(&mut speaker);
    let [Action::Close { conn, last_words }] = &refused[..] else {
        panic!("{refused:?}")
    };
    assert_eq!(*conn, conns[2]);
    assert_eq!(last_words[18..21], [3, 6, 5], "Connection Rejected");
    // One that goes makes room, and a configured peer takes none.
    speaker.handle_closed(conns[0], "reset".into(), *ORIGIN);
    incoming(&mut speaker, 13);
    incoming(&mut speaker, 2);
    assert_eq!(speaker.peers(*ORIGIN).len(), 3);
    assert_eq!(speaker.config().peers.len(), 3);
}

#[test]
fn the_narrowest_range_counts() {
    let mut config = ranged(&[], 10);
    let mut narrow = config.ranges[0].clone();
    narrow.prefix = "192.0.2.8/29".parse().unwrap();
    narrow.template.name = "narrow".into();
    config.ranges.push(narrow);
    let mut speaker = Speaker::new(config, *ORIGIN);
    for host in [3, 9] {
        incoming(&mut speaker, host);
    }
    let peers = speaker.peers(*ORIGIN);
    let names: Vec<&str> = peers.iter().map(|status| status.name.as_str()).collect();
    assert_eq!(names, ["rack", "narrow"]);
}

#[test]
fn a_template_is_changed_without_a_reset_and_a_range_takes_its_peers_along() {
    let mut speaker = Speaker::new(ranged(&[], 10), *ORIGIN);
    for host in [7, 8] {
        let conn = incoming(&mut speaker, host);
        speaker.handle_bytes(conn, &open(host), *ORIGIN);
    }
    actions(&mut speaker);
    let mut changed = ranged(&[], 10);
    changed.ranges[0].template.set_transit(true);
    changed.ranges[0].template.name = "row".into();
    speaker.reconfigure(changed, *ORIGIN);
    assert_eq!(established(&speaker), [id(7), id(8)]);
    assert_eq!(actions(&mut speaker), []);
    assert_eq!(speaker.peers(*ORIGIN)[1].name, "row");
    // One of them is configured by itself now, the others' range is gone.
    let mut own = config(1, &[7]);
    own.peers.get_mut(&id(7)).unwrap().remote_as = Asn(65002).into();
    own.peers.get_mut(&id(7)).unwrap().passive = true;
    speaker.reconfigure(own, *ORIGIN);
    assert_eq!(established(&speaker), [id(7)]);
    let ended = actions(&mut speaker);
    let [Action::Close { last_words, .. }] = &ended[..] else {
        panic!("{ended:?}")
    };
    assert_eq!(last_words[last_words.len() - 2..], [6, 3], "Peer De-configured");
    assert_eq!(speaker.config().peers.len(), 1);
}
