//! The table of RFC 4271 §8.2.2: every state against every event.

use super::*;
use crate::session::messages;
use std::sync::LazyLock;

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const RETRY: Duration = Duration::from_secs(5);
const HOLD: Duration = Duration::from_secs(90);

fn fsm(passive: bool) -> Fsm {
    Fsm::new(
        Tuning {
            keepalive: None,
            connect_retry: RETRY,
            passive,
        },
        Jitter::new(1),
    )
}

fn cease() -> Notification {
    messages::admin_shutdown(None)
}

/// A machine brought to `state` by the shortest way.
fn at(state: State) -> Fsm {
    let mut fsm = fsm(false);
    let way: &[Event] = match state {
        State::Idle => &[],
        State::Connect => &[Event::Start],
        State::Active => &[Event::StartPassively { retry: Some(RETRY) }],
        State::OpenSent => &[Event::Start, Event::TcpConnected],
        State::OpenConfirm => &[Event::Start, Event::TcpConnected, Event::Open { hold_time: HOLD }],
        State::Established => &[
            Event::Start,
            Event::TcpConnected,
            Event::Open { hold_time: HOLD },
            Event::Keepalive,
        ],
    };
    for event in way {
        fsm.handle(event.clone(), *ORIGIN);
    }
    assert_eq!(fsm.state(), state);
    fsm
}

/// Effects in short: C onnect, O pen, K eepalive, x close, E stablished, F ailed, N code/subcode.
fn brief(effects: &[Effect]) -> String {
    let one = |effect: &Effect| match effect {
        Effect::Connect => "C".to_string(),
        Effect::SendOpen => "O".to_string(),
        Effect::SendKeepalive => "K".to_string(),
        Effect::SendNotification(n) => messages::codes(n),
        Effect::Close => "x".to_string(),
        Effect::Established => "E".to_string(),
        Effect::Failed(_) => "F".to_string(),
    };
    effects.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("start", Event::Start),
        ("passive", Event::StartPassively { retry: Some(RETRY) }),
        ("stop", Event::Stop(cease())),
        ("retry", Event::ConnectRetryTimer),
        ("hold", Event::HoldTimer),
        ("keepalive-timer", Event::KeepaliveTimer),
        ("send-hold", Event::SendHoldTimer),
        ("tcp-up", Event::TcpConnected),
        ("tcp-fail", Event::TcpFailed("reset".into())),
        ("open", Event::Open { hold_time: HOLD }),
        ("malformed", Event::Malformed(messages::bad_peer_as())),
        ("dump", Event::CollisionDump(messages::collision())),
        ("notification", Event::NotificationReceived(cease())),
        (
            "path-down",
            Event::PathDown {
                why: "silence".into(),
                cease: messages::path_down(),
            },
        ),
        ("keepalive", Event::Keepalive),
        ("update", Event::Update),
        ("refresh", Event::RouteRefresh),
    ]
}

/// Event, next state, effects in short. "*" stands for every event without a row.
type Row = (&'static str, State, &'static str);

