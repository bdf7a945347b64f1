//! Who was told that he has which address: the only judge of "given twice" and "lost". It knows nothing of
//! ledgers and stores; pods tell it what they were answered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use config::NodeName;

/// A pod's addresses, as acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// On which node.
    pub node: NodeName,
    /// Its container.
    pub container: String,
}

/// All acknowledged addresses.
#[derive(Default)]
pub struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<IpAddr, Holder>,
    given: u64,
    released: u64,
    wrong: Vec<String>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pod was answered.
    pub fn given(&self, addresses: &[IpAddr], holder: &Holder) {
        let mut state = self.lock();
        state.given += 1;
        for address in addresses {
            if let Some(other) = state.held.insert(*address, holder.clone())
                && other != *holder
            {
                let text = format!("{address} was given to {holder:?} while {other:?} has it");
                state.wrong.push(text);
            }
        }
    }

    /// A pod is about to be deleted: from now on another one may get its addresses.
    pub fn releasing(&self, addresses: &[IpAddr]) {
        let mut state = self.lock();
        state.released += 1;
        for address in addresses {
            state.held.remove(address);
        }
    }

    /// A node and all its pods are gone for good.
    pub fn died(&self, node: &NodeName) {
        self.lock().held.retain(|_, holder| holder.node != *node);
    }

    /// Everything that is held now.
    pub fn held(&self) -> HashMap<IpAddr, Holder> {
        self.lock().held.clone()
    }

    /// What was wrong so far.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    /// How many pods were answered and deleted.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        (state.given, state.released)
    }
}
