//! One question, with everything that its answers are made from.

use config::api::explain::Step;
use ipnet::IpNet;
use routesync::KernelView;

use crate::agent::api::state::State;
use crate::agent::snapshot::Snapshot;
use crate::decide::Decisions;
use crate::plan::Plan;

/// One step of an explanation.
pub(super) fn step(stage: &str, result: impl Into<String>, checks: Vec<String>) -> Step {
    Step {
        stage: stage.into(),
        result: result.into(),
        checks,
    }
}

/// One question with everything that answers are made from.
pub(super) struct Question<'a> {
    pub(super) state: &'a State,
    pub(super) snapshot: &'a Snapshot,
    pub(super) plan: &'a Plan,
    pub(super) decisions: &'a Decisions,
    pub(super) view: &'a KernelView,
    pub(super) target: IpNet,
}

impl Question<'_> {
    /// The target is the address that the node itself has among the pods.
    pub(super) fn is_own_pod_address(&self) -> bool {
        self.state
            .parts
            .pods
            .own_addresses()
            .iter()
            .any(|a| IpNet::from(*a) == self.target)
    }
}
