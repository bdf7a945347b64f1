//! Tracked flows that would stay where nobody is any more: deleted when addresses have left or moved, and when what is translated has
//! changed.
//!
//! ```text
//! rounds ──► latest state ──► owners (pure): who has what now ──┐
//! guard ───► what the table does since now ─────────────────────┴─► stale ──► hostnet: one walk over the kernel's entries
//! ```
//!
//! A thread of its own: the kernel's table may be large. Whatever comes while it is at work waits for the next walk, so that a
//! hundred thousand moved routes cost a few. Only addresses of pools are looked for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostnet::conntrack::{self, Stale};
use hostnet::ruleset;

use crate::decide::owners::Owners;
use crate::decide::{self, Decisions, Extent, PodLink};
use crate::plan::Plan;

/// What comes within this time goes into one walk.
const GATHER: Duration = Duration::from_millis(20);
/// Walks take at most this part of a core.
const SHARE: u32 = 10;

/// The owner of stale flows. Cheap to clone.
#[derive(Clone, Default)]
pub struct Flows {
    shared: Arc<(Mutex<Pending>, Condvar)>,
}

#[derive(Default)]
struct Pending {
    round: Option<Round>,
    stale: Stale,
    /// The pods of the last round: most rounds change nothing here.
    pods: Arc<Vec<PodLink>>,
}

/// What a round has decided, as far as it tells whose addresses are whose.
struct Round {
    plan: Arc<Plan>,
    pods: Arc<Vec<PodLink>>,
    decisions: Arc<Decisions>,
    changed: Extent,
    settled: bool,
}

impl Flows {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start() -> std::io::Result<Flows> {
        let flows = Flows::default();
        let kept = flows.clone();
        thread::Builder::new()
            .name("flows".into())
            .spawn(move || kept.attend())?;
        Ok(flows)
    }

    /// Takes up a round. `changed`: the learned routes that may be others now; `settled`: all peers have sent their tables.
    pub fn follow(
        &self,
        plan: &Arc<Plan>,
        pods: &Arc<Vec<PodLink>>,
        decisions: &Arc<Decisions>,
        changed: &Extent,
        settled: bool,
    ) {
        let changed = of_pools(plan, changed);
        let mut pending = self.pending();
        let same_pods = Arc::ptr_eq(&pending.pods, pods);
        if same_pods && changed == Extent::default() && pending.round.is_none() {
            return;
        }
        pending.pods = pods.clone();
        let earlier = pending.round.take();
        pending.round = Some(Round {
            plan: plan.clone(),
            pods: pods.clone(),
            decisions: decisions.clone(),
            settled: settled && earlier.as_ref().is_none_or(|round| round.settled),
            changed: both(earlier.map(|round| round.changed), changed),
        });
        self.shared.1.notify_one();
    }

    /// The table does this since now, after it did something else. Where it was made or changed, flows may have slipped by it.
    pub fn translated(&self, old: Option<&ruleset::Wanted>, new: &ruleset::Wanted) {
        let sources = old.map(|old| decide::nat::stale_sources(old, new));
        let stale = Stale {
            sources: sources.into_iter().flatten().collect(),
            untranslated: (!new.nat.pools.is_empty()).then(|| new.nat.clone()),
            ..Stale::default()
        };
        self.pending().stale.add(stale);
        self.shared.1.notify_one();
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attend(&self) {
        let mut owners = Owners::default();
        let mut said = None;
        loop {
            let idle = |pending: &mut Pending| pending.round.is_none() && pending.stale.is_empty();
            let waited = self.shared.1.wait_while(self.pending(), idle);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            thread::sleep(GATHER);
            let (round, mut stale) = {
                let mut pending = self.pending();
                (pending.round.take(), std::mem::take(&mut pending.stale))
            };
            if let Some(round) = round {
                stale.add(of_round(&mut owners, &round));
            }
            let began = Instant::now();
            said = walk(&stale, said);
            thread::sleep(began.elapsed() * SHARE);
        }
    }
}

/// Deletes what is stale; what has been said of the last failure.
fn walk(stale: &Stale, said: Option<String>) -> Option<String> {
    match conntrack::flush_stale(stale) {
        Ok(count) => {
            if count > 0 {
                let (gone, moved) = (stale.gone.len(), stale.moved.len());
                tracing::info!(
                    count,
                    gone,
                    moved,
                    "tracked flows ended: their addresses have left or moved, or their translation has changed"
                );
            }
            None
        }
        Err(error) => {
            let text = error.to_string();
            if said.as_ref() != Some(&text) {
                tracing::warn!(problem = text, "flows may stay with addresses that have moved");
            }
            Some(text)
        }
    }
}

fn of_round(owners: &mut Owners, round: &Round) -> Stale {
    let Round {
        plan,
        pods,
        decisions,
        changed,
        settled,
    } = round;
    let moves = owners.follow(plan, pods, &decisions.table().routes, changed, *settled);
    Stale {
        gone: moves.gone.into_iter().collect(),
        moved: moves.moved.into_iter().collect(),
        ..Stale::default()
    }
}

/// Those that lie in pools: flows of others are nobody's business here.
fn of_pools(plan: &Plan, changed: &Extent) -> Extent {
    match changed {
        Extent::All => Extent::All,
        Extent::Only(prefixes) => {
            let ours = prefixes.iter().filter(|prefix| plan.pool_of(prefix).is_some());
            Extent::Only(ours.copied().collect())
        }
    }
}

fn both(earlier: Option<Extent>, later: Extent) -> Extent {
    match (earlier, later) {
        (Some(Extent::All), _) | (_, Extent::All) => Extent::All,
        (Some(Extent::Only(mut all)), Extent::Only(more)) => {
            all.extend(more);
            Extent::Only(all)
        }
        (None, later) => later,
    }
}
