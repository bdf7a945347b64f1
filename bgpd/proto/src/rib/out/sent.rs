//! What was last sent of each prefix: the attribute set as it came in, and whose it was. What it looked like to the members
//! follows from that and their policy, so no exported copy is kept.

use crate::rib::attrs::{AttrId, Attrs};
use crate::rib::slot::Slot;
use crate::rib::store::Pages;
use crate::rib::table::{PrefixId, Table};
use crate::types::{Family, PerFamily};

/// What the members know of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// Something that is out of date.
    Something,
    /// What follows from this set of this session.
    Route(AttrId, Slot),
}

const NOTHING: u32 = u32::MAX;
const SOMETHING: u32 = u32::MAX - 1;

/// By prefix number: six octets each.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    attrs: PerFamily<Pages<u32>>,
    slots: PerFamily<Pages<u16>>,
    counts: Counts,
}

/// How many routes were sent, and of which sessions.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    all: PerFamily<usize>,
    of_slot: Vec<PerFamily<u32>>,
}

impl Counts {
    /// Counts a route for what was sent, and `before` no more.
    pub fn change(&mut self, family: Family, before: Told, told: Told) {
        self.count(family, told, true);
        self.count(family, before, false);
    }

    /// How many there are of a family, but for those of one session.
    pub fn but(&self, family: Family, but: Slot) -> usize {
        let own = self.of_slot.get(usize::from(but.0));
        self.all.get(family) - own.map_or(0, |own| *own.get(family)) as usize
    }

    /// Whether there is one of this session.
    pub fn refer_to(&self, slot: Slot) -> bool {
        let of = self.of_slot.get(usize::from(slot.0));
        of.is_some_and(|of| of.ipv4 > 0 || of.ipv6 > 0)
    }

    fn count(&mut self, family: Family, told: Told, more: bool) {
        if told == Told::Nothing {
            return;
        }
        let all = self.all.get_mut(family);
        *all = if more { *all + 1 } else { *all - 1 };
        let Told::Route(_, slot) = told else { return };
        if slot.0 >= Slot::NONE.0 {
            return;
        }
        let at = usize::from(slot.0);
        if self.of_slot.len() <= at {
            self.of_slot.resize(at + 1, PerFamily::default());
        }
        let count = self.of_slot[at].get_mut(family);
        *count = if more { *count + 1 } else { *count - 1 };
    }
}

impl Sent {
    pub fn get(&self, id: PrefixId) -> Told {
        let (attrs, number) = (self.attrs.get(id.family()), id.number());
        if number as usize >= attrs.len() {
            return Told::Nothing;
        }
        match *attrs.get(number) {
            NOTHING => Told::Nothing,
            SOMETHING => Told::Something,
            attr => Told::Route(AttrId(attr), Slot(*self.slots.get(id.family()).get(number))),
        }
    }

    /// Notes what is sent now; holds it, and lets go of what was sent before.
    pub fn set(&mut self, id: PrefixId, told: Told, table: &mut Table, attrs: &mut Attrs) {
        let (family, number) = (id.family(), id.number());
        let before = self.get(id);
        let (attr, slot) = match told {
            Told::Nothing => (NOTHING, Slot::NONE),
            Told::Something => (SOMETHING, Slot::NONE),
            Told::Route(attr, slot) => {
                attrs.hold(attr);
                (attr.0, slot)
            }
        };
        if before == Told::Nothing && told == Told::Nothing {
            return;
        }
        let (places, slots) = (self.attrs.get_mut(family), self.slots.get_mut(family));
        while places.len() < number as usize {
            places.push(NOTHING);
            slots.push(Slot::NONE.0);
        }
        if places.len() == number as usize {
            // Prefixes that are new have numbers in a row.
            places.push(attr);
            slots.push(slot.0);
        } else {
            *places.get_mut(number) = attr;
            *slots.get_mut(number) = slot.0;
        }
        self.counts.change(family, before, told);
        match before {
            Told::Nothing => table.hold(id),
            Told::Something => {}
            Told::Route(attr, _) => attrs.release(attr),
        }
        if told == Told::Nothing {
            table.release(id);
        }
    }

    /// A copy, which holds all that is in it.
    pub fn fork(&self, table: &mut Table, attrs: &mut Attrs) -> Self {
        for id in self.ids() {
            table.hold(id);
            if let Told::Route(attr, _) = self.get(id) {
                attrs.hold(attr);
            }
        }
        self.clone()
    }

    /// All that something was sent of, in no order.
    pub fn ids(&self) -> impl Iterator<Item = PrefixId> {
        let of = |family| (0..self.end(family)).map(move |number| PrefixId::new(family, number));
        let all = Family::ALL.into_iter().flat_map(of);
        all.filter(|id| self.get(*id) != Told::Nothing)
    }

    /// One more than the highest number.
    pub fn end(&self, family: Family) -> u32 {
        self.attrs.get(family).len() as u32
    }

    /// The prefix of the highest number of a family, whether anything was sent of it or not.
    pub fn last(&self, family: Family) -> Option<PrefixId> {
        self.end(family)
            .checked_sub(1)
            .map(|number| PrefixId::new(family, number))
    }

    /// Forgets the highest number of a family, of which nothing is sent.
    pub fn pop(&mut self, family: Family) {
        self.attrs.get_mut(family).pop();
        self.slots.get_mut(family).pop();
    }

    /// How many prefixes of a family a member was told of, if those of its own session are not.
    pub fn count(&self, family: Family, but: Slot) -> usize {
        self.counts.but(family, but)
    }

    /// Whether anything is of this session.
    pub fn refers_to(&self, slot: Slot) -> bool {
        self.counts.refer_to(slot)
    }
}
