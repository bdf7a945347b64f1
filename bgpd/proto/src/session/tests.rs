//! Two sessions face to face, with every byte moved by hand: collision in all orders, refusals, back-off, counters.

use super::fsm::Tuning;
use super::{Output, Session, Settings, State, messages};
use crate::types::{Asn, ConnId, Family, RouterId};
use crate::wire::{self, Message, Notification};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const SECOND: Duration = Duration::from_secs(1);

fn settings(id: u8, local: u32, remote: u32) -> Settings {
    Settings {
        local_asn: Asn(local),
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, id)),
        remote_asn: Asn(remote),
        hold_time: 90 * SECOND,
        families: Family::ALL.to_vec(),
        restarting: false,
        tuning: Tuning {
            connect_retry: 5 * SECOND,
            passive: false,
        },
    }
}

fn address(id: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, id], 179))
}

/// One end: the session and what it wants.
struct End {
    session: Session,
    wants_connection: bool,
    closed: Vec<(ConnId, Vec<u8>)>,
    events: Vec<String>,
    /// Our number of each connection of the pair.
    conns: BTreeMap<u64, ConnId>,
    last: u64,
}

impl End {
    fn new(settings: Settings) -> Self {
        let mut end = End {
            session: Session::new(settings, 1, *ORIGIN),
            wants_connection: false,
            closed: Vec::new(),
            events: Vec::new(),
            conns: BTreeMap::new(),
            last: 0,
        };
        end.session.start(*ORIGIN);
        end.drain();
        end
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect => self.wants_connection = true,
                Output::Close { conn, last_words } => self.closed.push((conn, last_words)),
                Output::Up(_) => self.events.push("up".into()),
                Output::Lost { reason, .. } => self.events.push(format!("lost: {reason}")),
                Output::Failed(why) => self.events.push(format!("failed: {why}")),
                Output::Update(_) | Output::Refresh(_) | Output::Keepalive => {}
            }
        }
    }

    fn number(&mut self, connection: u64) -> ConnId {
        self.last += 1;
        self.conns.insert(connection, ConnId(self.last));
        ConnId(self.last)
    }
}

/// Two ends and the connections between them: connection 0 was opened by `ends[0]`, connection 1 by `ends[1]`.
struct Pair {
    ends: [End; 2],
    now: Instant,
}

impl Pair {
    fn new(a: Settings, b: Settings) -> Self {
        Pair {
            ends: [End::new(a), End::new(b)],
            now: *ORIGIN,
        }
    }

    /// `from` dials; the other side has not accepted yet.
    fn dial(&mut self, from: usize) {
        let end = &mut self.ends[from];
        assert!(
            std::mem::take(&mut end.wants_connection),
            "end {from} wants no connection"
        );
        let conn = end.number(from as u64);
        end.session.connecting(conn);
    }

    fn accept(&mut self, from: usize) {
        let now = self.now;
        let end = &mut self.ends[1 - from];
        let conn = end.number(from as u64);
        end.session.incoming(conn, address(2), address(1), now);
        end.drain();
    }

    fn connected(&mut self, from: usize) {
        let now = self.now;
        let end = &mut self.ends[from];
        let conn = end.conns[&(from as u64)];
        end.session.connected(conn, address(1), address(2), now);
        end.drain();
    }

    fn establish_tcp(&mut self, from: usize) {
        self.dial(from);
        self.accept(from);
        self.connected(from);
    }

    /// Moves what `from` has to say on `connection`, last words and the end of the connection included.
    fn deliver(&mut self, from: usize, connection: u64) -> bool {
        let now = self.now;
        let Some(conn) = self.ends[from].conns.get(&connection).copied() else {
            return false;
        };
        let mut bytes = Vec::new();
        self.ends[from].session.transmit(conn, &mut bytes, now);
        let mut ended = false;
        if let Some(at) = self.ends[from].closed.iter().position(|(id, _)| *id == conn) {
            bytes.extend(self.ends[from].closed.remove(at).1);
            self.ends[from].conns.remove(&connection);
            ended = true;
        }
        if let Some(other) = self.ends[1 - from].conns.get(&connection).copied() {
            let end = &mut self.ends[1 - from];
            end.session.receive(other, &bytes, now);
            if ended {
                end.session.closed(other, "closed".into(), now);
                end.conns.remove(&connection);
                end.closed.retain(|(id, _)| *id != other);
            }
            end.drain();
        }
        ended || !bytes.is_empty()
    }

    /// Moves everything until nobody has anything to say, in the order given.
    fn settle(&mut self, order: &[(usize, u64)]) {
        while order.iter().fold(false, |any, (from, connection)| {
            self.deliver(*from, *connection) || any
        }) {}
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        let now = self.now;
        for end in &mut self.ends {
            end.session.handle_timeout(now);
            end.drain();
        }
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].session.state(), self.ends[1].session.state()]
    }

    fn up(mut self) -> Self {
        self.establish_tcp(0);
        self.settle(&[(0, 0), (1, 0)]);
        assert_eq!(self.states(), [State::Established; 2]);
        self
    }
}

