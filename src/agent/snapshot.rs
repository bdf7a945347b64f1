//! What the reconciler last decided, for everyone who answers questions or waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::decide::Decisions;
use crate::decide::findings::Finding;
use crate::plan::Plan;

/// One round's picture. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The plan in force.
    pub plan: Option<Arc<Plan>>,
    /// Everything that was decided from it.
    pub decisions: Option<Arc<Decisions>>,
    /// Generation of the desired FIB as handed to `routesync`.
    pub fib_generation: u64,
    /// Why the newest resources make no plan for this node, and since when.
    pub plan_error: Option<(String, Instant)>,
    /// Why a part does not take up the plan, and since when.
    pub start_error: Option<(String, Instant)>,
    /// What the host refuses, and since when.
    pub host_problems: Vec<(String, Instant)>,
    /// Limits of the machine that are too low for this cluster.
    pub host_advice: Vec<String>,
    /// What does not fit together on this host, and since when.
    pub findings: BTreeMap<Finding, Instant>,
    /// When the plan in force was applied.
    pub applied: Option<Instant>,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fully_fed: bool,
    /// Prefixes in the Loc-RIB.
    pub loc_rib: usize,
}
