//! [`Ipam`] itself: what it holds, and the calls that change no address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use ipnet::IpNet;

use crate::assign::Situation;
use crate::blocks::Family;
use crate::error::Error;
use crate::lease::{Lease, Owner};
use crate::ledger::{self, Book, Ledger, Op, OpenFile};
use crate::local::{OwnBlock, Want};
use crate::rules::LocalRules;

type Listener = Box<dyn Fn() + Send + Sync>;

/// The addresses of one node. It can be shared between threads.
pub struct Ipam {
    pub(super) folder: PathBuf,
    pub(super) open_file: OpenFile,
    state: Mutex<State>,
    /// A write has ended, well or not.
    pub(super) written: Condvar,
    listeners: RwLock<Vec<Listener>>,
}

pub(super) struct State {
    /// With all changes that were decided, also those on their way to the disk.
    pub(super) next: Book,
    /// As it is on disk.
    pub(super) shown: Book,
    pub(super) disk: Disk,
    /// Decided and not being written yet, in order.
    pub(super) queue: Vec<Op>,
    /// Those who wait for the queue.
    pub(super) waiting: Arc<Batch>,
    /// Those who wait for the write that is going on.
    pub(super) writing: Option<Arc<Batch>>,
    pub(super) rules: Option<LocalRules>,
    pub(super) wants: BTreeMap<Want, SystemTime>,
    /// Since when a block has been seen empty.
    pub(super) empty_since: BTreeMap<IpNet, SystemTime>,
    pub(super) changes: u64,
}

/// What becomes of one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) outcome: OnceLock<Result<(), Error>>,
}

pub(super) enum Disk {
    Idle(Ledger),
    /// Somebody is writing.
    Writing,
    /// Somebody is opening it again.
    Opening,
    /// The last write or opening failed.
    Failed,
}

impl Ipam {
    /// Opens the ledger in the agent's state folder, or makes a new one (folder mode 0700).
    ///
    /// # Errors
    /// A disk that fails, a ledger that is damaged, newer than this version, or open elsewhere.
    pub fn open(state_dir: impl AsRef<Path>) -> Result<Ipam, Error> {
        Self::open_on(state_dir.as_ref(), ledger::plain_file())
    }

    pub(super) fn open_on(folder: &Path, open_file: OpenFile) -> Result<Ipam, Error> {
        let (ledger, book) = Ledger::open(folder, &open_file)?;
        let state = State {
            next: book.clone(),
            shown: book,
            disk: Disk::Idle(ledger),
            queue: Vec::new(),
            waiting: Arc::default(),
            writing: None,
            rules: None,
            wants: BTreeMap::new(),
            empty_since: BTreeMap::new(),
            changes: 0,
        };
        Ok(Ipam {
            folder: folder.to_owned(),
            open_file,
            state: Mutex::new(state),
            written: Condvar::new(),
            listeners: RwLock::default(),
        })
    }

    /// The rules from now on. What was given stays given.
    pub fn set_rules(&self, rules: LocalRules) {
        let mut state = self.lock();
        if state.rules.as_ref() == Some(&rules) {
            return;
        }
        state.rules = Some(rules);
        state.changes += 1;
        drop(state);
        self.tell();
    }

    /// A pod waits for this, until then: whoever decides about blocks and loans sees it in [`Ipam::local`].
    pub fn want(&self, want: Want, until: SystemTime) {
        let mut state = self.lock();
        let known = state.wants.insert(want, until);
        if known.is_none() {
            state.changes += 1;
            drop(state);
            self.tell();
        }
    }

    /// Calls `f` after every change of what [`Ipam::local`] tells; from any thread, without a lock held. It
    /// must be short and must not change anything here.
    pub fn on_change(&self, f: Box<dyn Fn() + Send + Sync>) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        listeners.push(f);
    }

    /// A number that grows with every change of what [`Ipam::local`] tells.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// The last write failed, and the ledger was not opened again since: whoever changes something next tries.
    pub fn is_out_of_order(&self) -> bool {
        matches!(self.lock().disk, Disk::Failed)
    }

    /// The node's own pod address of a family; `None` without a block of that family.
    pub fn node_address(&self, family: Family) -> Option<IpAddr> {
        self.lock().shown.node.get(&family).copied()
    }

    /// All leases, by owner.
    pub fn leases(&self) -> Vec<Lease> {
        self.of_leases(|lease| Some(lease.clone()))
    }

    /// What `look` takes of each lease, by owner: for those who need little of many. `look` must not ask the ledger.
    pub fn of_leases<T>(&self, look: impl FnMut(&Lease) -> Option<T>) -> Vec<T> {
        self.lock().shown.leases.values().filter_map(look).collect()
    }

    /// The lease of one owner.
    pub fn lease(&self, owner: &Owner) -> Option<Lease> {
        self.lock().shown.leases.get(owner).cloned()
    }

    /// The node's blocks, in the order of their taking.
    pub fn blocks(&self) -> Vec<OwnBlock> {
        self.lock().shown.blocks.clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The memory changes only in steps that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| listener());
    }
}

/// A change that is being decided: what it does is in the book at once, and remembered for the disk.
pub(super) struct Draft<'a> {
    pub(super) book: &'a mut Book,
    pub(super) ops: &'a mut Vec<Op>,
    pub(super) rules: Option<&'a LocalRules>,
    pub(super) now: SystemTime,
}

impl Draft<'_> {
    pub(super) fn put(&mut self, op: Op) {
        self.book.apply(&op);
        self.ops.push(op);
    }

    pub(super) fn situation(&self) -> Situation<'_> {
        Situation {
            book: self.book,
            rules: self.rules,
            aside: &[],
            now: self.now,
        }
    }

    /// Sets the node's own address of each family aside. In a new ledger none is chosen: a pod may have it.
    pub(super) fn settle_node(&mut self) {
        for family in Family::ALL {
            let current = self.book.node.get(&family).copied();
            let own = self.book.node_address(family, self.situation().reserved());
            let own = own.filter(|_| !self.book.fresh || own == current);
            if own != current {
                self.put(Op::Node(family, own));
            }
        }
    }
}
