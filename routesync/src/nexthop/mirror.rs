//! The mirror of the kernel's nexthop objects, everybody's.
//!
//! It follows what the kernel says and what it does without saying: an object that goes leaves its groups, a group that loses its
//! last member goes, and a link that falls takes its objects along (`nexthop_flush_dev`). Every change tells which objects
//! are gone, for the routes on them are gone too.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{KernelNexthop, NexthopEvent, Object};
use crate::route::{KernelHop, NexthopId};

/// All objects by id.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    objects: BTreeMap<NexthopId, KernelNexthop>,
}

impl FromIterator<KernelNexthop> for Mirror {
    fn from_iter<I: IntoIterator<Item = KernelNexthop>>(objects: I) -> Self {
        Mirror {
            objects: objects.into_iter().map(|object| (object.id, object)).collect(),
        }
    }
}

impl Mirror {
    /// The object of that id.
    pub fn get(&self, id: NexthopId) -> Option<&KernelNexthop> {
        self.objects.get(&id)
    }

    /// Every object.
    pub fn all(&self) -> impl Iterator<Item = &KernelNexthop> {
        self.objects.values()
    }

    /// Follows one notification. The ids that are gone by it.
    pub fn apply(&mut self, event: &NexthopEvent) -> Vec<NexthopId> {
        match &event.now {
            Some(now) => {
                self.objects.insert(event.id, now.clone());
                Vec::new()
            }
            None if self.objects.contains_key(&event.id) => self.remove(vec![event.id]),
            None => Vec::new(),
        }
    }

    /// Follows a link that fell or is gone. The ids that are gone by it.
    pub fn flush(&mut self, index: u32) -> Vec<NexthopId> {
        let over = |object: &KernelNexthop| matches!(&object.object, Object::Single(s) if s.index == index);
        let fallen = self.all().filter(|object| over(object)).map(|object| object.id);
        let fallen = fallen.collect();
        self.remove(fallen)
    }

    /// Removes objects, and the groups that are empty without them. All that went.
    fn remove(&mut self, mut gone: Vec<NexthopId>) -> Vec<NexthopId> {
        if gone.is_empty() {
            return gone;
        }
        let singles: BTreeSet<_> = gone.drain(..).collect();
        self.objects.retain(|id, object| {
            let stays = !singles.contains(id)
                && match &mut object.object {
                    Object::Group(group) => {
                        group.members.retain(|member| !singles.contains(&member.id));
                        !group.members.is_empty()
                    }
                    Object::Single(_) | Object::Other => true,
                };
            if !stays {
                gone.push(*id);
            }
            stays
        });
        gone
    }

    /// The hops behind an object: its own, or those of its members.
    pub fn hops(&self, id: NexthopId) -> Vec<KernelHop> {
        let hop = |id: NexthopId, weight: u16| match &self.objects.get(&id)?.object {
            Object::Single(single) => Some(KernelHop {
                gateway: single.gateway,
                index: single.index,
                onlink: single.onlink,
                weight,
                usable: true,
            }),
            Object::Group(_) | Object::Other => None,
        };
        match self.objects.get(&id).map(|object| &object.object) {
            Some(Object::Group(group)) => {
                let members = group.members.iter();
                members.filter_map(|m| hop(m.id, m.weight)).collect()
            }
            _ => hop(id, 1).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Protocol,
        nexthop::object::{Group, Member, Single},
    };

    fn mirror() -> Mirror {
        let single = |index| {
            Object::Single(Single {
                v6: false,
                gateway: None,
                index,
                onlink: false,
            })
        };
        let group = |ids: &[u32]| {
            let members = ids.iter().map(|id| Member {
                id: NexthopId(*id),
                weight: 1,
            });
            Object::Group(Group {
                members: members.collect(),
                resilient: None,
            })
        };
        let objects = [
            (1, group(&[3])),
            (2, group(&[3, 4])),
            (3, single(7)),
            (4, single(8)),
        ];
        let objects = objects.map(|(id, object)| KernelNexthop {
            id: NexthopId(id),
            protocol: Protocol(82),
            object,
        });
        objects.into_iter().collect()
    }

    #[test]
    fn a_link_that_falls_takes_its_hops_and_emptied_groups() {
        let mut mirror = mirror();
        assert_eq!(mirror.flush(9), []);
        assert_eq!(mirror.flush(7), [NexthopId(1), NexthopId(3)]);
        let left: Vec<_> = mirror.hops(NexthopId(2)).iter().map(|hop| hop.index).collect();
        assert_eq!(left, [8]);
        assert_eq!(mirror.flush(8), [NexthopId(2), NexthopId(4)]);
        assert_eq!(mirror.all().count(), 0);
    }

    #[test]
    fn an_object_that_goes_takes_emptied_groups() {
        let mut mirror = mirror();
        let gone = |id| NexthopEvent {
            id: NexthopId(id),
            now: None,
            own: false,
        };
        assert_eq!(mirror.apply(&gone(3)), [NexthopId(1), NexthopId(3)]);
        assert_eq!(mirror.apply(&gone(3)), []);
        assert_eq!(mirror.apply(&gone(2)), [NexthopId(2)]);
        assert!(mirror.get(NexthopId(4)).is_some());
    }
}
