//! Hops that leave groups by their own end.
//!
//! Replacing a group costs the kernel a look at every route on it: IPv6 routes get new serial numbers one by one, and while the
//! kernel shows an object's hops with each route (`net.ipv4.nexthop_compat_mode`), it tells of every route that they have changed.
//! Removing a single object costs nothing of that: its groups go on with the members that they still have. So where a group is
//! only to lose hops that nothing else needs, as when a path dies, those hops are removed and the group is not written.

use std::collections::{BTreeMap, BTreeSet};

use super::Sync;
use crate::{
    nexthop::object::{Group, Object},
    route::NexthopId,
};

impl Sync {
    /// The single objects whose end does what `wanted` (groups by number) wants. `in_use` picks those that a route refers to.
    pub(super) fn departures(
        &self,
        wanted: &BTreeMap<NexthopId, Group>,
        in_use: impl FnOnce(&BTreeSet<NexthopId>) -> BTreeSet<NexthopId>,
    ) -> BTreeSet<NexthopId> {
        let mut going = BTreeSet::new();
        for (id, group) in wanted {
            going.extend(self.surplus(*id, group).into_iter().flatten());
        }
        going.retain(|id| {
            let ours = self.mirror.get(*id).is_some_and(|held| held.is_of(self.protocol));
            ours && self.given.contains(id) && !self.needed.contains(id) && !self.waits(*id)
        });
        if going.is_empty() {
            return going;
        }
        for id in in_use(&going) {
            going.remove(&id);
        }
        // Whoever else has them as members would lose them too; a group that keeps one of its surplus has to be written anyway.
        loop {
            let before = going.len();
            for held in self.mirror.all() {
                let Object::Group(group) = &held.object else {
                    continue;
                };
                let members = || group.members.iter().map(|member| member.id);
                let surplus = wanted
                    .get(&held.id)
                    .and_then(|wanted| self.surplus(held.id, wanted));
                if !surplus.is_some_and(|surplus| surplus.iter().all(|id| going.contains(id))) {
                    members().for_each(|id| _ = going.remove(&id));
                }
            }
            if going.len() == before {
                return going;
            }
        }
    }

    /// What the group has beyond what is wanted; `None` where something else is wrong with it.
    fn surplus(&self, id: NexthopId, wanted: &Group) -> Option<Vec<NexthopId>> {
        let held = self.mirror.get(id).filter(|held| held.is_of(self.protocol))?;
        let Object::Group(group) = &held.object else {
            return None;
        };
        let kept = group
            .members
            .iter()
            .filter(|member| wanted.members.contains(member));
        let whole = kept.count() == wanted.members.len() && group.resilient == wanted.resilient;
        let surplus = group
            .members
            .iter()
            .filter(|member| !wanted.members.contains(member));
        whole.then(|| surplus.map(|member| member.id).collect())
    }

    /// Whether the end of those that are going leaves the group as it is wanted.
    pub(super) fn shrinks(&self, id: NexthopId, wanted: &Group, going: &BTreeSet<NexthopId>) -> bool {
        let surplus = self.surplus(id, wanted).unwrap_or_default();
        !surplus.is_empty() && surplus.iter().all(|id| going.contains(id))
    }
}
