//! Whoever is counted is there: counts of attribute sets, of held prefix numbers and of sessions' routes, counted again.

use crate::rib::Rib;
use crate::rib::attrs::AttrId;
use crate::rib::out::{Subgroup, Told};
use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::types::Family;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(rib: &Rib) {
    sets(rib);
    numbers(rib);
    tallies(rib);
    path_numbers(rib);
}

/// Each identifier that somebody is told has a number, and no other has.
fn path_numbers(rib: &Rib) {
    let mut wanted: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
    for (_, told) in subgroups(rib).flat_map(|subgroup| subgroup.several.iter()) {
        for (number, told) in told {
            if let Told::Route(_, slot) = told
                && number & 0xffff != 0
            {
                wanted.entry(slot.0).or_default().insert(*number);
            }
        }
    }
    for slot in rib.peers.occupied() {
        let held = rib.peers.get(slot).unwrap().numbers.len();
        let of_slot = wanted.get(&slot.0).filter(|_| slot != Slot::LOCAL);
        assert_eq!(held, of_slot.map_or(0, BTreeSet::len), "numbers of {slot:?}");
    }
}

fn subgroups(rib: &Rib) -> impl Iterator<Item = &Subgroup> {
    rib.out
        .iter()
        .map(|(_, subgroup)| subgroup)
        .chain(&rib.out.graves)
}

fn sets(rib: &Rib) {
    let mut wanted: BTreeMap<AttrId, u32> = BTreeMap::new();
    let mut count = |id| *wanted.entry(id).or_default() += 1;
    for id in rib.table.ids() {
        rib.table
            .entry(id)
            .paths()
            .iter()
            .for_each(|path| count(path.attr));
    }
    for subgroup in subgroups(rib) {
        for id in subgroup.sent.ids() {
            if let Told::Route(attr, _) = subgroup.sent.get(id) {
                count(attr);
            }
        }
        for (_, told) in subgroup.several.iter().flat_map(|(_, paths)| paths) {
            if let Told::Route(attr, _) = told {
                count(*attr);
            }
        }
    }
    for slot in rib.peers.occupied() {
        if let Some(latest) = rib.peers.get(slot).and_then(|peer| peer.latest.as_ref()) {
            count(latest.attr);
        }
    }
    rib.as_received.values().copied().for_each(&mut count);
    if let Some(memo) = &rib.import_memo {
        count(memo.received);
        count(memo.made);
    }
    assert_eq!(
        rib.attrs.counts().collect::<BTreeMap<_, _>>(),
        wanted,
        "holders of attribute sets"
    );
}

fn numbers(rib: &Rib) {
    let mut wanted: BTreeMap<PrefixId, u32> = BTreeMap::new();
    let mut count = |id| *wanted.entry(id).or_default() += 1;
    for subgroup in subgroups(rib) {
        subgroup.sent.ids().for_each(&mut count);
        subgroup.several.iter().for_each(|(id, _)| count(id));
        subgroup.pending.iter().for_each(|id| count(PrefixId(id)));
        let mentions = subgroup.log.chunks().flat_map(|chunk| &chunk.prefixes);
        mentions.for_each(|mention| count(mention.id));
    }
    rib.log.iter().for_each(|id| count(PrefixId(id)));
    for id in rib.table.ids() {
        let held = wanted.remove(&id).unwrap_or_default();
        assert_eq!(rib.table.holds(id), held, "holders of {}", rib.table.prefix(id));
        assert!(
            held > 0 || !rib.table.entry(id).paths().is_empty(),
            "a prefix that nobody needs"
        );
    }
    assert_eq!(wanted, BTreeMap::new(), "numbers of no prefix");
}

fn tallies(rib: &Rib) {
    for slot in rib.peers.occupied() {
        let peer = rib.peers.get(slot).unwrap();
        for family in Family::ALL {
            let of_family = rib.table.ids().filter(|id| id.family() == family);
            let paths = of_family.flat_map(|id| rib.table.entry(id).paths());
            let count = paths.filter(|path| path.slot == slot).count();
            assert_eq!(peer.tally.get(family).received, count);
        }
    }
    for (_, subgroup) in rib.out.iter() {
        for family in Family::ALL {
            let of_family = subgroup.sent.ids().filter(|id| id.family() == family);
            let several = subgroup.several.iter().filter(|(id, _)| id.family() == family);
            let several: usize = several.map(|(_, paths)| paths.len()).sum();
            assert_eq!(subgroup.count(family, Slot::NONE), of_family.count() + several);
        }
    }
}
