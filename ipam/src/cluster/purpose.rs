//! What a transaction is for, in words for logs, metrics and status.

use std::fmt;
use std::net::IpAddr;

use config::NodeName;
use ipnet::IpNet;

use super::reason::Reason;

/// What a transaction is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To own a block.
    Claim {
        /// The block.
        block: IpNet,
        /// Its pool.
        pool: String,
        /// Why this one.
        reason: Reason,
    },
    /// To own blocks again that an earlier life of this node, or of its ledger, left.
    Reclaim {
        /// The blocks.
        blocks: Vec<IpNet>,
    },
    /// To give blocks back.
    Release {
        /// The blocks.
        blocks: Vec<IpNet>,
    },
    /// To take from a node that is gone what it had.
    Collect {
        /// The node.
        node: NodeName,
        /// How many records.
        records: usize,
    },
    /// To bring a loan one step further, or to end it.
    Loan {
        /// The address.
        address: IpAddr,
        /// What is done.
        act: LoanAct,
    },
    /// To take an address out of the mirror that nobody has.
    Forget {
        /// The address.
        address: IpAddr,
    },
    /// To give an aggregate without blocks back.
    ForgetAggregate {
        /// The aggregate.
        range: IpNet,
    },
    /// To let a workload's sticky addresses go.
    ForgetSticky {
        /// `namespace.name`.
        workload: String,
    },
    /// To write down where the sticky addresses of a workload are.
    Sticky {
        /// `namespace.name`.
        workload: String,
    },
}

/// One step in the life of a loan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoanAct {
    /// The borrower asks.
    Ask,
    /// The lender agrees.
    Lend,
    /// The lender does not.
    Refuse,
    /// The borrower takes it.
    Accept,
    /// The borrower ends it, or does not want it any more.
    End,
    /// The new owner of the block takes the lender's place.
    Adopt,
}

impl Purpose {
    /// A word for metrics; there are few.
    pub fn kind(&self) -> &'static str {
        match self {
            Purpose::Claim { .. } => "claim",
            Purpose::Reclaim { .. } => "reclaim",
            Purpose::Release { .. } => "release",
            Purpose::Collect { .. } => "collect",
            Purpose::Loan { .. } => "loan",
            Purpose::Sticky { .. } => "sticky",
            Purpose::Forget { .. } | Purpose::ForgetAggregate { .. } | Purpose::ForgetSticky { .. } => {
                "repair"
            }
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Purpose::Claim { block, pool, reason } => write!(f, "claim {block} of pool {pool}: {reason}"),
            Purpose::Reclaim { blocks } => write!(f, "claim again {}", listed(blocks)),
            Purpose::Release { blocks } => write!(f, "give back {}", listed(blocks)),
            Purpose::Collect { node, records } => {
                write!(f, "take back {records} records of node {node}, which is gone")
            }
            Purpose::Loan { address, act } => {
                let what = match act {
                    LoanAct::Ask => "ask for",
                    LoanAct::Lend => "lend",
                    LoanAct::Refuse => "refuse to lend",
                    LoanAct::Accept => "accept",
                    LoanAct::End => "end the loan of",
                    LoanAct::Adopt => "take over the loan of",
                };
                write!(f, "{what} {address}")
            }
            Purpose::Forget { address } => write!(f, "take {address} out of the mirror"),
            Purpose::ForgetAggregate { range } => write!(f, "give the aggregate {range} back"),
            Purpose::ForgetSticky { workload } => write!(f, "keep no address for {workload} any more"),
            Purpose::Sticky { workload } => write!(f, "write down where {workload} has its addresses"),
        }
    }
}

/// Prefixes as operators read them.
pub(super) fn listed(nets: &[IpNet]) -> String {
    nets.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ")
}
