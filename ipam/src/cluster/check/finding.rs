//! One thing that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::Severity;
use datastore::Transaction;

use crate::cluster::purpose::Purpose;
use crate::lease::Owner;
use crate::local::LedgerStep;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An address that two have.
    DoubleUse,
    /// Blocks that overlap.
    TwoOwners,
    /// What a node that is gone had.
    DeadNode,
    /// An address that is held and that no pod has.
    Leak,
    /// The ledger and the kernel differ.
    Kernel,
    /// The ledger and its mirror differ.
    Mirror,
    /// A block in no pool.
    OutsidePools,
    /// A block of another size than its pool's.
    WrongSize,
    /// A loan that leads nowhere.
    Loan,
    /// A sticky address that leads nowhere.
    Sticky,
    /// An aggregate without blocks, or with blocks of others.
    Aggregate,
    /// A record that cannot be read.
    Malformed,
}

impl Kind {
    /// The word in the socket API.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DoubleUse => "doubleUse",
            Kind::TwoOwners => "twoOwners",
            Kind::DeadNode => "deadNode",
            Kind::Leak => "leak",
            Kind::Kernel => "kernel",
            Kind::Mirror => "mirror",
            Kind::OutsidePools => "outsidePools",
            Kind::WrongSize => "wrongSize",
            Kind::Loan => "loan",
            Kind::Sticky => "sticky",
            Kind::Aggregate => "aggregate",
            Kind::Malformed => "malformed",
        }
    }
}

/// What repairs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Changes of this node's ledger.
    Ledger(Vec<LedgerStep>),
    /// The release of a lease in this node's ledger.
    Lease(Owner),
    /// A transaction, which does nothing where things are not as they were seen.
    Commit(Purpose, Transaction),
}

impl Fix {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Fix::Ledger(steps) if steps.iter().all(|step| matches!(step, LedgerStep::Leave(_))) => {
                "give it back".into()
            }
            Fix::Ledger(_) => "correct the ledger".into(),
            Fix::Lease(owner) => format!("release the lease of {owner}"),
            Fix::Commit(purpose, _) => purpose.to_string(),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// An error breaks traffic, or may; a warning wastes addresses or hides something.
    pub severity: Severity,
    /// What it is about: an address, a block, a node.
    pub subject: String,
    /// What is wrong, with the values that show it.
    pub message: String,
    /// What repairs it; `None` where a person has to decide.
    pub fix: Option<Fix>,
}

impl Finding {
    pub(super) fn error(kind: Kind, subject: impl ToString, message: impl Into<String>) -> Finding {
        Finding {
            kind,
            severity: Severity::Error,
            subject: subject.to_string(),
            message: message.into(),
            fix: None,
        }
    }

    pub(super) fn warning(kind: Kind, subject: impl ToString, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Warning,
            ..Finding::error(kind, subject, message)
        }
    }

    pub(super) fn fixed_by(mut self, fix: impl Into<Option<Fix>>) -> Finding {
        self.fix = fix.into();
        self
    }
}

/// What the kernel of this node has of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// Names of all links.
    pub links: BTreeSet<String>,
    /// Host routes (/32, /128) of pods, with the link that they lead to.
    pub routes: BTreeMap<IpAddr, String>,
}
