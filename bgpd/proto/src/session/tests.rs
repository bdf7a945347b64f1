//! Two sessions face to face, with every byte moved by hand: collision in all orders, refusals, back-off, counters.

use super::End as Ended;
use super::fsm::Tuning;
use super::{Graceful, Offer, Output, Session, Settings, State, messages};
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
        remote_as: Asn(remote).into(),
        hold_time: 90 * SECOND,
        min_hold_time: 3 * SECOND,
        families: Family::ALL.to_vec(),
        offer: Offer::default(),
        restarting: false,
        tuning: Tuning {
            keepalive: None,
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
    ended: Option<Ended>,
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
            ended: None,
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
                Output::Lost { reason, end } => {
                    self.events.push(format!("lost: {reason}"));
                    self.ended = Some(end);
                }
                Output::Failed(why) => self.events.push(format!("failed: {why}")),
                Output::Update(_) | Output::Refresh { .. } | Output::Keepalive => {}
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
    // It came up just now: this may be a collision that the peer has not decided yet.
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

/// What a peer says first: its OPEN, then a KEEPALIVE.
fn greeting(peer: &Settings) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::open::ours(peer, false).encode(&mut bytes);
    wire::encode_keepalive(&mut bytes);
    bytes
}

#[test]
fn the_same_open_twice_is_no_error_and_another_one_is() {
    let peer = settings(2, 65000, 65000);
    for (again, wanted) in [
        (peer.clone(), State::Established),
        (settings(3, 65000, 65000), State::Idle),
    ] {
        let mut pair = internal();
        let now = pair.now;
        let end = &mut pair.ends[0];
        end.session.connecting(ConnId(9));
        end.session.connected(ConnId(9), address(1), address(2), now);
        let mut bytes = Vec::new();
        super::open::ours(&peer, false).encode(&mut bytes);
        bytes.extend(greeting(&again));
        end.session.receive(ConnId(9), &bytes, now);
        end.drain();
        assert_eq!(end.session.state(), wanted);
        if wanted == State::Idle {
            let why = end.session.last_error().unwrap_or_default();
            assert!(
                why.ends_with("unexpected message in OpenConfirm (5/2), OPEN"),
                "{why}"
            );
        }
    }
}

#[test]
fn a_peer_that_restarted_replaces_its_established_session() {
    let mut pair = internal().up();
    pair.advance(10 * SECOND);
    let now = pair.now;
    let end = &mut pair.ends[0];
    end.closed.clear();
    end.session.incoming(ConnId(99), address(1), address(2), now);
    end.drain();
    assert_eq!(
        (end.events.len(), end.closed.len()),
        (1, 0),
        "nothing is lost yet"
    );
    end.session
        .receive(ConnId(99), &greeting(&settings(2, 65000, 65000)), now);
    end.drain();
    assert_eq!(end.closed, [(end.conns[&0], Vec::new())], "closed without a word");
    assert_eq!(end.events.len(), 3, "{:?}", end.events);
    assert!(end.events[1].starts_with("lost: the peer has restarted"));
    assert_eq!(end.events[2], "up");
    assert_eq!(end.session.established(), Some(ConnId(99)));
    assert_eq!(end.session.counters().flaps, 1);
}

