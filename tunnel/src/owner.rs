//! The one task that owns the tunnel devices of a network namespace, and the handle to it.
//!
//! The latest desired state wins: a `watch` channel holds it, so nothing queues. The task wakes on a new desired state, on
//! a kernel notice that concerns us, at the audit, when the time of something that is kept is over, and after an error when it
//! is time to try again; each time it reads, plans and applies, and publishes a [`TunnelStatus`]. With `repair` off it reads only at its start and after errors, and
//! believes its own operations from then on: what others do stays done. It ends when the last [`Handle`] is
//! dropped, and leaves everything in place.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::actual::Actual;
use crate::apply::apply;
use crate::diff::plan;
use crate::error::Error;
use crate::events::Events;
use crate::linger::Linger;
use crate::model::{DesiredTunnels, Device};
use crate::netlink::Netlink;
use crate::ops::Op;
use crate::read::{Indexes, read};
use crate::report::report;
use crate::rhythm::{REOPEN, Rhythm};
use crate::status::TunnelStatus;

/// How the owner task behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether changes by others are undone.
    pub repair: bool,
    /// How often everything is read again without a notice, in case one was lost.
    pub audit: Duration,
    /// How long a device, forwarding entry or neighbour that is no longer wanted stays: other nodes may still send to it, and
    /// routes may still lead into it. The first sweep of a run waits as long.
    pub linger: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            repair: true,
            audit: Duration::from_secs(60),
            linger: Duration::from_secs(5),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Published {
    generation: u64,
    desired: Arc<DesiredTunnels>,
}

/// The way to the owner task. When the last clone is dropped, the task ends; the kernel's state stays.
#[derive(Debug, Clone)]
pub struct Handle {
    desired: Arc<watch::Sender<Published>>,
    status: watch::Receiver<Arc<TunnelStatus>>,
}

impl Handle {
    /// Replaces the desired state; returns its generation, which [`TunnelStatus::in_sync_with`] will reach.
    pub fn publish(&self, desired: DesiredTunnels) -> u64 {
        let mut generation = 0;
        self.desired.send_modify(|published| {
            published.generation += 1;
            published.desired = Arc::new(desired);
            generation = published.generation;
        });
        generation
    }

    /// The state of the tunnels, as it changes.
    pub fn status(&self) -> watch::Receiver<Arc<TunnelStatus>> {
        self.status.clone()
    }

    /// Waits until the kernel holds what `generation` (or a later one) wants.
    ///
    /// # Errors
    /// [`Error::NotReady`] with what stands in the way after `deadline`; [`Error::Stopped`] if the task has ended.
    pub async fn ready(&self, generation: u64, deadline: Duration) -> Result<(), Error> {
        let mut status = self.status.clone();
        let reached = timeout(
            deadline,
            status.wait_for(|status| status.in_sync_with >= generation),
        )
        .await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Stopped),
            Err(_) => Err(Error::NotReady {
                waited: deadline,
                problems: self.problems(generation),
            }),
        }
    }

    fn problems(&self, generation: u64) -> String {
        let status = self.status.borrow();
        if status.errors.is_empty() {
            return format!(
                "generation {generation} is wanted, {} was tried last",
                status.tried
            );
        }
        let texts: Vec<_> = status.errors.iter().map(|error| error.what.as_str()).collect();
        texts.join("; ")
    }
}

/// Starts the owner task on the current tokio runtime, in the network namespace of the calling thread.
///
/// # Errors
/// If a netlink socket cannot be opened.
pub fn start(settings: Settings) -> Result<Handle, Error> {
    let (desired_sender, desired) = watch::channel(Published::default());
    let (status_sender, status) = watch::channel(Arc::new(TunnelStatus::default()));
    let owner = Owner {
        settings,
        netlink: Netlink::open()?,
        events: settings.repair.then(Events::open).transpose()?,
        desired,
        status: status_sender,
        indexes: Indexes::default(),
        belief: None,
        linger: Linger::new(settings.linger),
        taken: 0,
        start: Instant::now(),
        rhythm: Rhythm::new(settings.audit),
    };
    tokio::spawn(owner.run());
    Ok(Handle {
        desired: Arc::new(desired_sender),
        status,
    })
}

/// Why the task woke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Published,
    Notice,
    Timer,
    NoticesEnded,
    HandlesDropped,
}

struct Owner {
    settings: Settings,
    netlink: Netlink,
    events: Option<Events>,
    desired: watch::Receiver<Published>,
    status: watch::Sender<Arc<TunnelStatus>>,
    indexes: Indexes,
    /// What the kernel held after our last operation.
    belief: Option<Actual>,
    /// What is kept though it is no longer wanted.
    linger: Linger,
    /// The newest generation that `linger` knows.
    taken: u64,
    /// From where `linger` and `rhythm` count time.
    start: Instant,
    rhythm: Rhythm,
}

