//! The order of safety: first what must not be, then what is ours, then what others wait for, then what we need.
//!
//! Each part either says steps or leaves the word to the next. As soon as the ledger is to change, or a transaction
//! is found, the decision ends: the next one sees what came of it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use datastore::Transaction;
use ipnet::IpNet;

use super::candidates::Choice;
use super::choose;
use super::decision::{Decision, Step};
use super::demand::{self, Need};
use super::gc;
use super::loans;
use super::memory::Memory;
use super::purpose::Purpose;
use super::reason::{NoBlock, Reason};
use super::returning::{self, Own};
use super::settings::Settings;
use super::situation::Situation;
use super::span;
use super::sticky;
use super::trouble::{Hopeless, Trouble};
use super::view::{ClusterView, Pool};
use crate::local::{BlockState, LedgerStep, LocalView};

/// What a node does next about the ownership of blocks and addresses.
///
/// While the ledger is [fresh](LocalView::fresh) there are no steps: first the caller restores it from the mirror and
/// says [`LedgerStep::Known`]. A block and the loans in it are taken in one change after that, so that no address of
/// before is given to anybody else.
pub fn decide(
    view: &ClusterView,
    local: &LocalView,
    settings: &Settings,
    memory: &mut Memory,
    now: SystemTime,
) -> Decision {
    let here = Situation {
        view,
        local,
        settings,
        now,
    };
    let mut decision = Decision::default();
    decision.troubles.extend(absent(here));
    decision.troubles.extend(without_aggregates(here));
    gc::look(here, memory, &mut decision);
    if local.fresh || ledger_follows(here, memory, &mut decision) {
        return decision;
    }
    let commit = transaction(here, memory, &mut decision);
    memory.forget(here);
    if let Some((purpose, transaction)) = commit {
        if let Purpose::Claim { block, .. } = &purpose {
            memory.claimed.insert(*block);
        }
        decision.steps.push(Step::Commit(purpose, transaction));
    }
    decision
}

/// Without a resource the node takes no part: what it has stays, and it gets nothing new.
fn absent(here: Situation<'_>) -> Option<Trouble> {
    let missing = here.incarnation().is_none() || here.facts().is_none();
    missing.then(|| {
        let message =
            "there is no Node resource with this name; add it, until then the node claims no blocks";
        Trouble::new(format!("Node {}", here.me()), message)
    })
}

/// Where the store writes one key at a time, the record of an aggregate and its first block cannot come together.
fn without_aggregates(here: Situation<'_>) -> Vec<Trouble> {
    let asked = here
        .view
        .pools()
        .filter(|pool| pool.aggregate().is_some() && here.serves(pool));
    let trouble = |pool: &Pool| {
        let message = "its aggregate rule is not followed: this datastore writes one key at a time; use etcd, or take the rule out";
        Trouble::new(format!("pool {}", pool.intent.name), message)
    };
    if here.settings.atomic {
        Vec::new()
    } else {
        asked.map(trouble).collect()
    }
}

/// What the ledger has to learn from the view. True if there was something.
fn ledger_follows(here: Situation<'_>, memory: &mut Memory, decision: &mut Decision) -> bool {
    let mut steps = Vec::new();
    steps.extend(returning::lost(here, &mut decision.troubles));
    for own in returning::own(here, memory) {
        match own {
            Own::Take(net) => steps.extend(returning::take(here, net)),
            Own::Stay(net) => steps.push(LedgerStep::Stay(net)),
            Own::Again(_) | Own::Refuse(..) => {}
        }
    }
    steps.extend(loans::ledger(here, memory));
    if steps.is_empty() {
        steps.extend(sticky::ledger(here));
    }
    if steps.is_empty() {
        let (leaving, next) = demand::superfluous(here);
        steps.extend(leaving.iter().map(|block| LedgerStep::Leave(block.block.cidr)));
        if let Some(next) = next {
            decision.wake(next);
        }
    }
    let found = !steps.is_empty();
    if found {
        decision.steps.push(Step::Ledger(steps));
    }
    found
}

