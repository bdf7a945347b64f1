use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("in range")
}

fn down(peer: &str) -> Note {
    Note {
        warning: true,
        reason: "BGPPeerDown".into(),
        about: peer.into(),
        message: format!("{peer} went down"),
    }
}

/// Writes what is due, all of it well.
fn settle(tally: &mut Tally, second: i64) -> Vec<Write> {
    let writes = tally.due(at(second));
    for write in &writes {
        tally.done(write, at(second));
    }
    writes
}

#[test]
fn a_new_event_has_what_the_api_asks_for() {
    let mut tally = Tally::new("node-a", Limits::default());
    tally.set_uid("u");
    let mut note = down("192.0.2.1");
    note.message = "ä".repeat(1000);
    tally.note(note, at(0));
    let [Write::Create(event)] = &settle(&mut tally, 0)[..] else {
        panic!("one event");
    };
    assert!(
        event
            .metadata
            .name
            .as_ref()
            .is_some_and(|name| name.starts_with("node-a."))
    );
    assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(
        (event.type_.as_deref(), event.reason.as_deref()),
        (Some("Warning"), Some("BGPPeerDown"))
    );
    assert_eq!(event.note.as_ref().map(String::len), Some(1024));
    let regarding = event.regarding.as_ref().expect("the Node");
    assert_eq!(
        (regarding.kind.as_deref(), regarding.uid.as_deref()),
        (Some("Node"), Some("u"))
    );
    assert!(event.action.is_some() && event.reporting_instance.is_some() && event.series.is_none());
    assert!(!tally.is_pending());
}

#[test]
fn repetitions_count_up_and_are_told_now_and_then() {
    let mut tally = Tally::new("a", Limits::default());
    tally.note(down("p"), at(0));
    let name = match &settle(&mut tally, 0)[..] {
        [Write::Create(event)] => event.metadata.name.clone().expect("a name"),
        other => panic!("{other:?}"),
    };
    for second in 1..=5 {
        tally.note(down("p"), at(second));
        assert_eq!(settle(&mut tally, second), [], "told ten seconds ago at least");
    }
    let [Write::Count(of, patch)] = &settle(&mut tally, 10)[..] else {
        panic!("a count");
    };
    assert_eq!((of, number(patch)), (&name, 6));
    assert_eq!(settle(&mut tally, 30), []);
    // Another peer, and another thing, are other series.
    tally.note(down("q"), at(31));
    tally.note(
        Note {
            reason: "BGPPeerUp".into(),
            ..down("p")
        },
        at(31),
    );
    assert_eq!(settle(&mut tally, 31).len(), 2);
}

#[test]
fn a_series_ends_after_the_window() {
    let mut tally = Tally::new("a", Limits::default());
    tally.note(down("p"), at(0));
    settle(&mut tally, 0);
    tally.note(down("p"), at(360));
    assert!(matches!(settle(&mut tally, 360)[..], [Write::Create(_)]));
}

#[test]
fn an_event_that_is_gone_is_made_anew_with_its_count() {
    let mut tally = Tally::new("a", Limits::default());
    tally.note(down("p"), at(0));
    settle(&mut tally, 0);
    tally.note(down("p"), at(20));
    let writes = tally.due(at(20));
    tally.lost(&writes[0], at(20));
    let [Write::Create(event)] = &settle(&mut tally, 20)[..] else {
        panic!("made anew");
    };
    assert_eq!(event.series.as_ref().map(|series| series.count), Some(2));
    assert!(!tally.is_pending());
}

#[test]
fn what_fails_is_due_again() {
    let mut tally = Tally::new(
        "a",
        Limits {
            burst: 1,
            ..Limits::default()
        },
    );
    tally.note(down("p"), at(0));
    assert_eq!(tally.due(at(0)).len(), 1);
    assert_eq!(
        tally.due(at(5)),
        [],
        "the way is limited, for repetitions of a failure as well"
    );
    assert_eq!(tally.due(at(10)).len(), 1);
    let write = tally.due(at(20)).remove(0);
    tally.drop_refused(&write);
    assert!(!tally.is_pending());
}

#[test]
fn a_flood_is_cut() {
    let limits = Limits {
        series: 50,
        ..Limits::default()
    };
    let mut tally = Tally::new("a", limits);
    for peer in 0..1000 {
        tally.note(down(&peer.to_string()), at(0));
    }
    assert_eq!((tally.series.len(), tally.take_cut()), (50, 950));
    assert_eq!(settle(&mut tally, 0).len(), 25);
    assert_eq!(settle(&mut tally, 9), []);
    assert_eq!(settle(&mut tally, 30).len(), 3);
}

proptest! {
    /// Whatever happens when, memory and writes are bounded, and no count is lost to a series that was made.
    #[test]
    fn bounds_hold(steps in proptest::collection::vec((0u8..12, 0i64..60), 1..300)) {
        let limits = Limits { series: 8, burst: 4, ..Limits::default() };
        let mut tally = Tally::new("a", limits);
        let (mut now, mut created) = (0, 0);
        for (peer, pause) in steps {
            now += pause;
            tally.note(down(&peer.to_string()), at(now));
            let writes = settle(&mut tally, now);
            created += writes.iter().filter(|write| matches!(write, Write::Create(_))).count();
            prop_assert!(tally.series.len() <= 8);
            prop_assert!(created as i64 <= 4 + now / 10 + 1);
        }
        let total: i32 = tally.series.values().map(|series| series.count - series.written).sum();
        now += 10_000;
        let mut left = total;
        for _ in 0..50 {
            now += 10;
            settle(&mut tally, now);
            left = tally.series.values().map(|series| series.count - series.written).sum();
        }
        prop_assert_eq!(left, 0);
    }
}
