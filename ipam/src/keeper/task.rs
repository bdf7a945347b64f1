//! The loop: see, decide, carry out, look whether it is so.
//!
//! Decisions are values of pure functions; what makes them safe is that none is made on a view that is known to
//! be old. So each turn first asks whether the followed view shows what the last transaction did
//! ([`Awaited`]); after a lost answer, or where the view does not come, the spaces are listed. A turn then
//! carries out the steps of one decision: those of the ledger first (durable when they return), then at most one
//! transaction.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::NodeName;
use datastore::{Datastore, Error, Outcome, Space, SpaceView, Transaction, Version};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::cluster::{ClaimAhead, Decision, Memory, Purpose, Settings, Step, decide};
use crate::facade::Ipam;
use crate::keeper::awaited::Awaited;
use crate::keeper::backoff::{Backoff, spread};
use crate::keeper::claims::Claims;
use crate::keeper::reporter::Reporter;
use crate::keeper::restore;
use crate::keeper::views::Seen;
use crate::local::{LedgerStep, LocalView};

/// How long a followed view may take to show what is known to be in the store; then the store is listed.
const SHOW_WITHIN: Duration = Duration::from_secs(5);
/// For so long the followed view is waited for after a transaction; then the decision goes on with a copy of the
/// view to which what was written is added.
const PATCH_AFTER: Duration = Duration::from_millis(1000);
/// How long a conflict may take to be seen in the followed view.
const EXPLAIN_WITHIN: Duration = Duration::from_millis(1500);
/// The pause after the ledger has refused a step.
const REFUSED: Duration = Duration::from_millis(50);
/// However quiet it is, the decision is made again this often.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) struct Task {
    pub ipam: Arc<Ipam>,
    pub store: Arc<dyn Datastore>,
    pub views: watch::Receiver<Option<Arc<Seen>>>,
    pub ledger: Arc<Notify>,
    pub rules: Rules,
    pub report: Reporter,
    pub state: State,
}

/// What the settings of a decision are made of, beside the intent.
#[derive(Clone)]
pub(crate) struct Rules {
    pub node: NodeName,
    pub claim_ahead: ClaimAhead,
    pub view_pace: Duration,
}

/// What the task remembers between turns.
pub(crate) struct State {
    memory: Memory,
    awaited: Option<(Awaited, Instant)>,
    /// A view that is newer than the followed one: a listing, or what was seen with what was written since.
    newer: Option<Arc<Seen>>,
    /// What was written last, on which view, and when to add it to that.
    written: Option<Written>,
    /// When a decision was made last.
    decided: Instant,
    list_first: bool,
    failures: Backoff,
    conflicts: Backoff,
}

impl Default for State {
    fn default() -> Self {
        State {
            memory: Memory::default(),
            awaited: None,
            newer: None,
            written: None,
            decided: Instant::now(),
            list_first: false,
            failures: Backoff::new(Duration::from_millis(200), Duration::from_secs(10)),
            conflicts: Backoff::new(Duration::from_millis(20), Duration::from_secs(3)),
        }
    }
}

struct Written {
    seen: Arc<Seen>,
    transaction: Transaction,
    version: Version,
    add_at: Instant,
}

/// What ends the wait after a turn.
enum Pause {
    /// Time alone: something failed.
    Sleep(Duration),
    /// A new view, or the moment at which one is overdue.
    View(Instant),
    /// Anything that may change the decision, or this much time.
    Anything(Duration),
    /// Nothing: there is more to do.
    None,
}

impl Task {
    /// Runs until the views end or the task is dropped.
    pub async fn run(mut self) {
        loop {
            let pause = self.turn().await;
            if self.pause(pause).await.is_err() {
                return;
            }
        }
    }

    async fn pause(&mut self, pause: Pause) -> Result<(), watch::error::RecvError> {
        let (until, view, ledger) = match pause {
            Pause::None => return Ok(()),
            Pause::Sleep(time) => (Instant::now() + time, false, false),
            Pause::View(until) => (until, true, false),
            Pause::Anything(time) => (Instant::now() + time, true, true),
        };
        tokio::select! {
            () = tokio::time::sleep_until(until) => return Ok(()),
            changed = self.views.changed(), if view => changed?,
            () = self.ledger.notified(), if ledger => return Ok(()),
        }
        if ledger {
            let paced = self.state.decided + spread(self.rules.view_pace);
            tokio::select! {
                () = tokio::time::sleep_until(paced.min(until)) => {}
                () = self.ledger.notified() => {}
            }
        }
        Ok(())
    }

