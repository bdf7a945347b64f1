//! All peers together: whose turn it is, within the bounds of what may be sent. Pure.
//!
//! Each machine says when it has something to do. Those that want to send stand in a queue, first come first served, and
//! a bucket lets them through: at most [`Tuning::rate`] a second however many peers there are, and in quiet times
//! at most [`Tuning::steady_rate`], for intervals are stretched with the number of peers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use super::model::ProbeKey;
use super::tuning::Tuning;
use super::verdict::{ProbeVerdict, Taken, Way};
use super::wire::Arrival;

/// A request to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// To whom.
    pub key: ProbeKey,
    /// Its number.
    pub sequence: u64,
    /// The way; the size is that of full requests.
    pub way: Arc<Way>,
    /// Whether it has the full size.
    pub full: bool,
}

/// Lets through `rate` a second, and `burst` at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    each: Duration,
    depth: Duration,
    /// When all that was let through would have been, at the rate alone (GCRA).
    spent: Duration,
}

impl Bucket {
    pub fn new(rate: u32, burst: u32) -> Self {
        let each = Duration::from_secs(1) / rate.max(1);
        Self {
            each,
            depth: each * burst.saturating_sub(1),
            spent: Duration::ZERO,
        }
    }

    /// When the next is let through.
    pub fn free_at(&self) -> Duration {
        self.spent.saturating_sub(self.depth)
    }

    /// Lets one through, or not.
    pub fn take(&mut self, now: Duration) -> bool {
        if now < self.free_at() {
            return false;
        }
        self.spent = self.spent.max(now) + self.each;
        true
    }
}

#[derive(Debug)]
struct Entry {
    machine: Machine,
    /// Under which time it stands in `due`.
    due: Duration,
    queued: bool,
}

/// The machines of all peers.
#[derive(Debug)]
pub(crate) struct Schedule {
    tuning: Tuning,
    seed: u64,
    entries: BTreeMap<ProbeKey, Entry>,
    due: BTreeSet<(Duration, ProbeKey)>,
    queue: VecDeque<ProbeKey>,
    bucket: Bucket,
    sequence: u64,
    touched: BTreeSet<ProbeKey>,
    /// Every peer that was probed since the start.
    met: BTreeSet<ProbeKey>,
    /// Requests since the start, and those of them of which a peer said that they came without a tunnel.
    counts: (u64, u64),
}

impl Schedule {
    /// Without peers. `seed` makes the jitter.
    pub fn new(tuning: Tuning, seed: u64) -> Self {
        Self {
            tuning,
            seed,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            queue: VecDeque::new(),
            bucket: Bucket::new(tuning.rate, tuning.burst),
            sequence: 0,
            touched: BTreeSet::new(),
            met: BTreeSet::new(),
            counts: (0, 0),
        }
    }

    /// Probes exactly these ways from now on. What is known of a way that is still wanted stays. Peers in `carried` are taken for
    /// proven when they are met for the first time.
    pub fn set(&mut self, ways: &BTreeMap<ProbeKey, Arc<Way>>, carried: &BTreeSet<ProbeKey>, now: Duration) {
        let gone: Vec<_> = self
            .entries
            .keys()
            .filter(|key| !ways.contains_key(*key))
            .cloned()
            .collect();
        for key in gone {
            self.remove(&key);
        }
        for (key, way) in ways {
            let known = self
                .entries
                .get_mut(key)
                .filter(|entry| entry.machine.serves(way));
            match known {
                Some(entry) if entry.machine.declared() == way => continue,
                Some(entry) => entry.machine.redeclare(way.clone(), now),
                None => {
                    self.remove(key);
                    self.seed = self.seed.wrapping_add(0xa076_1d64_78bd_642f);
                    let mut machine = Machine::new(self.tuning, way.clone(), self.seed, now);
                    if self.met.insert(key.clone()) && carried.contains(key) {
                        machine.adopt();
                        self.touched.insert(key.clone());
                    }
                    let due = machine.due();
                    let entry = Entry {
                        machine,
                        due,
                        queued: false,
                    };
                    self.due.insert((due, key.clone()));
                    self.entries.insert(key.clone(), entry);
                }
            }
            self.settle(key);
        }
    }

