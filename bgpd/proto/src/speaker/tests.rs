//! The speaker as its driver sees it. Whole fabrics are in `tests/simulation`.

mod bfd;
mod dynamic;
mod faults;
mod graceful;
mod hand;
mod limits;
mod long_lived;
mod pace;
mod policy;
mod reconfigure;
mod refresh;
mod restart;
mod timers;

use super::{Action, Event, PeerConfig, Speaker, SpeakerConfig};
use crate::rib::{NextHopState, Originated};
use crate::session::State;
use crate::types::{Asn, ConnId, PeerId, RouterId};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const SECOND: Duration = Duration::from_secs(1);

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, host)
}

fn peer(us: u8, asn: u32) -> PeerConfig {
    let mut peer = PeerConfig::new("peer", Asn(asn));
    peer.next_hop_v4 = Some(address(us));
    peer
}

fn id(host: u8) -> PeerId {
    PeerId::Address(IpAddr::V4(address(host)))
}

fn config(host: u8, peers: &[u8]) -> SpeakerConfig {
    let mut config = SpeakerConfig::new(Asn(65000 + u32::from(host)), RouterId(address(host)));
    config.peers = peers
        .iter()
        .map(|other| (id(*other), peer(host, 65000 + u32::from(*other))))
        .collect();
    config
}

fn actions(speaker: &mut Speaker) -> Vec<Action> {
    std::iter::from_fn(|| speaker.poll_action()).collect()
}

fn events(speaker: &mut Speaker) -> Vec<Event> {
    std::iter::from_fn(|| speaker.poll_event()).collect()
}

/// Speakers 1 and 2 with one connection, that speaker 1 opened.
struct Pair {
    speakers: [Speaker; 2],
    conns: [ConnId; 2],
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        Self::of([config(1, &[2]), config(2, &[1])])
    }

    fn of(configs: [SpeakerConfig; 2]) -> Self {
        let mut speakers = configs.map(|config| Speaker::new(config, *ORIGIN));
        let conns = connect(&mut speakers, *ORIGIN);
        let hops = (1..3)
            .map(|host| (address(host).into(), NextHopState::Reachable { metric: 0 }))
            .collect::<BTreeMap<_, _>>();
        for speaker in &mut speakers {
            speaker.set_next_hops(hops.clone(), *ORIGIN);
        }
        let mut pair = Pair {
            speakers,
            conns,
            now: *ORIGIN,
        };
        pair.settle();
        // Speaker 2 has given up its own attempt.
        pair.speakers
            .iter_mut()
            .for_each(|speaker| drop(actions(speaker)));
        pair
    }

    /// The connection breaks, and nobody has said why.
    fn cut(&mut self) {
        for (speaker, conn) in self.speakers.iter_mut().zip(self.conns) {
            speaker.handle_closed(conn, "reset".into(), self.now);
        }
    }

    /// Speaker 1 is gone and another one starts in its place, with these routes.
    fn restart(&mut self, originated: BTreeMap<ipnet::IpNet, Originated>) {
        self.speakers[0] = Speaker::new(config(1, &[2]), self.now);
        self.speakers[0].originate(originated, self.now);
        self.conns = connect(&mut self.speakers, self.now);
        self.settle();
    }

    fn known(&self, of: usize) -> usize {
        self.speakers[of].rib().loc_rib().count()
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for from in [0, 1] {
                let mut bytes = Vec::new();
                self.speakers[from].transmit(self.conns[from], &mut bytes, 500, self.now);
                moved |= !bytes.is_empty();
                self.speakers[1 - from].handle_bytes(self.conns[1 - from], &bytes, self.now);
            }
            if !moved {
                return;
            }
        }
    }

    fn state(&self, of: usize) -> State {
        self.speakers[of].peers(self.now)[0].state
    }
}

/// Speaker 1 opens a connection to speaker 2.
fn connect(speakers: &mut [Speaker; 2], now: Instant) -> [ConnId; 2] {
    let Some(Action::Connect {
        conn,
        remote,
        transport,
        ..
    }) = speakers[0].poll_action()
    else {
        panic!()
    };
    assert_eq!(
        (remote, transport.ttl),
        (SocketAddr::new(address(2).into(), 179), 1)
    );
    let theirs = speakers[1].next_conn();
    speakers[1].handle_incoming(theirs, (address(2), 179).into(), (address(1), 999).into(), now);
    speakers[0].handle_connected(conn, (address(1), 999).into(), now);
    [conn, theirs]
}