#[test]
fn garbage_and_strangers_on_another_connection_leave_the_session_alone() {
    let mut stranger = settings(7, 65000, 65000);
    stranger.hold_time = 30 * SECOND;
    for (said, codes) in [
        (vec![0; 40], "N1/1"),
        (greeting(&stranger), "N6/7"),
        (Vec::new(), "N4/0"),
    ] {
        let mut pair = internal().up();
        pair.advance(10 * SECOND);
        pair.settle(&[(0, 0), (1, 0)]);
        let now = pair.now;
        let end = &mut pair.ends[0];
        end.session.incoming(ConnId(99), address(1), address(2), now);
        end.session.receive(ConnId(99), &said, now);
        end.drain();
        // Who says nothing is not waited for longer than for anybody's OPEN.
        for _ in 0..if said.is_empty() { 60 } else { 0 } {
            pair.advance(SECOND);
            pair.settle(&[(0, 0), (1, 0)]);
        }
        let end = &mut pair.ends[0];
        let (conn, last_words) = end.closed.pop().unwrap();
        let last = &last_words[last_words.len() - 21..];
        assert_eq!(
            (conn, messages::codes(&notification(last)).as_str()),
            (ConnId(99), codes)
        );
        assert_eq!(
            (end.session.state(), end.events.len()),
            (State::Established, 1),
            "{codes}"
        );
    }
}

#[test]
fn without_graceful_restart_a_second_connection_is_refused_and_the_first_one_probed() {
    let mut pair = internal();
    pair.establish_tcp(0);
    let (conn, now) = (pair.ends[0].conns[&0], pair.now);
    let end = &mut pair.ends[0];
    let mut bytes = Vec::new();
    let mut open = super::open::ours(&settings(2, 65000, 65000), false);
    open.capabilities
        .retain(|c| !matches!(c, wire::Capability::GracefulRestart { .. }));
    open.encode(&mut bytes);
    wire::encode_keepalive(&mut bytes);
    end.session.receive(conn, &bytes, now);
    end.session.transmit(conn, &mut Vec::new(), now);
    let later = now + 10 * SECOND;
    end.session.incoming(ConnId(99), address(1), address(2), later);
    end.drain();
    let (refused, last_words) = end.closed.pop().unwrap();
    assert_eq!(
        (refused, messages::codes(&notification(&last_words)).as_str()),
        (ConnId(99), "N6/7")
    );
    let mut probe = Vec::new();
    end.session.transmit(conn, &mut probe, later);
    assert_eq!(wire_decode(&probe), Message::Keepalive);
}

/// OPEN Message Error, Unsupported Optional Parameter.
fn no_options() -> Vec<u8> {
    let mut bytes = Vec::new();
    let rejection = Notification {
        code: 2,
        subcode: 4,
        data: Vec::new(),
    };
    rejection.encode(&mut bytes);
    bytes
}