#[test]
fn table_of_states_and_events() {
    use State::*;
    let table: &[(State, &[Row])] = &[
        (Idle, &[("start", Connect, "C"), ("passive", Active, "")]),
        (
            Connect,
            &[
                ("start", Connect, ""),
                ("passive", Connect, ""),
                ("retry", Connect, "x C"),
                ("tcp-up", OpenSent, "O"),
            ],
        ),
        (
            Active,
            &[
                ("start", Active, ""),
                ("passive", Active, ""),
                ("retry", Connect, "C"),
                ("tcp-up", OpenSent, "O"),
            ],
        ),
        (
            OpenSent,
            &[
                ("start", OpenSent, ""),
                ("passive", OpenSent, ""),
                ("stop", Idle, "N6/2 x F"),
                ("hold", Idle, "N4/0 x F"),
                ("send-hold", Idle, "N8/0 x F"),
                ("path-down", Idle, "N6/10 x F"),
                ("tcp-fail", Active, "x F"),
                ("open", OpenConfirm, "K"),
                ("malformed", Idle, "N2/2 x F"),
                ("dump", Idle, "N6/7 x F"),
                ("notification", Idle, "x F"),
                // Everything else is an FSM error, RFC 6608: unexpected message in OpenSent.
                ("*", Idle, "N5/1 x F"),
            ],
        ),
        (
            OpenConfirm,
            &[
                ("start", OpenConfirm, ""),
                ("passive", OpenConfirm, ""),
                ("stop", Idle, "N6/2 x F"),
                ("hold", Idle, "N4/0 x F"),
                ("send-hold", Idle, "N8/0 x F"),
                ("path-down", Idle, "N6/10 x F"),
                ("keepalive-timer", OpenConfirm, "K"),
                ("tcp-fail", Idle, "x F"),
                ("malformed", Idle, "N2/2 x F"),
                ("dump", Idle, "N6/7 x F"),
                ("notification", Idle, "x F"),
                ("keepalive", Established, "E"),
                ("*", Idle, "N5/2 x F"),
            ],
        ),
        (
            Established,
            &[
                ("start", Established, ""),
                ("passive", Established, ""),
                ("stop", Idle, "N6/2 x F"),
                ("hold", Idle, "N4/0 x F"),
                ("send-hold", Idle, "N8/0 x F"),
                ("path-down", Idle, "N6/10 x F"),
                ("keepalive-timer", Established, "K"),
                ("tcp-fail", Idle, "x F"),
                ("malformed", Idle, "N2/2 x F"),
                ("dump", Idle, "N6/7 x F"),
                ("notification", Idle, "x F"),
                ("keepalive", Established, ""),
                ("update", Established, ""),
                ("refresh", Established, ""),
                ("*", Idle, "N5/3 x F"),
            ],
        ),
    ];
    for (state, rows) in table {
        for (name, event) in events() {
            let fallback = match state {
                Idle => (Idle, ""),
                Connect | Active => (Idle, "x F"),
                _ => (Idle, "missing row"),
            };
            let (next, effects) = rows
                .iter()
                .find(|row| row.0 == name)
                .or_else(|| rows.iter().find(|row| row.0 == "*"))
                .map_or(fallback, |row| (row.1, row.2));
            let mut fsm = at(*state);
            let got = fsm.handle(event, *ORIGIN);
            assert_eq!(
                (fsm.state(), brief(&got).as_str()),
                (next, effects),
                "{state} × {name}"
            );
            if fsm.state() == Idle {
                assert_eq!(fsm.next_deadline(), None, "{state} × {name}: Idle runs no timer");
            }
        }
    }
}

#[test]
fn hold_timer_is_restarted_by_keepalive_and_update_only() {
    for event in [Event::Keepalive, Event::Update, Event::RouteRefresh] {
        let mut fsm = at(State::Established);
        let later = *ORIGIN + Duration::from_secs(60);
        fsm.handle(event, later);
        fsm.timers.keepalive = None;
        assert_eq!(fsm.next_deadline(), Some(later + HOLD));
    }
}

#[test]
fn hold_expiry_wins_over_a_keepalive_that_is_due_too() {
    let mut fsm = at(State::Established);
    let effects = fsm.handle_timeout(*ORIGIN + HOLD).unwrap();
    assert_eq!(brief(&effects), "N4/0 x F");
    assert_eq!(effects.last(), Some(&Effect::Failed(Down::HoldExpired)));
}

#[test]
fn keepalives_go_out_within_a_third_of_the_hold_time() {
    let mut fsm = at(State::Established);
    let mut now = *ORIGIN;
    for _ in 0..100 {
        let due = fsm.next_deadline().unwrap();
        assert!(due - now <= HOLD / 3 && due - now >= HOLD / 4, "{:?}", due - now);
        now = due;
        assert_eq!(brief(&fsm.handle_timeout(now).unwrap()), "K");
        fsm.handle(Event::Keepalive, now);
    }
}

