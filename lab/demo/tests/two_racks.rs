//! The demonstration passes as it is, and each sabotage makes exactly the checks fail that it must.
//! Needs root, FRR, tcpdump and the built programs; without them these tests fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use demo::{Options, Sabotage, failed};

fn play(name: &str, sabotage: Option<Sabotage>) -> Vec<demo::Outcome> {
    let lab = lab::Options::named(format!("t{}-{name}", std::process::id()));
    demo::run(&Options {
        lab,
        before_checks: sabotage,
        quiet: true,
        ..Options::default()
    })
}

/// Played without sabotage, all pass; sabotaged, the same checks are made and the expected ones fail.
fn judge(name: &str, sabotage: Sabotage) {
    let outcomes = play(name, Some(sabotage));
    let ids: BTreeSet<&str> = outcomes.iter().map(|o| o.id.as_str()).collect();
    assert_eq!(ids.len(), outcomes.len(), "an id was used twice");
    let mut wrong: Vec<String> = failed(&outcomes).into_iter().map(str::to_owned).collect();
    wrong.sort();
    let texts: Vec<_> = outcomes.iter().filter(|o| !o.passed()).collect();
    assert_eq!(wrong, sabotage.must_fail(), "{texts:#?}");
}

#[test]
fn the_two_racks_work() {
    let outcomes = play("whole", None);
    let texts: Vec<_> = outcomes.iter().filter(|o| !o.passed()).collect();
    assert!(texts.is_empty(), "{texts:#?}");
    assert!(outcomes.len() >= 58, "only {} checks were made", outcomes.len());
}

#[test]
fn an_empty_forwarding_table_is_noticed() {
    judge("fdb", Sabotage::EmptyFdb);
}

#[test]
fn a_dead_agent_is_noticed() {
    judge("dead", Sabotage::DeadAgent);
}

#[test]
fn a_lifted_filter_is_noticed() {
    judge("filter", Sabotage::FilterLifted);
}

#[test]
fn flushed_routes_are_noticed() {
    judge("flush", Sabotage::RoutesFlushed);
}