    fn remove(&mut self, key: &ProbeKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.due.remove(&(entry.due, key.clone()));
            // A new peer of that name would otherwise be served twice.
            if entry.queued {
                self.queue.retain(|queued| queued != key);
            }
            self.touched.insert(key.clone());
        }
    }

    /// When [`Schedule::poll`] has something to do next. None: never.
    pub fn wake(&self) -> Option<Duration> {
        let due = self.due.first().map(|(due, _)| *due);
        let queue = self.queue.front().map(|_| self.bucket.free_at());
        due.into_iter().chain(queue).min()
    }

    /// Counts losses, and returns what is to be sent at `now`.
    pub fn poll(&mut self, now: Duration) -> Vec<Request> {
        while let Some((due, key)) = self.due.first().cloned() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if entry.machine.expire(now) {
                self.touched.insert(key.clone());
            }
            if entry.machine.wants(now) && !entry.queued {
                entry.queued = true;
                self.queue.push_back(key.clone());
            }
            self.settle(&key);
        }
        self.serve(now)
    }

    fn serve(&mut self, now: Duration) -> Vec<Request> {
        let steady = self.tuning.steady_of(self.entries.len());
        let mut requests = Vec::new();
        while !self.queue.is_empty() && self.bucket.take(now) {
            let Some(key) = self.queue.pop_front() else { break };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            entry.queued = false;
            self.sequence += 1;
            let turn = entry.machine.send(now, self.sequence, steady);
            if let (Some(turn), Some(way)) = (turn, entry.machine.way()) {
                self.counts.0 += 1;
                requests.push(Request {
                    key: key.clone(),
                    sequence: self.sequence,
                    way: way.clone(),
                    full: turn.full,
                });
            }
            self.touched.insert(key.clone());
            self.settle(&key);
        }
        requests
    }

    /// Whether the last request to `key` could be sent.
    pub fn attempted(&mut self, key: &ProbeKey, error: Option<Arc<str>>) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.machine.attempted(error);
        }
    }

    /// The peer `key` has answered. False if the request is not waited for.
    pub fn answered(&mut self, now: Duration, key: &ProbeKey, sequence: u64, arrival: Arrival) -> bool {
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        let waited = entry.machine.answered(now, sequence, arrival);
        if waited {
            self.counts.1 += u64::from(arrival == Arrival::Native);
            self.touched.insert(key.clone());
            self.settle(key);
        }
        waited
    }

    /// The peer `key` has said which way it takes itself.
    pub fn said(&mut self, key: &ProbeKey, theirs: Option<Taken>) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.machine.said(theirs)
        {
            self.touched.insert(key.clone());
        }
    }

    /// Which way is taken to the peer `key`.
    pub fn taken(&self, key: &ProbeKey, now: Duration) -> Option<Taken> {
        self.entries.get(key)?.machine.verdict(now).taken()
    }

    /// Requests since the start, and those of them of which a peer said that they came without a tunnel.
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// Puts `key` under its time.
    fn settle(&mut self, key: &ProbeKey) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        self.due.remove(&(entry.due, key.clone()));
        entry.due = if entry.queued {
            // It waits for the bucket already; only a loss can be due.
            entry.machine.expiry().unwrap_or(Duration::MAX)
        } else {
            entry.machine.due()
        };
        self.due.insert((entry.due, key.clone()));
    }

    /// The verdicts that changed since the last call, counts included; none for peers that are gone.
    pub fn changes(&mut self, now: Duration) -> Vec<(ProbeKey, Option<ProbeVerdict>)> {
        let touched = std::mem::take(&mut self.touched);
        touched
            .into_iter()
            .map(|key| {
                let verdict = self.entries.get(&key).map(|entry| entry.machine.verdict(now));
                (key, verdict)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
