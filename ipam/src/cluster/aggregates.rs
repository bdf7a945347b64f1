//! Blocks of nodes with the same label value come from one range, so that a router of that rack can announce it.
//!
//! A range belongs to a label value by its record, made together with its first block. The order: a free block in
//! a range of ours, then a range of its own, last a range of others that has no blocks any more.

use config::intent::AggregateRule;
use datastore::{Compare, Key, Space, Transaction, Write};
use ipnet::IpNet;

use super::candidates::{Choice, free_block};
use super::reason::{NoBlock, Reason};
use super::records::{AggregateRecord, FORMAT, Unknown};
use super::situation::Situation;
use super::span::{Slots, bounds, hash};
use super::view::{Pool, Stored};

/// The most blocks of a range that are named one by one in a transaction; of a larger one, nothing at all may have
/// been written in the meantime.
const NAMED: u128 = 64;

pub(super) fn choose(here: Situation<'_>, pool: &Pool, rule: &AggregateRule) -> Result<Choice, NoBlock> {
    let labels = here.facts().map(|facts| &facts.labels);
    let value = labels
        .and_then(|labels| labels.get(&rule.node_label))
        .cloned()
        .unwrap_or_default();
    let of = format!("{}={value}", rule.node_label);
    let ours = Ours {
        here,
        pool,
        rule,
        value,
    };
    let found = ours
        .inside(&of)
        .or_else(|| ours.new_one(&of))
        .or_else(|| ours.taken_over(&of));
    let (block, reason, beside) = found.ok_or(NoBlock::NoAggregate(of))?;
    let pool = pool.intent.name.clone();
    Ok(Choice {
        block,
        pool,
        reason,
        beside,
    })
}

struct Ours<'a> {
    here: Situation<'a>,
    pool: &'a Pool,
    rule: &'a AggregateRule,
    value: String,
}

type Found = (IpNet, Reason, Transaction);

impl Ours<'_> {
    fn record(&self) -> AggregateRecord {
        AggregateRecord {
            format: FORMAT,
            pool: self.pool.intent.name.clone(),
            label: Some(self.rule.node_label.clone()),
            value: Some(self.value.clone()),
            block_size: None,
            aggregate_size: None,
            unknown: Unknown::new(),
        }
    }

    fn is_ours(&self, net: &IpNet, record: &AggregateRecord) -> bool {
        net.prefix_len() == self.rule.prefix_len
            && record.label.as_deref() == Some(self.rule.node_label.as_str())
            && record.value.as_deref() == Some(self.value.as_str())
    }

    /// Ranges of this pool that belong to some label value.
    fn ranges(&self) -> impl Iterator<Item = (IpNet, &AggregateRecord, &Stored<AggregateRecord>)> {
        let inside = self.here.view.aggregates.inside(self.pool.intent.cidr);
        let read = inside.filter_map(|(net, stored)| Some((*net, stored.read()?, stored)));
        read.filter(|(_, record, _)| record.label.is_some())
    }

    /// A free block in a range that is ours.
    fn inside(&self, of: &str) -> Option<Found> {
        let ours = self.ranges().filter(|(net, record, _)| self.is_ours(net, record));
        ours.into_iter().find_map(|(aggregate, _, stored)| {
            let (block, _) = free_block(self.here, self.pool, aggregate)?;
            let same = Compare::Version(Key::Aggregate(aggregate), stored.version.clone());
            let reason = Reason::InAggregate {
                aggregate,
                of: of.to_owned(),
            };
            Some((block, reason, Transaction::default().when(same)))
        })
    }

    /// A range that nobody has. The place comes from the label value, so that the nodes of a rack that start at
    /// once mean the same one.
    fn new_one(&self, of: &str) -> Option<Found> {
        let slots = Slots::of(self.pool.intent.cidr, self.rule.prefix_len)?;
        let start = u128::from(hash(&[&self.pool.intent.name, of])) % slots.count;
        let ahead = self.first_new(&slots, start, slots.count);
        let (aggregate, block) = ahead.or_else(|| self.first_new(&slots, 0, start))?;
        let key = Key::Aggregate(aggregate);
        let beside = Transaction::default()
            .when(Compare::Absent(key.clone()))
            .then(Write::Put(key, self.record().to_text()));
        Some((
            block,
            Reason::NewAggregate {
                aggregate,
                of: of.to_owned(),
            },
            beside,
        ))
    }

    fn first_new(&self, slots: &Slots, from: u128, to: u128) -> Option<(IpNet, IpNet)> {
        let view = self.here.view;
        let mut index = from;
        while index < to {
            let aggregate = slots.at(index)?;
            let end = bounds(aggregate).1;
            let others = view
                .aggregates
                .around(aggregate)
                .chain(view.aggregates.inside(aggregate));
            // Records of whole pools say how they are laid out, and are in nobody's way.
            let other = others
                .filter(|(_, stored)| stored.read().is_none_or(|record| record.label.is_some()))
                .map(|(net, _)| bounds(*net).1)
                .max();
            let last = match other {
                Some(last) => last.max(end),
                None if view.blocks.overlapping(aggregate).is_some() => end,
                None => match (
                    view.reserved.covering(aggregate),
                    free_block(self.here, self.pool, aggregate),
                ) {
                    (Some(last), _) => last,
                    (None, Some((block, _))) => return Some((aggregate, block)),
                    (None, None) => end,
                },
            };
            index = slots.after(last)?;
        }
        None
    }

    /// A range of another label value that has no blocks any more.
    fn taken_over(&self, of: &str) -> Option<Found> {
        let view = self.here.view;
        let others = self.ranges().filter(|(net, record, _)| {
            net.prefix_len() == self.rule.prefix_len && !self.is_ours(net, record)
        });
        let mut empty = others.filter(|(net, ..)| view.blocks.overlapping(*net).is_none());
        empty.find_map(|(aggregate, record, stored)| {
            let (block, _) = free_block(self.here, self.pool, aggregate)?;
            let slots = Slots::of(aggregate, self.pool.intent.block_size)?;
            let key = Key::Aggregate(aggregate);
            let mut beside =
                Transaction::default().when(Compare::Version(key.clone(), stored.version.clone()));
            if slots.count <= NAMED {
                let each = (0..slots.count).filter_map(|index| slots.at(index));
                let free = each
                    .filter(|other| *other != block)
                    .map(|other| Compare::Absent(Key::Block(other)));
                beside.compare.extend(free);
            } else {
                beside
                    .compare
                    .push(Compare::Unwritten(Space::Ownership, view.revision.clone()?));
            }
            let written = AggregateRecord {
                unknown: record.unknown.clone(),
                ..self.record()
            };
            let was = format!(
                "{}={}",
                record.label.as_deref().unwrap_or_default(),
                record.value.as_deref().unwrap_or_default()
            );
            beside.write.push(Write::Put(key, written.to_text()));
            Some((
                block,
                Reason::TakenAggregate {
                    aggregate,
                    of: of.to_owned(),
                    was,
                },
                beside,
            ))
        })
    }
}
