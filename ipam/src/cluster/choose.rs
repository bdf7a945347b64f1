//! Which block to claim, and the transaction that makes it ours.

use std::net::IpAddr;

use config::fields::ResourceKind;
use datastore::{Compare, Key, Space, Transaction, Write};

use super::aggregates;
use super::candidates::{Choice, free_block, in_the_way};
use super::purpose::Purpose;
use super::reason::{NoBlock, Reason};
use super::records::{AggregateRecord, BlockRecord, FORMAT, Unknown};
use super::situation::Situation;
use super::span;
use super::view::Pool;

/// The block of a pool that holds an address, if it can be claimed.
pub(super) fn block_at(
    here: Situation<'_>,
    pool: &Pool,
    address: IpAddr,
    reason: Reason,
) -> Result<Choice, NoBlock> {
    ready(here, pool)?;
    let block = span::around(address, pool.intent.block_size).ok_or(NoBlock::Exhausted)?;
    if let Some(way) = in_the_way(here.view, block) {
        return Err(NoBlock::Taken(way.what));
    }
    let pool = pool.intent.name.clone();
    let beside = Transaction::default();
    Ok(Choice {
        block,
        pool,
        reason,
        beside,
    })
}

/// Any block of a pool.
pub(super) fn any_block(here: Situation<'_>, pool: &Pool) -> Result<Choice, NoBlock> {
    ready(here, pool)?;
    if let (Some(rule), true) = (pool.aggregate(), here.settings.atomic) {
        return aggregates::choose(here, pool, rule);
    }
    let (block, reason) = free_block(here, pool, pool.intent.cidr).ok_or(NoBlock::Exhausted)?;
    let pool = pool.intent.name.clone();
    let beside = Transaction::default();
    Ok(Choice {
        block,
        pool,
        reason,
        beside,
    })
}

fn ready(here: Situation<'_>, pool: &Pool) -> Result<(), NoBlock> {
    if pool.version.is_none() {
        return Err(NoBlock::Unsettled);
    }
    match here.view.layout(&pool.intent) {
        Some(stored) if stored.read().is_none() => Err(NoBlock::Layout),
        _ => Ok(()),
    }
}

/// The transaction that makes a choice true: the pool is as it was read, the block is free, this life of the node
/// lasts. `None` where the node has no resource or the pool is unsettled.
pub(super) fn claim(here: Situation<'_>, choice: &Choice) -> Option<(Purpose, Transaction)> {
    let pool = here.view.pools.get(&choice.pool)?;
    let pool_key = Key::resource(ResourceKind::IpPool, choice.pool.as_str());
    let record = BlockRecord::new(
        choice.pool.as_str(),
        here.me().clone(),
        here.incarnation()?.as_str(),
    );
    let mut transaction = Transaction::default()
        .when(Compare::Version(pool_key, pool.version.clone()?))
        .when(Compare::Absent(Key::Block(choice.block)))
        .when(here.alive()?)
        .then(Write::Put(Key::Block(choice.block), record.to_text()));
    if here.settings.atomic {
        layout(here, pool, &mut transaction)?;
    }
    transaction.compare.extend(choice.beside.compare.iter().cloned());
    transaction.write.extend(choice.beside.write.iter().cloned());
    let purpose = Purpose::Claim {
        block: choice.block,
        pool: choice.pool.clone(),
        reason: choice.reason.clone(),
    };
    Some((purpose, transaction))
}

/// Adds what keeps blocks of different sizes apart: all who claim from a pool agree, in the same transaction, on the
/// record of its layout. It is changed only by one who knows every block: nothing was written that the view does
/// not show.
fn layout(here: Situation<'_>, pool: &Pool, transaction: &mut Transaction) -> Option<()> {
    let key = Key::Aggregate(pool.intent.cidr);
    let known = here.view.layout(&pool.intent);
    let wanted = AggregateRecord {
        format: FORMAT,
        pool: pool.intent.name.clone(),
        label: None,
        value: None,
        block_size: Some(pool.intent.block_size),
        aggregate_size: pool.aggregate().map(|rule| rule.prefix_len),
        unknown: known
            .and_then(|s| s.read())
            .map_or_else(Unknown::new, |r| r.unknown.clone()),
    };
    match known {
        Some(stored) if stored.read() == Some(&wanted) => {
            transaction
                .compare
                .push(Compare::Version(key, stored.version.clone()));
            return Some(());
        }
        Some(stored) => transaction
            .compare
            .push(Compare::Version(key.clone(), stored.version.clone())),
        None => transaction.compare.push(Compare::Absent(key.clone())),
    }
    let revision = here.view.revision.clone()?;
    transaction
        .compare
        .push(Compare::Unwritten(Space::Ownership, revision));
    transaction.write.push(Write::Put(key, wanted.to_text()));
    Some(())
}