/// The one transaction that matters most now.
fn transaction(
    here: Situation<'_>,
    memory: &mut Memory,
    decision: &mut Decision,
) -> Option<(Purpose, Transaction)> {
    let (mut again, mut refused) = (Vec::new(), Vec::new());
    for own in returning::own(here, memory) {
        match own {
            Own::Again(net) => again.push(net),
            Own::Refuse(net, trouble) => {
                refused.push(net);
                decision.troubles.push(trouble);
            }
            Own::Take(_) | Own::Stay(_) => {}
        }
    }
    if !again.is_empty()
        && let Some(commit) = returning::again(here, &again, memory)
    {
        return Some(commit);
    }
    if let Some(commit) = loans::commit(here, memory, decision) {
        return Some(commit);
    }
    refused.extend(left(here, memory, decision));
    returning::give_back(here, &refused)
        .or_else(|| {
            returning::lost_and_free(here)?
                .ok()
                .and_then(|choice| choose::claim(here, &choice))
        })
        .or_else(|| claim(here, decision))
        .or_else(|| loans::ask(here, decision))
        .or_else(|| sticky::commit(here, memory))
        .or_else(|| gc::commit(here, memory))
}

/// Blocks that left: nothing is in them, the ledger gives nothing of them any more, and everyone had time to hear that
/// they are not announced any more. Another node may claim and announce them as soon as their records are gone.
fn left(here: Situation<'_>, memory: &mut Memory, decision: &mut Decision) -> Vec<IpNet> {
    let gone = here
        .claimed()
        .filter(|b| b.block.state == BlockState::Leaving && b.used == 0);
    let gone: BTreeSet<IpNet> = gone
        .map(|b| b.block.cidr)
        .filter(|cidr| here.owns(cidr))
        .collect();
    memory.withdrawn.retain(|net, _| gone.contains(net));
    let mut ready = Vec::new();
    for net in gone {
        let since = memory.withdrawn.entry(net).or_insert(here.now);
        // A clock that was set back begins anew.
        *since = (*since).min(here.now);
        let lasted = here.now.duration_since(*since).unwrap_or_default();
        match here.settings.withdrawal.saturating_sub(lasted) {
            Duration::ZERO => ready.push(net),
            rest => decision.wake(rest),
        }
    }
    ready
}

/// The next block that is needed, if one can be had.
fn claim(here: Situation<'_>, decision: &mut Decision) -> Option<(Purpose, Transaction)> {
    here.incarnation()?;
    here.facts()?;
    let mut found = None;
    for need in demand::needs(here, &mut decision.hopeless) {
        match choice(here, &need) {
            Ok(choice) => {
                found = found.or_else(|| choose::claim(here, &choice));
            }
            Err(trouble) => {
                let want = match need {
                    Need::Address(_, want) => Some(want),
                    Need::Pools(_, want) => want,
                };
                let want = want.filter(|want| !loans::may_help(here, want));
                let why = trouble.to_string();
                decision.hopeless.extend(want.map(|want| Hopeless { want, why }));
                decision.troubles.push(trouble);
            }
        }
    }
    found
}

fn choice(here: Situation<'_>, need: &Need) -> Result<Choice, Trouble> {
    let trouble = |pool: &str, why: &NoBlock| Trouble::new(format!("pool {pool}"), why.to_string());
    match need {
        Need::Address(address, _) => {
            demand::room_for_more(here, crate::blocks::Family::of(*address))?;
            let net = IpNet::from(*address);
            let pool = here.view.pool_of(&net);
            let pool = pool.ok_or_else(|| Trouble::new(address.to_string(), "it lies in no pool"))?;
            choose::block_at(here, pool, *address, Reason::Asked(*address))
                .map_err(|why| trouble(&pool.intent.name, &why))
        }
        Need::Pools(names, _) => {
            let mut last = None;
            for pool in names.iter().filter_map(|name| here.view.pools.get(name)) {
                demand::room_for_more(here, span::family(&pool.intent.cidr))?;
                match choose::any_block(here, pool) {
                    Ok(choice) => return Ok(choice),
                    Err(why) => last = Some(trouble(&pool.intent.name, &why)),
                }
            }
            Err(last.unwrap_or_else(|| Trouble::new("pools", "none of the pools that are wanted is there")))
        }
    }
}
