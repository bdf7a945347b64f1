//! The one task that owns the sockets: it feeds the engine and carries out what the engine plans.
//!
//! One round: take in notifications, dump if due, then plan → write → take in what others did meanwhile, until there is nothing
//! left to write; publish what changed; sleep until a notification, a new wish or the next due time. A new wish that
//! comes during a round is taken between two batches: the latest state wins.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use crate::{
    clock::Now,
    engine::{Batch, Engine},
    error::Error,
    inbox::Inbox,
    model::{KernelView, Settings, SyncStatus},
    netlink::{dump::Dumper, monitor::Monitor, neighbour::NeighbourOp, writer::Writer},
};

/// Writes between two looks at the notifications and the newest wish.
const BATCH: usize = 512;
/// After an error of the sockets themselves.
const RECOVERY: Duration = Duration::from_millis(250);

/// See the module.
pub(crate) struct Task {
    engine: Engine,
    writer: Writer,
    dumper: Dumper,
    monitor: Monitor,
    inbox: Arc<Inbox>,
    /// Rings when there is something in the inbox; closed when the last handle is gone.
    bell: watch::Receiver<u64>,
    view: watch::Sender<Arc<KernelView>>,
    status: watch::Sender<Arc<SyncStatus>>,
    /// An error of the sockets, until a round succeeds.
    error: Option<String>,
}

impl Task {
    /// Opens the sockets in the network namespace of the calling thread.
    pub fn open(
        settings: Settings,
        inbox: Arc<Inbox>,
        bell: watch::Receiver<u64>,
        view: watch::Sender<Arc<KernelView>>,
        status: watch::Sender<Arc<SyncStatus>>,
    ) -> Result<Self, Error> {
        let writer = Writer::open()?;
        let monitor = Monitor::open(writer.port())?;
        let dumper = Dumper::open()?;
        Ok(Task {
            engine: Engine::new(settings),
            writer,
            dumper,
            monitor,
            inbox,
            bell,
            view,
            status,
            error: None,
        })
    }

    /// Runs until every handle is gone. Leaves the kernel as it is.
    pub async fn run(mut self) {
        loop {
            let result = self.round().await;
            let failed = result.is_err();
            match result {
                Ok(()) => self.error = None,
                Err(error) => {
                    tracing::warn!(%error, "route synchronisation stumbled; reading everything again");
                    self.error = Some(error.to_string());
                    // What was being written may have been done or not.
                    self.engine.distrust(now());
                }
            }
            self.publish();
            if failed {
                tokio::time::sleep(RECOVERY).await;
                continue;
            }
            tokio::select! {
                // In this order: who has let go of the handle must not be answered with repairs.
                biased;
                changed = self.bell.changed() => if changed.is_err() { return },
                // An error shows again in the next round, which handles it.
                _ = self.monitor.readable() => {}
                () = sleep_until(self.engine.next_wake()) => {}
            }
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        self.take_events()?;
        if self.engine.resync_due(now()) {
            self.resync().await?;
        }
        self.ask_again().await;
        loop {
            self.take_wish();
            match self.engine.plan(now(), BATCH) {
                Batch::Routes(ops) if ops.is_empty() => return Ok(()),
                Batch::Routes(ops) => {
                    let answers = self.writer.write(&ops).await?;
                    let now = now();
                    for (op, answer) in ops.into_iter().zip(answers) {
                        if let Err(refusal) = &answer {
                            tracing::debug!(route = %op.key, %refusal, "write refused");
                        }
                        self.engine.finished(op, answer, now);
                    }
                    if self.writer.lost_answers() {
                        self.engine.distrust(now);
                    }
                }
                Batch::Nexthops(ops) => {
                    let answers = self.writer.write(&ops).await?;
                    for (op, answer) in ops.iter().zip(answers) {
                        if let Err(refusal) = &answer {
                            tracing::debug!(object = %op.id, %refusal, "write refused");
                        }
                        self.engine.finished_nexthop(op, answer, now());
                    }
                }
            }
            // What others did before the last of these writes is queued already: the kernel notifies before it answers.
            self.take_events()?;
        }
    }

    /// Over links that have come back: what was asked for while nobody could answer is asked for again, before the kernel would.
    async fn ask_again(&mut self) {
        for (index, gateways) in self.engine.gateways_back() {
            let ops: Vec<_> = match self.dumper.waiting_neighbours(index).await {
                Ok(waiting) => waiting
                    .into_iter()
                    .filter(|neighbour| gateways.contains(&neighbour.address))
                    .flat_map(|neighbour| [NeighbourOp::Forget(neighbour), NeighbourOp::Ask(neighbour)])
                    .collect(),
                Err(error) => {
                    tracing::debug!(index, %error, "gateways are found when the kernel asks for them");
                    continue;
                }
            };
            if ops.is_empty() {
                continue;
            }
            tracing::debug!(
                index,
                gateways = ops.len() / 2,
                "the link is back: gateways are asked for at once"
            );
            // An entry that was answered or forgotten meanwhile is none to worry about.
            if let Err(error) = self.writer.write(&ops).await {
                tracing::debug!(index, %error, "gateways are found when the kernel asks for them");
            }
        }
    }

    async fn resync(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        let snapshot = self.dumper.snapshot().await?;
        tracing::debug!(routes = snapshot.routes.len(), "read the kernel's state");
        self.engine.load(snapshot, now(), started.elapsed());
        // What was notified during the dump may be older or newer than it; followed in order it ends in the truth.
        self.take_events()
    }

    fn take_wish(&mut self) {
        let news = self.inbox.take();
        if let Some(nexthops) = news.nexthops {
            self.engine.set_nexthops(nexthops, now());
        }
        match (news.complete, news.sweep) {
            (Some(complete), _) => self.engine.set_desired(complete),
            (None, Some(sweep)) => self.engine.update(news.changes, sweep),
            (None, None) => {}
        }
        self.engine.set_generation(news.generation);
        for (key, answer) in news.questions {
            // Who asked may have gone.
            _ = answer.send(self.engine.wants(&key));
        }
    }

    fn take_events(&mut self) -> Result<(), Error> {
        let (engine, now) = (&mut self.engine, now());
        self.monitor.drain(|event| engine.handle(event, now))
    }

    fn publish(&mut self) {
        if let Some(mut view) = self.engine.view() {
            self.view.send_if_modified(|old| {
                view.generation = old.generation;
                if **old == view {
                    return false;
                }
                view.generation += 1;
                *old = Arc::new(view);
                true
            });
        }
        let mut status = self.engine.status();
        if self.error.is_some() {
            status.last_error.clone_from(&self.error);
        }
        self.status.send_if_modified(|old| {
            let changed = **old != status;
            if changed {
                *old = Arc::new(status);
            }
            changed
        });
    }
}

fn now() -> Now {
    Now {
        at: Instant::now(),
        wall: SystemTime::now(),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