fn internal() -> Pair {
    Pair::new(settings(1, 65000, 65000), settings(2, 65000, 65000))
}

fn notification(bytes: &[u8]) -> Notification {
    match wire_decode(bytes) {
        Message::Notification(notification) => notification,
        other => panic!("{other:?}"),
    }
}

fn permutations(items: &[(usize, u64)]) -> Vec<Vec<(usize, u64)>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, *first);
            all.push(tail);
        }
    }
    all
}

#[test]
fn a_session_comes_up_and_agrees() {
    let pair = internal().up();
    for end in &pair.ends {
        let agreed = end.session.agreed().unwrap();
        assert_eq!(agreed.families, Family::ALL);
        assert_eq!(agreed.hold_time, 90 * SECOND);
        assert!(agreed.four_octet && agreed.route_refresh && agreed.graceful_restart);
        assert_eq!(end.events, ["up"]);
        assert!(end.session.counters().messages_in >= 2);
    }
}

#[test]
fn colliding_connections_leave_the_one_of_the_higher_identifier_in_every_order() {
    let lanes = [(0, 0), (1, 0), (0, 1), (1, 1)];
    for order in permutations(&lanes) {
        for accept_first in [0, 1] {
            let mut pair = internal();
            pair.dial(0);
            pair.dial(1);
            pair.accept(accept_first);
            pair.accept(1 - accept_first);
            pair.connected(0);
            pair.connected(1);
            pair.settle(&order);
            assert_eq!(pair.states(), [State::Established; 2], "{order:?}");
            let survivors: Vec<_> = pair
                .ends
                .iter()
                .map(|end| end.conns.keys().copied().collect::<Vec<_>>())
                .collect();
            assert_eq!(
                survivors,
                [vec![1], vec![1]],
                "{order:?}: 10.0.0.2 opened connection 1"
            );
            assert!(
                pair.ends.iter().all(|end| end.events == ["up"]),
                "{order:?}: no flap"
            );
        }
    }
}

#[test]
fn a_collision_step_by_step_agrees_in_every_interleaving() {
    // One message-lane at a time, in every order of the first four deliveries, repeated.
    for order in permutations(&[(0, 0), (1, 0), (0, 1), (1, 1)]) {
        let mut pair = Pair::new(settings(2, 65001, 65002), settings(2, 65002, 65001));
        pair.dial(0);
        pair.dial(1);
        pair.accept(0);
        pair.connected(0);
        pair.accept(1);
        pair.connected(1);
        for lane in &order {
            pair.deliver(lane.0, lane.1);
        }
        pair.settle(&[(0, 1), (1, 1), (0, 0), (1, 0)]);
        assert_eq!(pair.states(), [State::Established; 2], "{order:?}");
        // Equal identifiers: the higher AS number wins (RFC 6286).
        assert_eq!(
            pair.ends[0].conns.keys().copied().collect::<Vec<_>>(),
            [1],
            "{order:?}"
        );
    }
}

#[test]
fn an_established_session_refuses_another_connection() {
    let mut pair = internal().up();
    let now = pair.now;
    let end = &mut pair.ends[0];
    end.session.incoming(ConnId(99), address(1), address(2), now);
    end.drain();
    let (conn, last_words) = end.closed.pop().unwrap();
    assert_eq!(
        (conn, messages::codes(&notification(&last_words))),
        (ConnId(99), "N6/7".to_string())
    );
    assert_eq!(end.session.state(), State::Established);
}

#[test]
fn a_peer_that_begins_anew_replaces_its_half_open_connection() {
    let mut pair = internal();
    pair.dial(0);
    let now = pair.now;
    let end = &mut pair.ends[0];
    end.session.incoming(ConnId(50), address(1), address(2), now);
    end.session.incoming(ConnId(51), address(1), address(2), now);
    end.drain();
    assert_eq!(end.closed.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [50]);
    assert_eq!(end.session.state(), State::OpenSent);
}

#[test]
fn a_wrong_as_is_refused_and_held_off_with_growing_pauses() {
    let mut pair = Pair::new(settings(1, 65000, 65009), settings(2, 65001, 65000));
    pair.establish_tcp(0);
    pair.deliver(1, 0);
    let (_, last_words) = pair.ends[0].closed.last().cloned().unwrap();
    assert!(
        last_words.windows(2).any(|w| w == [2, 2]),
        "OPEN error, bad peer AS"
    );
    assert_eq!(pair.ends[0].session.state(), State::Idle);
    assert!(
        pair.ends[0]
            .session
            .last_error()
            .unwrap()
            .contains("NOTIFICATION")
    );
    let wait = pair.ends[0].session.next_deadline().unwrap() - pair.now;
    assert!(wait <= SECOND && wait >= SECOND * 3 / 4, "{wait:?}");

    // Refused while the back-off lasts.
    let now = pair.now;
    pair.ends[0]
        .session
        .incoming(ConnId(70), address(1), address(2), now);
    pair.ends[0].drain();
    let (conn, last_words) = pair.ends[0].closed.last().cloned().unwrap();
    assert_eq!(
        (conn.0, messages::codes(&notification(&last_words)).as_str()),
        (70, "N6/5")
    );
}

