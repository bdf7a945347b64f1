//! What to write so that the kernel matches the wish, decided one key at a time from values alone.
//!
//! The rules, in the order in which they are checked:
//! - Only routes with our protocol number are changed or removed. A foreign route on the same key (table, destination, metric)
//!   is a conflict: reported, never overwritten. So a route is created exclusively (`NLM_F_CREATE|NLM_F_EXCL`), and
//!   `NLM_F_REPLACE`, which asks nobody who owns the first route of the key, is used only where all routes of the key are ours.
//! - Replacing happens in one step (`NLM_F_REPLACE`): no moment without a route.
//! - The metric is part of the key, so a changed metric is a new route and an old one: the old one is held until its twin (same
//!   table and destination) is in place ([`twins`]). Removals come after everything else.

use std::collections::BTreeMap;

use crate::{
    model::{DesiredRoute, Metric, Protocol, RouteKey},
    route::KernelRoute,
};

/// One write to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Op {
    pub key: RouteKey,
    pub kind: OpKind,
}

/// The kinds of write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpKind {
    /// `RTM_NEWROUTE` with `NLM_F_CREATE|NLM_F_EXCL`.
    Create(KernelRoute),
    /// `RTM_NEWROUTE` with `NLM_F_REPLACE` alone: fails where there is nothing to replace.
    Replace(KernelRoute),
    /// `RTM_DELROUTE` of the first route at the key that carries our protocol number.
    Delete(Protocol),
}

/// The next thing to do for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The kernel has what is wanted, or nothing is wanted and nothing of ours is there.
    Done,
    /// Write this.
    Write(OpKind),
    /// A route of another program is in the way.
    Conflict(Protocol),
}

/// Compares one key. `wanted` is in the kernel's terms; `ours` and `foreign` are what the kernel has at the key.
pub(crate) fn step(
    protocol: Protocol,
    wanted: Option<&KernelRoute>,
    ours: &[KernelRoute],
    foreign: &[KernelRoute],
) -> Step {
    let delete = || Step::Write(OpKind::Delete(protocol));
    match (wanted, ours) {
        (None, []) => Step::Done,
        (None, _) => delete(),
        (Some(wanted), []) => match foreign.first() {
            None => Step::Write(OpKind::Create(wanted.clone())),
            Some(other) => Step::Conflict(other.protocol),
        },
        (Some(wanted), [ours]) if ours.same(wanted) => Step::Done,
        (Some(wanted), [_]) if foreign.is_empty() => Step::Write(OpKind::Replace(wanted.clone())),
        // Ours is wrong and shares the key with another's, or somebody doubled ours: take one away, then look again.
        (Some(_), _) => delete(),
    }
}

/// The wanted routes to the same destination in the same table, whatever their metric: while one of them is not in place yet,
/// an unwanted route of ours to that destination is better than none.
pub(crate) fn twins<'a>(
    wanted: &'a BTreeMap<RouteKey, DesiredRoute>,
    key: &RouteKey,
) -> impl Iterator<Item = &'a RouteKey> + use<'a> {
    let first = RouteKey {
        metric: Metric(0),
        ..*key
    };
    let last = RouteKey {
        metric: Metric(u32::MAX),
        ..*key
    };
    wanted.range(first..=last).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::KernelHop;

    const OURS: Protocol = Protocol(82);

    fn via(protocol: Protocol, index: u32) -> KernelRoute {
        KernelRoute::on_link(protocol, index)
    }

    #[test]
    fn creates_replaces_and_deletes_only_ours() {
        let (want, stale, theirs) = (via(OURS, 1), via(OURS, 2), via(Protocol(12), 3));
        let delete = Step::Write(OpKind::Delete(OURS));
        let check =
            |wanted: Option<&KernelRoute>, ours: &[KernelRoute], foreign: &[KernelRoute], is: Step| {
                assert_eq!(step(OURS, wanted, ours, foreign), is);
            };
        check(Some(&want), &[], &[], Step::Write(OpKind::Create(want.clone())));
        check(Some(&want), std::slice::from_ref(&want), &[], Step::Done);
        check(
            Some(&want),
            std::slice::from_ref(&stale),
            &[],
            Step::Write(OpKind::Replace(want.clone())),
        );
        check(
            Some(&want),
            &[],
            std::slice::from_ref(&theirs),
            Step::Conflict(Protocol(12)),
        );
        check(
            Some(&want),
            std::slice::from_ref(&want),
            std::slice::from_ref(&theirs),
            Step::Done,
        );
        check(
            Some(&want),
            std::slice::from_ref(&stale),
            std::slice::from_ref(&theirs),
            delete.clone(),
        );
        check(Some(&want), &[want.clone(), stale.clone()], &[], delete.clone());
        check(
            None,
            std::slice::from_ref(&stale),
            std::slice::from_ref(&theirs),
            delete,
        );
        check(None, &[], &[theirs], Step::Done);
    }

    #[test]
    fn a_dead_hop_is_no_difference_and_order_is_none() {
        let mut two = via(OURS, 1);
        two.hops.push(KernelHop {
            index: 2,
            usable: false,
            ..two.hops[0]
        });
        let mut turned = two.clone();
        turned.hops.reverse();
        turned.hops[0].usable = true;
        let (two, turned) = (two.normalized(), turned.normalized());
        assert_eq!(step(OURS, Some(&two), &[turned], &[]), Step::Done);
    }

    #[test]
    fn twins_share_table_and_destination() {
        let key = |destination: &str, metric| RouteKey::main(destination.parse().unwrap(), Metric(metric));
        let wanted: BTreeMap<_, _> = [
            key("10.0.0.0/24", 5),
            key("10.0.0.0/24", 9),
            key("10.0.0.0/25", 5),
        ]
        .map(|key| (key, DesiredRoute::blackhole()))
        .into();
        let found: Vec<_> = twins(&wanted, &key("10.0.0.0/24", 7))
            .map(|key| key.metric.0)
            .collect();
        assert_eq!(found, [5, 9]);
    }
}
