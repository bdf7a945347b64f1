//! Table `inet roadbed`, kept as it is wanted: the guard of pod interfaces, and natOutgoing. Firewall managers flush what they do not
//! know.
//!
//! ```text
//! rounds ── want ──► the latest wish ──┐
//! the kernel: the table was changed ───┼─► guard thread ── ensure ──► hostnet
//! now and then ────────────────────────┘         └─ what changed ──► flows
//! ```
//!
//! Until the first wish is known, the table is as the agent before this one left it: only a guard that is missing is set.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostnet::ruleset::{self, Ensured, TableError, Wanted, Watch};

use super::flows::Flows;

/// How often it is looked at without a word from the kernel.
const EVERY: Duration = Duration::from_secs(10);
/// Between two looks at least that the kernel asks for: another program that changes the table all the time must not keep a core
/// busy.
const REST: Duration = Duration::from_millis(50);

/// The table of this node. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    state: Arc<Mutex<State>>,
    wake: SyncSender<()>,
}

#[derive(Default)]
struct State {
    /// What is wanted, once it is known.
    wanted: Option<Wanted>,
    problem: Option<(String, Instant)>,
}

impl Guard {
    /// Sets it and keeps it. Where the kernel refuses, pods work without it, and [`Guard::problem`] says so.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(flows: Flows) -> std::io::Result<Guard> {
        // One waiting word is enough: whoever hears it looks at everything.
        let (wake, woken) = sync_channel(1);
        let guard = Guard {
            state: Arc::default(),
            wake: wake.clone(),
        };
        // Before the first look: what changes after it is heard of.
        let first = ruleset::watch().ok();
        thread::Builder::new()
            .name("guard-watch".into())
            .spawn(move || watch(first, &wake))?;
        let kept = guard.clone();
        thread::Builder::new().name("guard".into()).spawn(move || {
            let mut done = None;
            loop {
                done = kept.look(&flows, done);
                if let Err(RecvTimeoutError::Disconnected) = woken.recv_timeout(EVERY) {
                    return;
                }
            }
        })?;
        Ok(guard)
    }

    /// This is wanted from now on.
    pub fn want(&self, wanted: &Wanted) {
        let mut state = self.state();
        if state.wanted.as_ref() == Some(wanted) {
            return;
        }
        state.wanted = Some(wanted.clone());
        drop(state);
        let _ = self.wake.try_send(());
    }

    /// Brings the table to what is wanted; what it does now, as far as that is known.
    fn look(&self, flows: &Flows, done: Option<Wanted>) -> Option<Wanted> {
        let Some(wanted) = self.state().wanted.clone() else {
            self.took(&Wanted::default(), ruleset::ensure_guard());
            return None;
        };
        let outcome = ruleset::ensure(&wanted);
        let changed = matches!(outcome, Ok(Ensured::Updated | Ensured::Made));
        let lacks = outcome.is_err();
        self.took(&wanted, outcome);
        if lacks {
            return done;
        }
        // Only now: before, the next packet of a flow would have made the same entry again.
        if changed || done.as_ref() != Some(&wanted) {
            flows.translated(done.as_ref(), &wanted);
        }
        Some(wanted)
    }

    fn took(&self, wanted: &Wanted, outcome: Result<Ensured, TableError>) {
        let pools = wanted.nat.pools.len();
        let mut state = self.state();
        match outcome {
            Ok(found) => {
                match found {
                    Ensured::Kept => {}
                    Ensured::Updated => {
                        tracing::info!(
                            pools,
                            "natOutgoing: the pools and nodes in table inet roadbed were updated"
                        );
                    }
                    Ensured::Made if pools == 0 => {
                        tracing::info!(
                            "guard of pod interfaces set: sources that are not a pod's own are dropped"
                        );
                    }
                    Ensured::Made => {
                        tracing::info!(
                            pools,
                            "guard of pod interfaces and natOutgoing set in table inet roadbed"
                        );
                    }
                }
                state.problem = None;
            }
            Err(error) => {
                let text = problem(&error, pools > 0);
                let known = state.problem.take().filter(|(said, _)| *said == text);
                if known.is_none() && error.is_about_nat() {
                    tracing::error!(
                        problem = text,
                        "pods leave with their own addresses, natOutgoing or not"
                    );
                } else if known.is_none() {
                    tracing::error!(problem = text, "pods may send from addresses that are not theirs");
                }
                state.problem = Some(known.unwrap_or_else(|| (text, Instant::now())));
            }
        }
    }

    /// Packets of pods that were dropped since the guard was set; 0 where it cannot be read.
    pub fn dropped(&self) -> u64 {
        let counters = ruleset::counters().unwrap_or_default();
        counters.iter().filter(|c| c.drops).map(|c| c.packets).sum()
    }

    /// Why it is not in place, and since when.
    pub fn problem(&self) -> Option<(String, Instant)> {
        self.state().problem.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kernel's answer, and what of natOutgoing it does not say.
fn problem(error: &TableError, nat: bool) -> String {
    match nat && !error.is_about_nat() {
        true => format!(
            "{error}; it is not sure that pods of pools with natOutgoing leave with an address of the node"
        ),
        false => error.to_string(),
    }
}

/// Passes on the kernel's word that the table was changed, as long as somebody listens.
fn watch(mut watch: Option<Watch>, wake: &SyncSender<()>) {
    loop {
        let changed = match watch.as_ref().map(|watch| watch.wait(EVERY)) {
            Some(Ok(changed)) => changed,
            // A new one has to be looked behind: what changed meanwhile it has not seen.
            Some(Err(_)) | None => {
                thread::sleep(EVERY);
                watch = ruleset::watch().ok();
                watch.is_some()
            }
        };
        if changed {
            if let Err(TrySendError::Disconnected(())) = wake.try_send(()) {
                return;
            }
            thread::sleep(REST);
        }
    }
}
