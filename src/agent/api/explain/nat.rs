//! Whether what pods send to the destination leaves with an address of the node.

use config::api::explain::Step;

use super::question::{Question, step};
use crate::decide::nat;

impl Question<'_> {
    /// What becomes of pods' own addresses on the way; nothing for what is on this node itself.
    pub(super) fn source(&self) -> Option<Step> {
        let here = self.is_own_pod_address() || self.view.is_local(self.target.addr());
        let (result, checks) = nat::explain(self.plan, &self.decisions.outline.ruleset, &self.target);
        (!here).then(|| step("source", result, checks))
    }
}
