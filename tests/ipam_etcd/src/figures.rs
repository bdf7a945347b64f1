//! What a run came to, as a person reads it.

use std::fmt;
use std::time::Duration;

use crate::faults::{MemberFaults, NodeFaults};
use crate::history::History;
use crate::node::Totals;

/// The figures of a run.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    /// Simulated nodes.
    pub nodes: usize,
    /// Blocks owned at the end, of both families.
    pub blocks: usize,
    /// Pods that were given addresses and that were deleted.
    pub pods: (u64, u64),
    /// How long it took from the first node to the last check.
    pub took: Duration,
    /// Requests to the store, watches left aside.
    pub operations: u64,
    /// Of them, readings of a whole space.
    pub listings: u64,
    /// What keepers counted.
    pub totals: Totals,
    /// What the witness saw.
    pub history: History,
    /// What was done to members.
    pub members: MemberFaults,
    /// What was done to nodes.
    pub mishaps: NodeFaults,
    /// Median time of a claim's transaction, under faults.
    pub claim: Duration,
    /// Median time of a bare transaction of the same size afterwards, without faults.
    pub bare: Duration,
}

impl Figures {
    /// Transactions that were sent for each claim that was carried out.
    pub fn transactions_per_claim(&self) -> f64 {
        let lost = self.totals.conflicts + self.totals.unknown + self.totals.retries;
        ratio(self.totals.claims + lost, self.totals.claims)
    }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (m, n, h, t) = (&self.members, &self.mishaps, &self.history, &self.totals);
        let faults = m.killed + m.paused + m.cut + n.crashed + n.lost_disk + n.drained + n.reborn + n.died;
        writeln!(
            f,
            "{} nodes own {} blocks after {:.1} s; pods given addresses {}, deleted {}",
            self.nodes,
            self.blocks,
            self.took.as_secs_f64(),
            self.pods.0,
            self.pods.1
        )?;
        writeln!(
            f,
            "faults: {faults}; members killed {}, paused {}, cut off {}, majority lost {} times",
            m.killed, m.paused, m.cut, m.without_quorum
        )?;
        writeln!(
            f,
            "        agents killed {}, disks lost {}, nodes drained {}, resources made anew {}, dead for good {}",
            n.crashed, n.lost_disk, n.drained, n.reborn, n.died
        )?;
        writeln!(
            f,
            "requests to the store: {}, of them listings {}; {} revisions seen",
            self.operations, self.listings, h.revision
        )?;
        writeln!(
            f,
            "transactions done {}, conflicts {}, answers lost {}, not reached {}; of those done, claims {}",
            t.commits, t.conflicts, t.unknown, t.retries, t.claims
        )?;
        writeln!(
            f,
            "transactions for each claim, all that failed counted: {:.3}",
            self.transactions_per_claim()
        )?;
        writeln!(
            f,
            "history: {} blocks got an owner, {} lost theirs, {} rewritten, {} addresses mirrored",
            h.claims, h.releases, h.rewrites, h.mirrored
        )?;
        write!(
            f,
            "a claim's transaction, median under faults {:.2} ms; a bare one of its size without faults {:.2} ms",
            self.claim.as_secs_f64() * 1e3,
            self.bare.as_secs_f64() * 1e3
        )
    }
}
