//! How many blocks a node needs: what is to be claimed, and what may be given back.
//!
//! Blocks are claimed ahead of need and given back late: between the two limits lies at least one block, so
//! that a pod that comes and goes does not move one.

use std::net::IpAddr;
use std::time::Duration;

use super::situation::Situation;
use super::span;
use super::trouble::{Hopeless, Trouble};
use super::view::Pool;
use crate::blocks::Family;
use crate::local::{BlockState, BlockUse, Origin, Want};

/// One block that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// The one that holds this address.
    Address(IpAddr, Want),
    /// Any of these pools, the first choice first.
    Pools(Vec<String>, Option<Want>),
}

/// How few free addresses make a node claim the next block of a pool.
pub(super) fn threshold(here: Situation<'_>, pool: &Pool) -> u128 {
    let ahead = here.settings.claim_ahead;
    if ahead.part == 0 {
        return 1;
    }
    let block = span::around(pool.intent.cidr.addr(), pool.intent.block_size).map_or(1, span::size);
    let wanted = (block / u128::from(ahead.part)).max(u128::from(ahead.least));
    wanted.min(u128::from(ahead.most)).min(block / 2).max(1)
}

/// Pools of a family whose addresses pods of this node get without naming them, in the order of their names.
fn automatic(here: Situation<'_>, family: Family) -> Vec<&Pool> {
    let pools = here.view.pools.values();
    let of_family = pools.filter(|pool| span::family(&pool.intent.cidr) == family);
    of_family
        .filter(|pool| pool.is_automatic() && here.serves(pool))
        .collect()
}

/// What is missing now, the most urgent first.
pub(super) fn needs(here: Situation<'_>, hopeless: &mut Vec<Hopeless>) -> Vec<Need> {
    let mut needs = Vec::new();
    for want in &here.local.wants {
        match target(here, want) {
            Some(address) => needs.extend(wanted_address(here, want, address, hopeless)),
            None if !want.pools.is_empty() => needs.extend(wanted_pools(here, want, hopeless)),
            None => {}
        }
    }
    for family in Family::ALL {
        needs.extend(first_or_next(here, family, hopeless));
    }
    needs.extend(next_of_named_pools(here));
    needs
}

/// The address that a want is about: the one it names, or the one that follows its workload.
pub(super) fn target(here: Situation<'_>, want: &Want) -> Option<IpAddr> {
    let sticky = want
        .workload
        .as_deref()
        .and_then(|workload| here.view.sticky_of(workload));
    let of_family = |address: &&IpAddr| Family::of(**address) == want.family;
    want.address
        .or_else(|| sticky?.addresses.iter().find(of_family).copied())
}

fn wanted_address(
    here: Situation<'_>,
    want: &Want,
    address: IpAddr,
    hopeless: &mut Vec<Hopeless>,
) -> Option<Need> {
    if here.own_block_of(address).is_some() || here.local.borrowed.contains_key(&address) {
        return None;
    }
    let mut no = |why: String| {
        hopeless.push(Hopeless {
            want: want.clone(),
            why,
        });
        None
    };
    let Some(pool) = here.view.pool_of(&address.into()) else {
        return no(format!("{address} lies in no pool; ask for an address of a pool"));
    };
    if !here.serves(pool) {
        let name = &pool.intent.name;
        return no(format!(
            "pool {name} of {address} gives this node no addresses; look at its nodeSelector, disabled and allowedUses"
        ));
    }
    // Of a block that has an owner one address may be borrowed; that is not a matter of blocks.
    match here.view.block_of(address) {
        Some(_) => None,
        None => Some(Need::Address(address, want.clone())),
    }
}