impl Owner {
    async fn run(mut self) {
        loop {
            let cause = self.wait().await;
            match cause {
                Cause::HandlesDropped => return,
                Cause::NoticesEnded => self.reopen().await,
                Cause::Notice => sleep_until(self.start + self.rhythm.after_notice()).await,
                Cause::Published | Cause::Timer => {}
            }
            if self.desired.has_changed().is_err() {
                // Let go of while it waited.
                return;
            }
            let now = self.start.elapsed();
            let well = self.reconcile(now).await;
            self.rhythm.done(now, self.start.elapsed(), well);
        }
    }

    async fn wait(&mut self) -> Cause {
        let over = self.linger.next(self.rhythm.made_for());
        let timer = sleep_until(self.start + self.rhythm.next(over));
        let notice = async {
            match &mut self.events {
                Some(events) => events.relevant(&self.indexes).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In this order: who has let go of the handle must not be answered with repairs.
            biased;
            changed = self.desired.changed() => if changed.is_ok() { Cause::Published } else { Cause::HandlesDropped },
            alive = notice => if alive { Cause::Notice } else { Cause::NoticesEnded },
            () = timer => Cause::Timer,
        }
    }

    /// Opens the notices' socket again after it was closed under us; the audit stands in meanwhile.
    async fn reopen(&mut self) {
        tracing::warn!("the netlink notices ended; opening them again");
        sleep(REOPEN).await;
        self.events = match Events::open() {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::error!(%error, "changes by others are now seen at the audit only");
                None
            }
        };
    }

    /// Brings the kernel to what is wanted and kept at `now`; whether all of it could be had.
    async fn reconcile(&mut self, now: Duration) -> bool {
        let Published { generation, desired } = self.desired.borrow_and_update().clone();
        if generation == 0 {
            return true;
        }
        let swept = self.linger.effective(self.rhythm.made_for()).sweep;
        if self.taken != generation {
            self.taken = generation;
            self.linger.take(desired.clone(), now);
        }
        let mut planned = self.linger.expire(now);
        let effective = self.linger.effective(now);
        planned |= effective.sweep && !swept;
        let mut errors = Vec::new();
        let mut applied = 0;
        match self.current().await {
            Ok(mut actual) => {
                applied = self.bring(&mut actual, &effective, &mut errors).await;
                self.belief = Some(actual);
            }
            Err(error) => errors.push(error.to_string()),
        }
        let well = errors.is_empty();
        // What was kept and goes now was not changed by others.
        let repairs = if planned { 0 } else { applied };
        self.publish(generation, &desired, errors, repairs);
        well
    }

    /// The state to plan against.
    async fn current(&mut self) -> Result<Actual, Error> {
        if !self.settings.repair
            && self.rhythm.well()
            && let Some(belief) = &self.belief
        {
            return Ok(belief.clone());
        }
        if let Some(events) = &mut self.events {
            events.discard();
        }
        let (actual, indexes) = read(&self.netlink).await?;
        self.indexes = indexes;
        Ok(actual)
    }

    /// Applies what is missing; returns how many operations succeeded.
    async fn bring(
        &mut self,
        actual: &mut Actual,
        desired: &DesiredTunnels,
        errors: &mut Vec<String>,
    ) -> u64 {
        let plan = plan(desired, actual);
        errors.extend(plan.problems.iter().map(ToString::to_string));
        let mut lost: Vec<Device> = Vec::new();
        let mut applied = 0;
        for op in &plan.ops {
            if op.device().is_some_and(|device| lost.contains(&device)) {
                continue;
            }
            tracing::debug!(?op, "tunnel operation");
            match apply(&self.netlink, op, &mut self.indexes).await {
                Ok(()) => {
                    actual.apply(op);
                    applied += 1;
                }
                Err(error) => {
                    // What follows on a link that is not there would only repeat the error.
                    if matches!(op, Op::Create(_) | Op::Delete(_)) || error.is_no_device() {
                        lost.extend(op.device());
                    }
                    errors.push(error.to_string());
                }
            }
        }
        applied
    }

    fn publish(&self, generation: u64, desired: &DesiredTunnels, errors: Vec<String>, repairs: u64) {
        let before = self.status.borrow().clone();
        let mut status = report(&before, desired, self.belief.as_ref(), errors, SystemTime::now());
        status.tried = generation;
        if status.errors.is_empty() {
            status.in_sync_with = generation;
        }
        // Operations for a state that was reached before undo what somebody else did.
        if before.in_sync_with == generation && repairs > 0 {
            status.repaired += repairs;
            tracing::warn!(
                operations = repairs,
                "tunnel state was changed by others and is repaired"
            );
        }
        for error in &status.errors {
            if !before.errors.contains(error) {
                tracing::error!("{}", error.what);
            }
        }
        if *before != status {
            self.status.send_replace(Arc::new(status));
        }
    }
}
