//! What is decided goes to the parts: first what is small and others wait for, then the rest.

use std::sync::Arc;

use super::{Reconciler, TUNNELS_FIRST};
use crate::decide::{self, Begun, Decisions, Extent};

impl Reconciler {
    /// Gives the tunnels and the sets of hops their desired state: what leads into a tunnel comes after it, and a set that
    /// has moved does not wait until each of its routes was looked at.
    pub(super) async fn hand_on_first(&mut self, begun: &Begun<'_>) {
        let tunnels = &begun.outline.tunnels.desired;
        let old = self.decisions.as_ref().map(|old| &old.outline);
        let same = old.is_some_and(|old| Arc::ptr_eq(old, &begun.outline) || old.tunnels.desired == *tunnels);
        if !same {
            let generation = self.parts.tunnels.publish(tunnels.clone());
            let mut status = self.parts.tunnels.status();
            let tried = status.wait_for(|status| status.tried >= generation);
            // What does not come is in the status of the tunnels; routes over it are refused by the kernel meanwhile.
            let _ = tokio::time::timeout(TUNNELS_FIRST, tried).await;
        }
        if let Some(sets) = &begun.moved {
            self.snapshot.fib_generation = self.parts.fib.publish_nexthops((**sets).clone());
        }
    }

    /// Gives each part the rest of its desired state, where that differs from the last.
    pub(super) async fn hand_on(&mut self, new: &Arc<Decisions>, changed: &Extent) {
        let old = self.decisions.as_deref();
        let same =
            |old: &Decisions| Arc::ptr_eq(&old.nexthops, &new.nexthops) || old.nexthops == new.nexthops;
        if !old.is_some_and(same) {
            self.snapshot.fib_generation = self.parts.fib.publish_nexthops((*new.nexthops).clone());
        }
        match (changed, old) {
            (Extent::Only(prefixes), Some(old))
                if self.handed == Some(self.settled)
                    && old.outline.place == new.outline.place
                    && old.outline.priorities == new.outline.priorities =>
            {
                let learned = &new.table().routes;
                let own = (&old.outline.own, &new.outline.own);
                let metrics = (&new.outline.place, &new.outline.priorities);
                let changes = decide::routes::fib_changes(metrics, own, learned, prefixes);
                if !changes.is_empty() {
                    self.snapshot.fib_generation = self.parts.fib.update(changes, self.settled);
                }
            }
            _ => {
                self.snapshot.fib_generation = self.parts.fib.publish(new.fib(self.settled));
                self.handed = Some(self.settled);
            }
        }
        let (old, new) = (old.map(|old| &old.outline), &new.outline);
        if old.is_some_and(|old| Arc::ptr_eq(old, new)) {
            return;
        }
        self.parts.guard.want(&new.ruleset);
        let Some(bgp) = self.parts.speaker() else { return };
        if old.is_none_or(|old| old.originated != new.originated) {
            bgp.originate(new.originated.clone()).await;
        }
        if old.is_none_or(|old| old.next_hops != new.next_hops) {
            bgp.set_next_hops(new.next_hops.clone()).await;
        }
        if old.is_none_or(|old| old.interfaces != new.interfaces) {
            bgp.set_interfaces(new.interfaces.clone()).await;
        }
    }
}