    async fn turn(&mut self) -> Pause {
        if self.state.list_first
            && let Err(error) = self.list().await
        {
            return self.failed(&error);
        }
        let seen = match self.current().await {
            Ok(seen) => seen,
            Err(pause) => return pause,
        };
        let (local, decision) = match self.decide(&seen).await {
            Some(decided) => decided,
            None => return Pause::Sleep(Duration::from_secs(1)),
        };
        if local.fresh {
            return self.restore().await;
        }
        self.report.decided(&seen.troubles, &decision);
        self.carry_out(&seen, decision).await
    }

    /// The newest view that may be decided on.
    async fn current(&mut self) -> Result<Arc<Seen>, Pause> {
        let followed = self.views.borrow_and_update().clone();
        let Some((awaited, until)) = &self.state.awaited else {
            return followed.ok_or_else(|| {
                self.report.waiting("the datastore to be read for the first time");
                Pause::Anything(IDLE)
            });
        };
        let until = *until;
        if let Some(followed) = followed
            && awaited.shown(followed.spaces())
        {
            self.state.awaited = None;
            self.state.newer = None;
            self.state.written = None;
            return Ok(followed);
        }
        if until <= Instant::now() {
            self.state.list_first = true;
            return Err(Pause::None);
        }
        if let Some(Written { add_at, .. }) = &self.state.written
            && *add_at > Instant::now()
        {
            return Err(Pause::View(*add_at));
        }
        if let Some(written) = self.state.written.take() {
            let adding = tokio::task::spawn_blocking(move || {
                written.seen.with(&written.transaction, &written.version)
            });
            self.state.newer = adding.await.ok().map(Arc::new);
        }
        if let Some(newer) = &self.state.newer {
            return Ok(newer.clone());
        }
        self.report.waiting("what the datastore has to be seen here");
        Err(Pause::View(until))
    }

    /// Reads both spaces: what they say now is newer than anything that was sent before.
    async fn list(&mut self) -> Result<(), Error> {
        let ownership = SpaceView::from(self.store.list(Space::Ownership).await?);
        let resources = SpaceView::from(self.store.list(Space::Resources).await?);
        let Some(followed) = self.views.borrow().clone() else {
            return Ok(());
        };
        let reading = tokio::task::spawn_blocking(move || {
            let intent = followed.intent.clone();
            Seen::after(Some(&followed), intent, Arc::new(resources), Arc::new(ownership))
        });
        let Ok(seen) = reading.await else { return Ok(()) };
        let (awaited, _) = self
            .state
            .awaited
            .take()
            .unwrap_or_else(|| (Awaited::default(), Instant::now()));
        self.state.awaited = Some((awaited.listed(seen.spaces()), Instant::now() + SHOW_WITHIN));
        self.state.newer = Some(Arc::new(seen));
        self.state.written = None;
        self.state.list_first = false;
        Ok(())
    }

