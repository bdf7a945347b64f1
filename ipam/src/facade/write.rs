//! The way of a change to the disk.
//!
//! A change is decided under the lock and queued; then whoever finds the disk idle writes all that is queued in
//! one transaction, without the lock, and the others wait for that write or for the next one. So many changes
//! at once share an fsync, one alone waits for nobody, and the order on disk is the order of deciding: what is
//! found after a crash is the ledger at one moment. Where a write fails, everything that was decided on top of
//! it fails as well, and the ledger is opened again before anything else is decided.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::state::{Batch, Disk, Draft, Ipam, State};
use crate::error::Error;
use crate::ledger::{Ledger, Op};

impl Ipam {
    /// Decides a change and returns when it is on disk, with everything that it rests on. `decide` must not
    /// put anything where it fails.
    pub(super) fn change<T>(
        &self,
        now: SystemTime,
        decide: impl FnOnce(&mut Draft<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.ready()?;
        let State {
            next, queue, rules, ..
        } = &mut *state;
        let decided = decide(&mut Draft {
            book: next,
            ops: queue,
            rules: rules.as_ref(),
            now,
        })?;
        self.durable(state)?;
        Ok(decided)
    }

    /// Waits until all that was decided is on disk.
    fn durable<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<(), Error> {
        let batch = match &state.writing {
            Some(writing) if state.queue.is_empty() => writing.clone(),
            None if state.queue.is_empty() => return Ok(()),
            _ => state.waiting.clone(),
        };
        loop {
            if let Some(outcome) = batch.outcome.get() {
                return outcome.clone();
            }
            state = match std::mem::replace(&mut state.disk, Disk::Writing) {
                Disk::Idle(ledger) => self.write(state, ledger),
                busy => {
                    state.disk = busy;
                    self.wait(state)
                }
            };
        }
    }

    /// Writes the queue.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>, ledger: Ledger) -> MutexGuard<'a, State> {
        let ops = std::mem::take(&mut state.queue);
        let batch = std::mem::take(&mut state.waiting);
        state.writing = Some(batch.clone());
        drop(state);
        let result = ledger.commit(&ops);
        // A ledger that failed is closed before anyone can see that it did: opening it again needs its lock.
        let ledger = result.is_ok().then_some(ledger);
        let mut state = self.lock();
        state.writing = None;
        match ledger {
            Some(ledger) => {
                state.publish(&ops);
                state.disk = Disk::Idle(ledger);
            }
            None => state.give_up(&result),
        }
        let ended = result.is_ok();
        // Each batch is written once.
        let _ = batch.outcome.set(result);
        drop(state);
        self.written.notify_all();
        if ended {
            self.tell();
        }
        self.lock()
    }

    /// The state, with the ledger opened again where the last write failed.
    fn ready(&self) -> Result<MutexGuard<'_, State>, Error> {
        let mut state = self.lock();
        loop {
            match state.disk {
                Disk::Idle(_) | Disk::Writing => return Ok(state),
                Disk::Opening => state = self.wait(state),
                Disk::Failed => {
                    state.disk = Disk::Opening;
                    drop(state);
                    let opened = Ledger::open(&self.folder, &self.open_file);
                    state = self.lock();
                    self.written.notify_all();
                    match opened {
                        Ok((ledger, book)) => {
                            state.next.clone_from(&book);
                            state.shown = book;
                            state.changes += 1;
                            state.disk = Disk::Idle(ledger);
                        }
                        Err(error) => {
                            state.disk = Disk::Failed;
                            return Err(error);
                        }
                    }
                }
            }
        }
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.written.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Shows what is on disk now.
    fn publish(&mut self, ops: &[Op]) {
        for op in ops {
            self.shown.apply(op);
            self.note_use(op);
        }
        self.changes += 1;
    }

    /// Takes back everything that was decided on top of a write that failed. The book of what was decided is
    /// read anew with the file, before anybody decides on it.
    fn give_up(&mut self, result: &Result<(), Error>) {
        self.disk = Disk::Failed;
        self.queue.clear();
        let waiting: Arc<Batch> = std::mem::take(&mut self.waiting);
        let _ = waiting.outcome.set(result.clone());
    }

    /// A block that something was taken from is not the empty one that was seen before.
    fn note_use(&mut self, op: &Op) {
        let taken = match op {
            Op::PutLease(lease) => lease.addresses.as_slice(),
            Op::Node(_, Some(address)) | Op::Lend(address, _) | Op::Keep(address, _) => {
                std::slice::from_ref(address)
            }
            Op::Blocks(blocks) => {
                self.empty_since
                    .retain(|cidr, _| blocks.iter().any(|b| b.cidr == *cidr));
                return;
            }
            _ => return,
        };
        self.empty_since
            .retain(|block, _| !taken.iter().any(|address| block.contains(address)));
    }
}
