//! What nodes that are gone had: blocks that nobody serves and loans that nobody returns.
//!
//! A node is gone when neither its resource nor its agent's presence is there. It is dead when it was seen to be gone
//! at least twice and for the grace time; then any node may take back what it had, in transactions that hold only
//! while it is still gone. Each node waits a little longer of its own, so that not all do it at once.

use std::collections::BTreeSet;
use std::time::Duration;

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Compare, Key, Transaction, Version, Write};

use super::decision::Decision;
use super::memory::{Gone, Memory};
use super::purpose::Purpose;
use super::returning::BATCH;
use super::situation::Situation;
use super::span::hash;
use super::view::ClusterView;

/// A look counts for no more than this part of the grace time: a clock that jumps does not make a node dead.
const PART: u32 = 4;

/// Nodes that have something and are gone.
pub(super) fn gone_nodes(view: &ClusterView) -> BTreeSet<&NodeName> {
    let owners = view.owned.keys();
    let borrowers = view.loans().map(|loan| &loan.borrower);
    owners
        .chain(borrowers)
        .filter(|node| !view.is_there(node))
        .collect()
}

/// Looks who is gone, and for how long by now.
pub(super) fn look(here: Situation<'_>, memory: &mut Memory, decision: &mut Decision) {
    let gone = gone_nodes(here.view);
    memory.gone.retain(|node, _| gone.contains(node));
    let most = here.settings.dead_node_grace / PART;
    for node in gone {
        if node == here.me() {
            continue;
        }
        let first = Gone {
            looked: here.now,
            lasted: Duration::ZERO,
            looks: 0,
        };
        let seen = memory.gone.entry(node.clone()).or_insert(first);
        let since = here.now.duration_since(seen.looked).unwrap_or_default();
        seen.lasted += since.min(most);
        seen.looked = here.now;
        seen.looks = seen.looks.saturating_add(1);
        if !is_dead(here, node, *seen) {
            let rest = patience(here, node).saturating_sub(seen.lasted);
            decision.wake(rest.min(most).max(Duration::from_millis(10)));
        }
    }
}

/// The grace time with this node's own share on top, up to half as much again.
fn patience(here: Situation<'_>, node: &NodeName) -> Duration {
    let grace = here.settings.dead_node_grace;
    let share = (hash(&[here.me().as_str(), node.as_str()]) % 1000) as u32;
    grace + grace * share / 2000
}

fn is_dead(here: Situation<'_>, node: &NodeName, seen: Gone) -> bool {
    seen.looks >= 2 && seen.lasted >= patience(here, node)
}

/// Takes back what a dead node had.
pub(super) fn commit(here: Situation<'_>, memory: &Memory) -> Option<(Purpose, Transaction)> {
    let mut dead = memory
        .gone
        .iter()
        .filter(|(node, seen)| is_dead(here, node, **seen));
    dead.find_map(|(node, _)| collect(here.view, node, here.settings.atomic))
}

/// The transaction that takes back what a node had, if it is still gone then.
pub(super) fn collect(view: &ClusterView, node: &NodeName, atomic: bool) -> Option<(Purpose, Transaction)> {
    let blocks = view
        .blocks_of(node)
        .map(|(net, _, version)| (Key::Block(net), version.clone()));
    let borrowed = view.loans.iter().filter_map(|(address, stored)| {
        let record = stored.read()?;
        (record.borrower == *node).then(|| (Key::Loan(*address), stored.version.clone()))
    });
    let most = if atomic { BATCH } else { 1 };
    let records: Vec<(Key, Version)> = borrowed.chain(blocks).take(most).collect();
    if records.is_empty() {
        return None;
    }
    let gone = Transaction::default()
        .when(Compare::Absent(Key::resource(ResourceKind::Node, node.as_str())))
        .when(Compare::Absent(Key::Presence(node.as_str().to_owned())));
    let count = records.len();
    let transaction = records.into_iter().fold(gone, |transaction, (key, version)| {
        transaction
            .when(Compare::Version(key.clone(), version))
            .then(Write::Delete(key))
    });
    let node = node.clone();
    Some((Purpose::Collect { node, records: count }, transaction))
}
