//! The whole demonstration fabric, and the proof that its checks can fail: each sabotage makes exactly the
//! checks fail that it must.

use std::sync::atomic::{AtomicU32, Ordering};

use demo::{Options, Outcome, Sabotage, failed, run};

use crate::support;

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn play(sabotage: Option<Sabotage>) -> Vec<Outcome> {
    let name = format!(
        "t{}-racks{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    run(&Options {
        lab: lab::Options {
            name: Some(name),
            roadbed_bin: Some(support::roadbed()),
            cni_bin: Some(support::cni()),
            ..lab::Options::default()
        },
        before_checks: sabotage,
        quiet: true,
        ..Options::default()
    })
}

/// Exactly these checks fail, and the others were made.
fn fails_exactly(sabotage: Sabotage) {
    let outcomes = play(Some(sabotage));
    let mut seen = failed(&outcomes);
    seen.sort_unstable();
    let wanted = sabotage.must_fail();
    assert!(!wanted.is_empty(), "{sabotage:?} breaks nothing");
    let detail: Vec<&Outcome> = outcomes
        .iter()
        .filter(|o| wanted.contains(&o.id) == o.passed())
        .collect();
    assert!(
        seen == wanted,
        "{sabotage:?}: these checks went otherwise than they must: {detail:#?}"
    );
    assert!(outcomes.len() > seen.len(), "nothing but failures: {outcomes:#?}");
}

#[test]
fn the_fabric_as_it_is_passes_every_check() {
    let outcomes = play(None);
    let wrong: Vec<&Outcome> = outcomes.iter().filter(|o| !o.passed()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for group in [
        "fabric/", "session/", "routes/", "ping/", "wire/", "client/", "filter/",
    ] {
        assert!(
            outcomes.iter().any(|o| o.id.starts_with(group)),
            "no check of {group}: {outcomes:#?}"
        );
    }
}

#[test]
fn an_empty_forwarding_table_breaks_the_tunnels_of_its_node() {
    fails_exactly(Sabotage::EmptyFdb);
}

#[test]
fn a_dead_agent_is_missed_and_costs_no_packet() {
    fails_exactly(Sabotage::DeadAgent);
}

#[test]
fn a_lifted_filter_is_seen_at_the_switches() {
    fails_exactly(Sabotage::FilterLifted);
}

#[test]
fn flushed_routes_without_repair_cut_the_node_off() {
    fails_exactly(Sabotage::RoutesFlushed);
}