#[test]
fn a_lost_connection_is_tried_again_soon_and_counts_as_a_flap() {
    let mut pair = internal().up();
    let now = pair.now;
    let conn = pair.ends[0].conns[&0];
    pair.ends[0].session.closed(conn, "reset".into(), now);
    pair.ends[0].drain();
    assert_eq!(pair.ends[0].events, ["up", "lost: reset"]);
    assert_eq!(pair.ends[0].session.counters().flaps, 1);
    assert_eq!(pair.ends[0].session.state(), State::Active);
    pair.advance(SECOND);
    assert!(pair.ends[0].wants_connection);
    assert_eq!(pair.ends[0].session.state(), State::Connect);
}

#[test]
fn silence_for_the_hold_time_ends_the_session_with_a_notification() {
    let mut pair = internal().up();
    for _ in 0..89 {
        pair.advance(SECOND);
    }
    assert_eq!(pair.ends[1].session.state(), State::Established);
    pair.advance(SECOND);
    let (_, last_words) = pair.ends[1].closed.last().cloned().unwrap();
    let last = &last_words[last_words.len() - 21..];
    assert_eq!(messages::codes(&notification(last)), "N4/0");
    assert!(pair.ends[1].session.last_error().unwrap().contains("hold timer"));
}

#[test]
fn keepalives_hold_a_session_for_hours() {
    let mut pair = internal().up();
    for _ in 0..7200 {
        pair.advance(SECOND);
        pair.settle(&[(0, 0), (1, 0)]);
    }
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn a_shutdown_communication_reaches_the_other_side() {
    let mut pair = internal().up();
    let now = pair.now;
    pair.ends[0]
        .session
        .stop(messages::admin_shutdown(Some("kernel upgrade, back at 3")), now);
    pair.ends[0].drain();
    assert_eq!(pair.ends[0].session.state(), State::Idle);
    assert_eq!(pair.ends[0].session.next_deadline(), None, "stopped for good");
    pair.deliver(0, 0);
    let error = pair.ends[1].session.last_error().unwrap();
    assert!(error.contains("kernel upgrade, back at 3"), "{error}");
    assert_eq!(pair.ends[1].session.state(), State::Active);
}

#[test]
fn new_settings_reset_only_where_the_agreement_changes() {
    let mut pair = internal().up();
    let now = pair.now;
    let mut changed = settings(1, 65000, 65000);
    changed.tuning.connect_retry = 60 * SECOND;
    pair.ends[0]
        .session
        .reconfigure(changed.clone(), false, messages::configuration_change(), now);
    pair.ends[0].drain();
    assert_eq!(pair.ends[0].session.state(), State::Established);
    changed.hold_time = 30 * SECOND;
    pair.ends[0]
        .session
        .reconfigure(changed, false, messages::configuration_change(), now);
    pair.ends[0].drain();
    assert_eq!(pair.ends[0].session.state(), State::Connect);
    assert!(pair.ends[0].wants_connection);
    assert!(pair.ends[0].events[1].starts_with("lost"));
}

#[test]
fn garbage_is_answered_and_ends_the_connection() {
    let mut pair = internal();
    pair.establish_tcp(0);
    let (conn, now) = (pair.ends[0].conns[&0], pair.now);
    pair.ends[0].session.receive(conn, &[0; 40], now);
    pair.ends[0].drain();
    let (_, last_words) = pair.ends[0].closed.last().cloned().unwrap();
    assert!(
        last_words.windows(2).any(|w| w == [1, 1]),
        "header error, connection not synchronized"
    );
    assert_eq!(pair.ends[0].session.state(), State::Idle);
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let mut pair = internal();
    pair.establish_tcp(0);
    let (conn, now) = (pair.ends[0].conns[&0], pair.now);
    let peer = settings(2, 65000, 65000);
    let mut stream = Vec::new();
    super::open::ours(&peer, false).encode(&mut stream);
    wire::encode_keepalive(&mut stream);
    for byte in stream {
        pair.ends[0].session.receive(conn, &[byte], now);
    }
    assert_eq!(pair.ends[0].session.state(), State::Established);
}

fn wire_decode(bytes: &[u8]) -> Message {
    wire::decode(bytes, &wire::DecodeContext::default())
        .unwrap()
        .unwrap()
        .0
}