fn routes(count: u8) -> BTreeMap<ipnet::IpNet, Originated> {
    (0..count)
        .map(|n| (format!("10.1.{n}.0/24").parse().unwrap(), Originated::default()))
        .collect()
}

#[test]
fn routes_flow_and_the_feed_completes_by_end_of_rib() {
    let mut pair = Pair::new();
    assert_eq!(
        (pair.state(0), pair.state(1)),
        (State::Established, State::Established)
    );
    pair.speakers[0].originate(routes(200), pair.now);
    pair.settle();
    assert_eq!(pair.speakers[1].rib().loc_rib().count(), 200);
    assert!(pair.speakers[1].fully_fed());
    let status = &pair.speakers[1].peers(pair.now)[0];
    assert_eq!(
        (status.families[0].received, status.families[0].accepted),
        (200, 200)
    );
    assert!(status.families.iter().all(|family| family.end_of_rib));
    assert_eq!(pair.speakers[0].peers(pair.now)[0].families[0].advertised, 200);
    assert!(events(&mut pair.speakers[1]).contains(&Event::Up { peer: id(1) }));
    pair.speakers[0].originate(routes(3), pair.now);
    pair.settle();
    assert_eq!(pair.speakers[1].rib().loc_rib().count(), 3);
}

#[test]
fn a_stranger_is_closed_without_a_word() {
    let mut speaker = Speaker::new(config(1, &[2]), *ORIGIN);
    actions(&mut speaker);
    let conn = speaker.next_conn();
    assert_eq!(speaker.transport(address(9).into()), None);
    speaker.handle_incoming(conn, (address(1), 179).into(), (address(9), 999).into(), *ORIGIN);
    assert_eq!(
        actions(&mut speaker),
        [Action::Close {
            conn,
            last_words: Vec::new()
        }]
    );
}

#[test]
fn a_change_of_policy_keeps_the_session_and_resends() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(5), pair.now);
    pair.settle();
    let mut changed = config(1, &[2]);
    changed.peers.get_mut(&id(2)).unwrap().next_hop_v4 = Some(address(77));
    pair.speakers[0].reconfigure(changed, pair.now);
    assert_eq!(pair.state(0), State::Established);
    assert_eq!(actions(&mut pair.speakers[0]), []);
    pair.settle();
    assert!(pair.speakers[1].tracked_next_hops().contains(&address(77).into()));
    assert!(!pair.speakers[1].tracked_next_hops().contains(&address(1).into()));
}

#[test]
fn a_preview_is_what_the_change_would_make_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(5), pair.now);
    pair.settle();
    let prefixes = |rib: &crate::rib::Rib| rib.loc_rib().map(|r| r.prefix).collect::<Vec<_>>();
    let mut filtered = config(2, &[1]);
    filtered.import.own_prefixes = vec!["10.1.0.0/23".parse().unwrap()];
    for (changed, left) in [(filtered, 3), (config(2, &[1, 3]), 5), (config(2, &[]), 0)] {
        let before = prefixes(pair.speakers[1].rib());
        let preview = pair.speakers[1].preview(&changed, BTreeMap::new());
        assert_eq!(prefixes(&preview).len(), left);
        assert_eq!(prefixes(pair.speakers[1].rib()), before);
    }
    let changed = config(2, &[]);
    let preview = pair.speakers[1].preview(&changed, routes(2));
    pair.speakers[1].reconfigure(changed, pair.now);
    pair.speakers[1].originate(routes(2), pair.now);
    assert_eq!(prefixes(&preview), prefixes(pair.speakers[1].rib()));
}

#[test]
fn adding_a_peer_does_not_touch_another() {
    let mut pair = Pair::new();
    let since = pair.speakers[0].peers(pair.now)[0].since;
    pair.speakers[0].reconfigure(config(1, &[2, 3]), pair.now + SECOND);
    let peers = pair.speakers[0].peers(pair.now);
    assert_eq!((peers[0].state, peers[0].since), (State::Established, since));
    assert!(matches!(actions(&mut pair.speakers[0])[..], [Action::Connect { peer, .. }] if peer == id(3)));
}

#[test]
fn removing_a_peer_takes_its_routes_and_says_why() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(5), pair.now);
    pair.settle();
    pair.speakers[1].reconfigure(config(2, &[]), pair.now);
    assert_eq!(pair.speakers[1].rib().loc_rib().count(), 0);
    let closing = actions(&mut pair.speakers[1]);
    let [Action::Close { last_words, .. }] = &closing[..] else {
        panic!("{closing:?}")
    };
    assert_eq!(
        last_words[last_words.len() - 2..],
        [6, 3],
        "Cease, Peer De-configured"
    );
    assert!(pair.speakers[1].peers(pair.now).is_empty());
}

