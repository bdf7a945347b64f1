//! [`Ipam`]: the blocks, the rules and the ledger together, as the agent uses them.
//!
//! Every call is short and blocking (a change costs one fsync); it can be shared between threads. After an
//! error of the disk the memory is not trusted any more: the next call reads the ledger again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ipnet::IpNet;

use crate::assign::{self, Situation};
use crate::blocks::{Blocks, Family};
use crate::error::Error;
use crate::lease::{Lease, Owner, Request, whole_millis};
use crate::ledger::{Book, Change, Ledger};

/// The addresses of one node.
pub struct Ipam {
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// `None` after an error of the disk, until it was opened again.
    ledger: Option<Ledger>,
    book: Book,
    blocks: Blocks,
}

/// What a change of blocks means for the leases that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlocksReport {
    /// Leases with an address that no block contains any more. They are kept until their pods go.
    pub outside: Vec<Lease>,
}

impl Ipam {
    /// Opens the ledger in the agent's state folder, or makes a new one (folder mode 0700).
    ///
    /// # Errors
    /// A disk that fails, a ledger that is damaged, newer than this version, or open elsewhere.
    pub fn open(state_dir: impl AsRef<Path>) -> Result<Ipam, Error> {
        let folder = state_dir.as_ref().to_owned();
        let (ledger, book) = Ledger::open(&folder)?;
        let state = State {
            ledger: Some(ledger),
            book,
            blocks: Blocks::default(),
        };
        Ok(Ipam {
            folder,
            state: Mutex::new(state),
        })
    }

    /// Sets the node's blocks, in the order of its pod subnets, and sets its own address of each family aside.
    /// Leases outside the blocks are kept and reported.
    ///
    /// # Errors
    /// A disk that fails: the blocks are then as they were.
    pub fn set_blocks(&self, nets: Vec<IpNet>) -> Result<BlocksReport, Error> {
        let mut state = self.ready()?;
        let blocks = Blocks::new(nets);
        let mut node = BTreeMap::new();
        for family in Family::ALL {
            let current = state.book.node.get(&family).copied();
            let own = assign::node_address(&blocks, family, current, &state.book.taken);
            if own != current {
                node.insert(family, own);
            }
        }
        if !node.is_empty() {
            state.commit(&Change {
                node: node.clone(),
                ..Change::default()
            })?;
        }
        for (family, own) in node {
            match own {
                Some(own) => state.book.node.insert(family, own),
                None => state.book.node.remove(&family),
            };
        }
        state.blocks = blocks;
        let is_outside = |lease: &&Lease| lease.addresses.iter().any(|a| !state.blocks.contains(*a));
        Ok(BlocksReport {
            outside: state.book.leases.values().filter(is_outside).cloned().collect(),
        })
    }

    /// The node's own pod address of a family; `None` without a block of that family.
    pub fn node_address(&self, family: Family) -> Option<IpAddr> {
        self.lock().book.node.get(&family).copied()
    }

    /// Gives the owner one address of each family that has blocks; on disk when this returns. An owner that
    /// has a lease gets it again, as it is.
    ///
    /// # Errors
    /// No block, no free address, a wanted address that cannot be had, a disk that fails.
    pub fn assign(&self, request: &Request, now: SystemTime) -> Result<Lease, Error> {
        let mut state = self.ready()?;
        if let Some(held) = state.book.leases.get(&request.owner) {
            let held = held.clone();
            return state.again(held, request);
        }
        let book = &state.book;
        let at = Situation {
            blocks: &state.blocks,
            taken: &book.taken,
            node: &book.node,
            last: &book.last,
        };
        let choice = assign::choose(at, &request.wanted)?;
        let lease = Lease {
            owner: request.owner.clone(),
            network: request.network.clone(),
            pod: request.pod.clone(),
            addresses: choice.addresses,
            host_ifname: request.host_ifname.clone(),
            netns: request.netns.clone(),
            created_at: whole_millis(now),
        };
        state.commit(&Change {
            put: Some(&lease),
            last: choice.in_turn.clone(),
            ..Change::default()
        })?;
        state.book.last.extend(choice.in_turn);
        for &address in &lease.addresses {
            state.book.taken.insert(address, lease.owner.clone());
        }
        state.book.leases.insert(lease.owner.clone(), lease.clone());
        Ok(lease)
    }

    /// Takes the owner's lease back and returns it; `None` where it has none. On disk when this returns.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn release(&self, owner: &Owner) -> Result<Option<Lease>, Error> {
        let mut state = self.ready()?;
        if !state.book.leases.contains_key(owner) {
            return Ok(None);
        }
        state.commit(&Change {
            remove: Some(owner),
            ..Change::default()
        })?;
        let lease = state.book.leases.remove(owner);
        for address in lease.iter().flat_map(|l| &l.addresses) {
            state.book.taken.remove(address);
        }
        Ok(lease)
    }

    /// All leases, by owner.
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().book.leases.values().cloned().collect()
    }

    /// The lease of one owner.
    pub fn lease(&self, owner: &Owner) -> Option<Lease> {
        self.lock().book.leases.get(owner).cloned()
    }

    /// The blocks as they were set.
    pub fn blocks(&self) -> Blocks {
        self.lock().blocks.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The memory changes only after the disk and only in steps that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, with the ledger opened again where the last write failed.
    fn ready(&self) -> Result<MutexGuard<'_, State>, Error> {
        let mut state = self.lock();
        if state.ledger.is_none() {
            let (ledger, book) = Ledger::open(&self.folder)?;
            state.ledger = Some(ledger);
            state.book = book;
        }
        Ok(state)
    }
}

impl State {
    fn commit(&mut self, change: &Change<'_>) -> Result<(), Error> {
        let Some(ledger) = &self.ledger else {
            return Err(Error::Io {
                path: PathBuf::new(),
                detail: "the ledger is not open".into(),
            });
        };
        let result = ledger.commit(change);
        if result.is_err() {
            self.ledger = None;
        }
        result
    }

    /// A repeated request: the same addresses. What else the runtime says about the pod may have changed (a
    /// container that was started again has another namespace), and is kept up to date.
    fn again(&mut self, held: Lease, request: &Request) -> Result<Lease, Error> {
        if let Some(&asked) = request.wanted.iter().find(|a| !held.addresses.contains(a)) {
            let addresses = held
                .addresses
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Error::HasAnother {
                owner: held.owner,
                held: addresses,
                asked,
            });
        }
        let mut current = held.clone();
        current.network.clone_from(&request.network);
        current.pod.clone_from(&request.pod);
        current.netns.clone_from(&request.netns);
        current.host_ifname.clone_from(&request.host_ifname);
        if current != held {
            self.commit(&Change {
                put: Some(&current),
                ..Change::default()
            })?;
            self.book.leases.insert(current.owner.clone(), current.clone());
        }
        Ok(current)
    }
}

#[cfg(test)]
mod tests;