#[test]
fn a_keepalive_that_is_due_soon_may_go_now() {
    let mut fsm = at(State::Established);
    let due = fsm.timers.keepalive.unwrap();
    let early = HOLD / 3 / EARLY;
    let now = due - early;
    assert_eq!(fsm.keep_alive_early(now - Duration::from_millis(1)), None);
    assert_eq!(brief(&fsm.keep_alive_early(now).unwrap()), "K");
    assert!(fsm.timers.keepalive.unwrap() > due);
    assert_eq!(fsm.keep_alive_early(due), None, "it went");
    // Before the session stands a KEEPALIVE is an answer to an OPEN.
    let mut fsm = at(State::OpenConfirm);
    assert_eq!(fsm.keep_alive_early(*ORIGIN + HOLD / 3), None);
}

#[test]
fn a_pause_between_keepalives_that_was_asked_for_is_kept_within_a_third_of_the_hold_time() {
    for (wanted, longest) in [(10, 10), (40, 30)] {
        let mut fsm = fsm(false);
        fsm.tune(Tuning {
            keepalive: Some(Duration::from_secs(wanted)),
            connect_retry: RETRY,
            passive: false,
        });
        for event in [Event::Start, Event::TcpConnected, Event::Open { hold_time: HOLD }] {
            fsm.handle(event, *ORIGIN);
        }
        let pause = fsm.timers.keepalive.unwrap() - *ORIGIN;
        let longest = Duration::from_secs(longest);
        assert!(pause <= longest && pause >= longest * 3 / 4, "{pause:?}");
    }
}

#[test]
fn a_zero_hold_time_leaves_only_the_send_hold_timer_once_established() {
    let mut fsm = at(State::OpenSent);
    fsm.handle(
        Event::Open {
            hold_time: Duration::ZERO,
        },
        *ORIGIN,
    );
    assert_eq!(fsm.next_deadline(), Some(*ORIGIN + OPEN_HOLD));
    fsm.handle(Event::Keepalive, *ORIGIN);
    assert_eq!((fsm.state(), fsm.next_deadline()), (State::Established, None));
    fsm.output_waiting(true, *ORIGIN);
    assert_eq!(fsm.next_deadline(), Some(*ORIGIN + SEND_HOLD_FLOOR));
    let effects = fsm.handle_timeout(*ORIGIN + SEND_HOLD_FLOOR).unwrap();
    assert_eq!(brief(&effects), "N8/0 x F");
}

#[test]
fn connect_attempts_repeat_with_jitter() {
    let mut fsm = fsm(false);
    fsm.handle(Event::Start, *ORIGIN);
    let mut pauses = Vec::new();
    let mut now = *ORIGIN;
    for _ in 0..20 {
        let due = fsm.next_deadline().unwrap();
        pauses.push(due - now);
        now = due;
        assert_eq!(brief(&fsm.handle_timeout(now).unwrap()), "x C");
    }
    assert!(
        pauses
            .iter()
            .all(|pause| *pause <= RETRY && *pause >= RETRY * 3 / 4)
    );
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[test]
fn a_passive_machine_never_connects() {
    let mut fsm = fsm(true);
    fsm.handle(Event::StartPassively { retry: Some(RETRY) }, *ORIGIN);
    assert_eq!(fsm.next_deadline(), None);
    fsm.handle(Event::TcpConnected, *ORIGIN);
    fsm.handle(Event::TcpFailed("closed".into()), *ORIGIN);
    assert_eq!((fsm.state(), fsm.next_deadline()), (State::Active, None));
}

#[test]
fn a_peer_that_takes_no_bytes_is_dropped_by_the_send_hold_timer() {
    let mut fsm = at(State::Established);
    fsm.output_waiting(true, *ORIGIN);
    assert_eq!(fsm.timers.send_hold, Some(*ORIGIN + SEND_HOLD_FLOOR));
    fsm.output_waiting(true, *ORIGIN + HOLD);
    assert_eq!(
        fsm.timers.send_hold,
        Some(*ORIGIN + SEND_HOLD_FLOOR),
        "only progress restarts it"
    );
    fsm.output_waiting(false, *ORIGIN + HOLD);
    assert_eq!(fsm.timers.send_hold, None);
    fsm.output_waiting(true, *ORIGIN);
    fsm.timers.hold = None;
    let effects = fsm.handle_timeout(*ORIGIN + SEND_HOLD_FLOOR).unwrap();
    assert_eq!(brief(&effects), "N8/0 x F");
}