/// The capabilities of the OPEN that `end` sends over a connection of the peer's that comes in now.
fn offered(end: &mut End, conn: ConnId, now: Instant) -> usize {
    end.session.incoming(conn, address(1), address(2), now);
    let mut bytes = Vec::new();
    end.session.transmit(conn, &mut bytes, now);
    match wire_decode(&bytes) {
        Message::Open(open) => open.capabilities.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_goes_without_parameters_once_after_the_peer_rejected_them() {
    let mut end = End::new(settings(1, 65000, 65000));
    let now = *ORIGIN;
    assert!(offered(&mut end, ConnId(50), now) > 0);
    end.session.receive(ConnId(50), &no_options(), now);
    assert_eq!(offered(&mut end, ConnId(51), now), 0);
    end.session.closed(ConnId(51), "reset".into(), now);
    assert!(offered(&mut end, ConnId(52), now) > 0, "one attempt, no more");
}

#[test]
fn a_session_that_needs_its_capabilities_never_goes_without() {
    let mut only_v6 = settings(1, 65000, 65000);
    only_v6.families = vec![Family::Ipv6Unicast];
    for settings in [only_v6.clone(), settings(1, 4_200_000_000, 65000)] {
        let mut end = End::new(settings);
        assert!(offered(&mut end, ConnId(50), *ORIGIN) > 0);
        end.session.receive(ConnId(50), &no_options(), *ORIGIN);
        assert!(offered(&mut end, ConnId(51), *ORIGIN) > 0);
    }
    let mut end = End::new(only_v6);
    offered(&mut end, ConnId(50), *ORIGIN);
    end.session.receive(ConnId(50), &no_options(), *ORIGIN);
    offered(&mut end, ConnId(51), *ORIGIN);
    end.session
        .receive(ConnId(51), &greeting(&settings(2, 65000, 65000)), *ORIGIN);
    assert_eq!(end.session.state(), State::Established);
}

#[test]
fn an_unreadable_notification_ends_the_connection_without_an_answer() {
    let mut pair = internal().up();
    let (conn, now) = (pair.ends[0].conns[&0], pair.now);
    let mut short = vec![0xff; 16];
    short.extend([0, 20, 3, 6]);
    let end = &mut pair.ends[0];
    end.session.receive(conn, &short, now);
    end.drain();
    assert_eq!(end.closed.pop(), Some((conn, Vec::new())));
    assert!(end.session.last_loss().unwrap().contains("unreadable"));
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

/// Both ends set the N bit.
fn restarting_by_notification() -> Pair {
    let mut ends = [settings(1, 65000, 65000), settings(2, 65000, 65000)];
    for end in &mut ends {
        end.offer.graceful = Some(Graceful {
            time: 120,
            notification: true,
        });
    }
    let [a, b] = ends;
    Pair::new(a, b).up()
}

#[test]
fn a_shutdown_is_a_hard_reset_where_a_cease_would_be_a_restart() {
    let mut pair = restarting_by_notification();
    let now = pair.now;
    let cease = messages::admin_shutdown(Some("bye"));
    pair.ends[0].session.stop(cease.clone(), now);
    pair.ends[0].drain();
    let (_, last_words) = pair.ends[0].closed.last().cloned().unwrap();
    let said = notification(&last_words[last_words.len() - 27..]);
    assert_eq!(
        (messages::codes(&said).as_str(), said.inner()),
        ("N6/9", Some(cease))
    );
    pair.deliver(0, 0);
    assert_eq!(pair.ends[0].ended, Some(Ended::HardReset));
    assert_eq!(pair.ends[1].ended, Some(Ended::HardReset));
    let why = pair.ends[1].session.last_loss().unwrap();
    assert!(why.contains("Hard Reset") && why.contains("Administrative Shutdown") && why.contains("\"bye\""));
}

#[test]
fn a_change_of_configuration_is_a_restart_where_a_cease_is_one() {
    let mut pair = restarting_by_notification();
    let now = pair.now;
    let mut changed = pair.ends[0].session.settings().clone();
    changed.hold_time = 30 * SECOND;
    let cease = messages::configuration_change();
    pair.ends[0].session.reconfigure(changed, false, cease, now);
    pair.ends[0].drain();
    pair.deliver(0, 0);
    assert_eq!(pair.ends[0].ended, Some(Ended::Notification));
    assert_eq!(pair.ends[1].ended, Some(Ended::Notification));
}

#[test]
fn after_a_reset_the_peer_is_refused_until_the_pause_is_over() {
    let mut pair = internal().up();
    let now = pair.now;
    let end = &mut pair.ends[0];
    let cease = messages::too_many_prefixes(Family::Ipv6Unicast, 1000);
    assert_eq!(cease.data, [0, 2, 1, 0, 0, 3, 232]);
    end.session.reset(cease, Some(60 * SECOND), now);
    end.drain();
    assert_eq!(
        (end.session.state(), end.session.idle_until()),
        (State::Idle, Some(now + 60 * SECOND))
    );
    assert!(
        end.session
            .last_error()
            .unwrap()
            .contains("Maximum Number of Prefixes")
    );
    end.session.incoming(ConnId(70), address(1), address(2), now);
    end.drain();
    assert_eq!(end.closed.last().unwrap().0, ConnId(70));
    pair.advance(60 * SECOND);
    assert!(pair.ends[0].wants_connection);
    let now = pair.now;
    pair.ends[0].session.reset(messages::admin_reset(), None, now);
    assert!(pair.ends[0].session.is_stopped() && pair.ends[0].session.next_deadline().is_none());
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
