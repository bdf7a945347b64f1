//! The guard of pod interfaces, kept in place: firewall managers flush what they do not know.
//!
//! A thread of its own waits for the kernel's word that the table was changed, and looks now and then without one.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostnet::ruleset::{self, Ensured, TableError, Wanted};

/// How often it is looked at without a word from the kernel.
const EVERY: Duration = Duration::from_secs(10);
/// Between two looks at least: another program that changes the table all the time must not keep a core busy.
const REST: Duration = Duration::from_millis(50);

/// The guard of this node. Cheap to clone.
#[derive(Clone, Default)]
pub struct Guard {
    problem: Arc<Mutex<Option<(String, Instant)>>>,
}

impl Guard {
    /// Sets it and keeps it. Where the kernel refuses, pods work without it, and [`Guard::problem`] says so.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start() -> std::io::Result<Guard> {
        let guard = Guard::default();
        let kept = guard.clone();
        thread::Builder::new().name("guard".into()).spawn(move || {
            let mut watch = None;
            loop {
                // Before the look: what changes after it is heard of.
                watch = watch.or_else(|| ruleset::watch().ok());
                kept.took(ruleset::ensure(&Wanted::default()));
                match watch.as_ref().map(|watch| watch.wait(EVERY)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => {
                        watch = None;
                        thread::sleep(EVERY);
                    }
                }
                thread::sleep(REST);
            }
        })?;
        Ok(guard)
    }

    fn took(&self, outcome: Result<Ensured, TableError>) {
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(found) => {
                if found == Ensured::Made {
                    tracing::info!(
                        "guard of pod interfaces set: sources that are not a pod's own are dropped"
                    );
                }
                *problem = None;
            }
            Err(error) => {
                let text = error.to_string();
                let known = problem.take().filter(|(said, _)| *said == text);
                if known.is_none() {
                    tracing::error!(problem = text, "pods may send from addresses that are not theirs");
                }
                *problem = Some(known.unwrap_or_else(|| (text, Instant::now())));
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
        self.problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
