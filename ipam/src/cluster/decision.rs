//! What a decision says.

use std::time::Duration;

use datastore::Transaction;

use super::purpose::Purpose;
use super::trouble::{Hopeless, Trouble};
use crate::local::LedgerStep;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Changes of the ledger, in one durable transaction of it.
    Ledger(Vec<LedgerStep>),
    /// A transaction in the datastore, with what it is for.
    Commit(Purpose, Transaction),
}

/// What to do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// In this order; at most one of them is a commit, and it is the last.
    pub steps: Vec<Step>,
    /// When to decide again although nothing changed.
    pub wake_in: Option<Duration>,
    /// What is wrong and stays so until somebody does something.
    pub troubles: Vec<Trouble>,
    /// Wants that waiting does not help, with why.
    pub hopeless: Vec<Hopeless>,
}

impl Decision {
    pub(super) fn wake(&mut self, within: Duration) {
        self.wake_in = Some(self.wake_in.map_or(within, |earlier| earlier.min(within)));
    }
}
