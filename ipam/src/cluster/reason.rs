//! Why a block was chosen, or none: in words, for logs, `explain` and status.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// Why a block was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It holds an address that was asked for.
    Asked(IpAddr),
    /// Pods of this node have addresses in it.
    HoldsOurPods(IpAddr),
    /// It is free and lies in an aggregate of the node's label value.
    InAggregate {
        /// The aggregate.
        aggregate: IpNet,
        /// `label=value`.
        of: String,
    },
    /// It is the first one in a new aggregate for the node's label value.
    NewAggregate {
        /// The aggregate.
        aggregate: IpNet,
        /// `label=value`.
        of: String,
    },
    /// No aggregate was left: one without blocks now belongs to the node's label value.
    TakenAggregate {
        /// The aggregate.
        aggregate: IpNet,
        /// `label=value`.
        of: String,
        /// `label=value` of before.
        was: String,
    },
    /// It is free at a place that the node's name leads to.
    Spread,
    /// It is the next free one behind that place.
    NextFree,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Asked(address) => write!(f, "it holds {address}, which was asked for"),
            Reason::HoldsOurPods(address) => write!(f, "a pod of this node has {address} in it"),
            Reason::InAggregate { aggregate, of } => write!(f, "free in {aggregate}, the aggregate of {of}"),
            Reason::NewAggregate { aggregate, of } => {
                write!(f, "first in {aggregate}, now the aggregate of {of}")
            }
            Reason::TakenAggregate { aggregate, of, was } => {
                write!(
                    f,
                    "first in {aggregate}, now the aggregate of {of}; that of {was} had no blocks"
                )
            }
            Reason::Spread => f.write_str("free at a place that the node's name leads to"),
            Reason::NextFree => {
                f.write_str("the next free one behind the place that the node's name leads to")
            }
        }
    }
}

/// Why there is no block to claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoBlock {
    /// The pool's resource does not say what the intent says.
    Unsettled,
    /// How the pool is laid out cannot be read.
    Layout,
    /// Every block is owned, given or reserved.
    Exhausted,
    /// Free blocks lie in aggregates of other label values only.
    NoAggregate(String),
    /// The block that was asked for is owned, given or reserved.
    Taken(String),
}

impl fmt::Display for NoBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoBlock::Unsettled => f.write_str(
                "its resource was changed and is not in force; correct the resources that are refused, or wait a moment",
            ),
            NoBlock::Layout => f.write_str("the record of its layout cannot be read; run the version that wrote it"),
            NoBlock::Exhausted => {
                f.write_str("every block is owned, given or reserved; add a pool or give the pool a larger range")
            }
            NoBlock::NoAggregate(of) => {
                write!(f, "no aggregate is left for {of}; add a pool or make its aggregates smaller")
            }
            NoBlock::Taken(by) => write!(f, "the block that was asked for {by}"),
        }
    }
}