fn wanted_pools(here: Situation<'_>, want: &Want, hopeless: &mut Vec<Hopeless>) -> Option<Need> {
    let known = want.pools.iter().filter_map(|name| here.view.pools.get(name));
    let pools: Vec<&Pool> = known
        .filter(|pool| span::family(&pool.intent.cidr) == want.family && here.serves(pool))
        .collect();
    if pools.is_empty() {
        let why = format!(
            "no pool of {} gives this node {} addresses; look at their nodeSelector, disabled and allowedUses",
            want.pools.join(", "),
            want.family
        );
        hopeless.push(Hopeless {
            want: want.clone(),
            why,
        });
        return None;
    }
    let names: Vec<String> = pools.iter().map(|pool| pool.intent.name.clone()).collect();
    let waiting = here.local.wants.iter().filter(|other| *other == want).count() as u128;
    let free = free_in(here, want.family, |pool| names.contains(&pool.intent.name));
    (free < waiting).then(|| Need::Pools(names, Some(want.clone())))
}

fn free_in(here: Situation<'_>, family: Family, which: impl Fn(&Pool) -> bool) -> u128 {
    let blocks = here.open(family).filter(|(_, pool)| which(pool));
    blocks.fold(0u128, |sum, (block, _)| sum.saturating_add(block.free))
}

/// The first block of a family, or the next one before the last is full.
fn first_or_next(here: Situation<'_>, family: Family, hopeless: &mut Vec<Hopeless>) -> Option<Need> {
    if here.is_given(family) {
        return None;
    }
    let plain = |want: &&Want| want.family == family && want.pools.is_empty() && want.address.is_none();
    let pools = automatic(here, family);
    let Some(first) = pools.first() else {
        for want in here.local.wants.iter().filter(plain) {
            let why = format!(
                "no pool gives this node {family} addresses; add one, or look at nodeSelector and disabled"
            );
            hopeless.push(Hopeless {
                want: want.clone(),
                why,
            });
        }
        return None;
    };
    let waiting = here.local.wants.iter().filter(plain).count() as u128;
    let free = free_in(here, family, Pool::is_automatic);
    let enough = free >= threshold(here, first).max(waiting);
    let names = || pools.iter().map(|pool| pool.intent.name.clone()).collect();
    (!enough).then(|| Need::Pools(names(), here.local.wants.iter().find(plain).cloned()))
}

/// The next block of each pool that only those pods use that name it, and that has some.
fn next_of_named_pools(here: Situation<'_>) -> Vec<Need> {
    if here.settings.claim_ahead.part == 0 {
        return Vec::new();
    }
    let named = here
        .view
        .pools
        .values()
        .filter(|pool| !pool.is_automatic() && here.serves(pool));
    let short = named.filter(|pool| {
        let name = &pool.intent.name;
        let family = span::family(&pool.intent.cidr);
        let of_pool = |other: &Pool| other.intent.name == *name;
        let used = here
            .open(family)
            .any(|(block, other)| of_pool(other) && block.used > 0);
        used && free_in(here, family, of_pool) < threshold(here, pool)
    });
    short
        .map(|pool| Need::Pools(vec![pool.intent.name.clone()], None))
        .collect()
}

/// Whether the node may own one more block of a family.
pub(super) fn room_for_more(here: Situation<'_>, family: Family) -> Result<(), Trouble> {
    let ipam = &here.view.ipam;
    if !ipam.auto_allocate_blocks {
        return Err(Trouble::new(
            "IPAMConfiguration default",
            "autoAllocateBlocks is false and the node needs a block; set it to true, or give the node podCIDRs",
        ));
    }
    let owned = here
        .view
        .blocks_of(here.me())
        .filter(|(net, ..)| span::family(net) == family)
        .count();
    match ipam.max_blocks_per_host {
        Some(most) if owned as u64 >= u64::from(most) => Err(Trouble::new(
            "IPAMConfiguration default",
            format!(
                "the node has {owned} {family} blocks and needs one more; maxBlocksPerHost is {most}, raise it or use larger blocks"
            ),
        )),
        _ => Ok(()),
    }
}

/// How soon, at the soonest and at the latest, an empty block that is still needed is looked at again.
const SOONEST_LOOK: Duration = Duration::from_secs(1);
const LATEST_LOOK: Duration = Duration::from_secs(60);