    /// Asks the pure decision, on a thread that may take its time.
    async fn decide(&mut self, seen: &Arc<Seen>) -> Option<(LocalView, Decision)> {
        let mut memory = std::mem::take(&mut self.state.memory);
        let (ipam, seen) = (self.ipam.clone(), seen.clone());
        let atomic = Claims::of(&*self.store).is_atomic();
        let mut settings = Settings::new(self.rules.node.clone(), atomic, &seen.intent.ipam);
        settings.claim_ahead = self.rules.claim_ahead;
        let deciding = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            let local = ipam.local(now);
            let decision = decide(&seen.cluster, &local, &settings, &mut memory, now);
            (memory, local, decision)
        });
        let (memory, local, decision) = deciding.await.ok()?;
        self.state.memory = memory;
        self.state.decided = Instant::now();
        Some((local, decision))
    }

    async fn carry_out(&mut self, seen: &Arc<Seen>, decision: Decision) -> Pause {
        let mut progress = false;
        for step in decision.steps {
            match step {
                Step::Ledger(steps) => match self.apply(steps).await {
                    Ok(changed) => progress |= changed,
                    Err(pause) => return pause,
                },
                Step::Commit(purpose, transaction) => {
                    return self.commit(seen, &purpose, &transaction).await;
                }
            }
        }
        self.report.settled();
        if progress {
            return Pause::None;
        }
        Pause::Anything(decision.wake_in.unwrap_or(IDLE).min(IDLE))
    }

    /// One durable change of the ledger. Whether anything changed.
    async fn apply(&mut self, steps: Vec<LedgerStep>) -> Result<bool, Pause> {
        let ipam = self.ipam.clone();
        let applying = tokio::task::spawn_blocking(move || {
            let before = ipam.changes();
            let done = ipam.apply(&steps, SystemTime::now());
            done.map(|done| (done.contains(&false), ipam.changes() != before))
        });
        match applying.await {
            // What was to follow rests on the step that was refused: decide again, on what the ledger says now.
            Ok(Ok((true, _))) => Err(Pause::Sleep(spread(REFUSED))),
            Ok(Ok((false, changed))) => Ok(changed),
            Ok(Err(error)) => {
                self.report.stuck(&error.to_string());
                Err(Pause::Sleep(self.state.failures.next()))
            }
            Err(_) => Err(Pause::Sleep(Duration::from_secs(1))),
        }
    }

    /// Commits, and remembers what to look for before anything else is decided.
    async fn commit(&mut self, seen: &Arc<Seen>, purpose: &Purpose, transaction: &Transaction) -> Pause {
        let outcome = Claims::of(&*self.store).commit(transaction).await;
        let awaited = self
            .state
            .awaited
            .take()
            .map(|(awaited, _)| awaited)
            .unwrap_or_default();
        match outcome {
            Ok(Outcome::Done(version)) => {
                tracing::debug!(%purpose, "carried out");
                self.state.failures.reset();
                self.state.conflicts.reset();
                self.report.committed(purpose);
                let awaited = awaited.commit(transaction, seen.spaces(), Some(&version));
                self.expect(awaited, SHOW_WITHIN);
                self.state.written = Some(Written {
                    seen: seen.clone(),
                    transaction: transaction.clone(),
                    version,
                    add_at: Instant::now() + PATCH_AFTER,
                });
                Pause::None
            }
            Ok(Outcome::Conflict) => {
                tracing::debug!(%purpose, "something had moved; it is decided again");
                self.report.conflict();
                self.expect(awaited.conflict(transaction), spread(EXPLAIN_WITHIN));
                Pause::Sleep(self.state.conflicts.next())
            }
            Err(error) => {
                if matches!(error, Error::Unknown { .. }) {
                    let awaited = awaited.commit(transaction, seen.spaces(), None);
                    self.expect(awaited, SHOW_WITHIN);
                    self.state.list_first = true;
                    self.report.unknown();
                } else {
                    self.expect(awaited, SHOW_WITHIN);
                }
                self.failed(&error)
            }
        }
    }

    fn expect(&mut self, awaited: Awaited, within: Duration) {
        self.state.awaited = Some((awaited, Instant::now() + within));
        self.state.newer = None;
        self.state.written = None;
    }

    /// A ledger that was lost is told what the mirror knows, before anything else.
    async fn restore(&mut self) -> Pause {
        self.report
            .waiting("the mirror of this node's ledger to be read: the ledger is new");
        let leases = match restore::read(&*self.store, &self.rules.node).await {
            Ok(leases) => leases,
            Err(error) => return self.failed(&error),
        };
        let count = leases.len();
        match self
            .apply(vec![LedgerStep::Restore(leases), LedgerStep::Known])
            .await
        {
            Ok(_) => {
                tracing::info!(
                    leases = count,
                    "the ledger was new; it knows now what the datastore remembers"
                );
                Pause::None
            }
            Err(pause) => pause,
        }
    }

    fn failed(&mut self, error: &Error) -> Pause {
        self.report.failed(error);
        Pause::Sleep(self.state.failures.next())
    }
}