#[test]
fn a_new_router_id_resets_every_session() {
    let mut pair = Pair::new();
    let mut changed = config(1, &[2]);
    changed.router_id = RouterId(address(200));
    pair.speakers[0].reconfigure(changed, pair.now);
    assert_eq!(pair.state(0), State::Connect);
    let now = actions(&mut pair.speakers[0]);
    assert!(
        matches!(now[..], [Action::Close { .. }, Action::Connect { .. }]),
        "{now:?}"
    );
}

#[test]
fn the_deferral_ends_the_wait_for_a_peer_that_is_away() {
    let mut speaker = Speaker::new(config(1, &[2]), *ORIGIN);
    assert!(!speaker.fully_fed());
    let deferral = speaker.config().feed_deferral;
    while let Some(at) = speaker.poll_timeout().filter(|at| *at < *ORIGIN + deferral) {
        speaker.handle_timeout(at);
        assert!(!speaker.fully_fed());
    }
    events(&mut speaker);
    speaker.handle_timeout(*ORIGIN + deferral);
    assert!(speaker.fully_fed());
    assert!(events(&mut speaker).contains(&Event::RibChanged));
}

#[test]
fn the_first_peers_of_a_speaker_are_waited_for() {
    let mut speaker = Speaker::new(config(1, &[]), *ORIGIN);
    assert!(speaker.fully_fed());
    let late = *ORIGIN + 3600 * SECOND;
    speaker.reconfigure(config(1, &[2]), late);
    assert!(!speaker.fully_fed());
    speaker.handle_timeout(late + 61 * SECOND);
    assert!(speaker.fully_fed());
    speaker.reconfigure(config(1, &[2, 3]), late + 62 * SECOND);
    assert!(speaker.fully_fed());
}

#[test]
fn repeated_failures_are_reported_once() {
    let mut speaker = Speaker::new(config(1, &[2]), *ORIGIN);
    let mut reported = 0;
    let mut now = *ORIGIN;
    for _ in 0..20 {
        for action in actions(&mut speaker) {
            if let Action::Connect { conn, .. } = action {
                speaker.handle_connect_failed(conn, "connection refused".into(), now);
            }
        }
        reported += events(&mut speaker)
            .iter()
            .filter(|event| matches!(event, Event::Down { .. }))
            .count();
        now = speaker.poll_timeout().unwrap();
        speaker.handle_timeout(now);
    }
    assert_eq!(reported, 1);
    assert_eq!(
        speaker.peers(now)[0].last_error.as_deref(),
        Some("connection refused")
    );
}

#[test]
fn a_shutdown_is_for_good() {
    let mut pair = Pair::new();
    pair.speakers[0].shutdown(Some("bye".into()), pair.now);
    assert!(matches!(
        actions(&mut pair.speakers[0])[..],
        [Action::Close { .. }]
    ));
    for minutes in 1..60 {
        pair.speakers[0].handle_timeout(pair.now + 60 * SECOND * minutes);
    }
    assert_eq!(actions(&mut pair.speakers[0]), []);
}

#[test]
fn a_session_that_is_withheld_starts_when_it_is_no_more_and_the_feed_waits_for_it() {
    let mut settings = config(1, &[2]);
    let withheld = |settings: &mut SpeakerConfig, why: Option<&str>| {
        settings.peers.get_mut(&id(2)).unwrap().withheld = why.map(std::sync::Arc::from);
    };
    withheld(&mut settings, Some("waits for its password"));
    let mut speaker = Speaker::new(settings.clone(), *ORIGIN);
    assert_eq!(speaker.poll_action(), None);
    assert!(!speaker.fully_fed());
    let status = &speaker.peers(*ORIGIN)[0];
    assert_eq!(status.last_error.as_deref(), Some("waits for its password"));

    // Nor does it take a connection.
    let (conn, ours) = (speaker.next_conn(), SocketAddr::new(address(1).into(), 179));
    speaker.handle_incoming(conn, ours, SocketAddr::new(address(2).into(), 40_000), *ORIGIN);
    assert!(matches!(speaker.poll_action(), Some(Action::Close { .. })));

    withheld(&mut settings, None);
    speaker.reconfigure(settings, *ORIGIN);
    assert!(matches!(speaker.poll_action(), Some(Action::Connect { .. })));
    assert_eq!(speaker.peers(*ORIGIN)[0].last_error, None);
}