/// Blocks that nothing uses and that are not needed: they leave. With it when the next one could.
pub(super) fn superfluous(here: Situation<'_>) -> (Vec<&BlockUse>, Option<Duration>) {
    let mut leaving: Vec<&BlockUse> = Vec::new();
    let mut next: Option<Duration> = None;
    // Without a resource nothing can be said about pools: what there is stays.
    if here.facts().is_none() {
        return (leaving, next);
    }
    // The last one taken goes first.
    let idle = |block: &&BlockUse| block.block.state == BlockState::Open && block.used == 0;
    let empty: Vec<&BlockUse> = here.claimed().filter(idle).collect();
    for block in empty.into_iter().rev() {
        let pool = here.pool_of(block).filter(|pool| here.serves(pool));
        let Some(pool) = pool else {
            leaving.push(block);
            continue;
        };
        if !spare(here, block, pool, &leaving) {
            // Addresses that rest become free, and wishes expire, without a word: it is looked at again.
            let again = here.settings.empty_block_linger.clamp(SOONEST_LOOK, LATEST_LOOK);
            next = Some(next.map_or(again, |earlier| earlier.min(again)));
            continue;
        }
        match rest_of_linger(here, block) {
            Some(rest) => next = Some(next.map_or(rest, |earlier| earlier.min(rest))),
            None => leaving.push(block),
        }
    }
    (leaving, next)
}

/// How long an empty block still stays; `None` if its time is over.
fn rest_of_linger(here: Situation<'_>, block: &BlockUse) -> Option<Duration> {
    let linger = here.settings.empty_block_linger;
    // A clock that went back makes a block stay longer, never shorter.
    let empty_for = block
        .empty_since
        .and_then(|since| here.now.duration_since(since).ok());
    let rest = linger.saturating_sub(empty_for.unwrap_or_default());
    (!rest.is_zero()).then_some(rest)
}

/// Whether enough is left without a block: another one of its group, and twice what makes a node claim.
fn spare(here: Situation<'_>, block: &BlockUse, pool: &Pool, leaving: &[&BlockUse]) -> bool {
    let family = span::family(&block.block.cidr);
    let waited_for = |want: &Want| {
        want.family == family
            && (want.pools.contains(&pool.intent.name)
                || want
                    .address
                    .is_some_and(|address| block.block.cidr.contains(&address))
                || (want.pools.is_empty() && want.address.is_none() && pool.is_automatic()))
    };
    if here.local.wants.iter().any(waited_for) {
        return false;
    }
    if !pool.is_automatic() && named_pool_unused(here, pool) {
        // Nobody has an address of this pool: it needs no first block.
        return true;
    }
    let same_group = |other: &Pool| {
        if pool.is_automatic() {
            other.is_automatic()
        } else {
            other.intent.name == pool.intent.name
        }
    };
    let others: Vec<&BlockUse> = here
        .open(family)
        .filter(|(other, of)| {
            same_group(of)
                && other.block.cidr != block.block.cidr
                && !leaving.iter().any(|gone| gone.block.cidr == other.block.cidr)
        })
        .map(|(other, _)| other)
        .collect();
    if pool.is_automatic() && here.is_given(family) {
        return true;
    }
    let free = others
        .iter()
        .fold(0u128, |sum, other| sum.saturating_add(other.free));
    !others.is_empty() && free >= threshold(here, pool).saturating_mul(2)
}

fn named_pool_unused(here: Situation<'_>, pool: &Pool) -> bool {
    let of_pool = |block: &&BlockUse| {
        here.pool_of(block)
            .is_some_and(|p| p.intent.name == pool.intent.name)
    };
    let mut blocks = here
        .local
        .blocks
        .iter()
        .filter(|b| b.block.origin == Origin::Claimed)
        .filter(of_pool);
    blocks.all(|block| block.used == 0)
}
