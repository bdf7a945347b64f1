//! What the outline of the last round was made from: while it is the same, so is the outline.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::types::ScopedAddr;
use routesync::KernelView;
use tunnel::probe::Verdicts;

use crate::decide::{Inputs, Place, PodLink, Services};
use crate::plan::Plan;

/// The inputs that are shared; each is another one when it has changed.
pub struct Given<'a> {
    pub plan: &'a Arc<Plan>,
    pub view: &'a Arc<KernelView>,
    pub pods: &'a Arc<Vec<PodLink>>,
}

/// All inputs but the learned routes.
pub struct Premises {
    plan: Arc<Plan>,
    view: Arc<KernelView>,
    pods: Arc<Vec<PodLink>>,
    own_pod_addresses: Vec<IpAddr>,
    services: Option<Services>,
    place: Place,
    verdicts: Verdicts,
    tracked: BTreeSet<ScopedAddr>,
    fully_fed: bool,
}

impl Premises {
    /// Those of a round.
    pub fn of(given: &Given<'_>, inputs: &Inputs<'_>) -> Premises {
        Premises {
            plan: given.plan.clone(),
            view: given.view.clone(),
            pods: given.pods.clone(),
            own_pod_addresses: inputs.own_pod_addresses.to_vec(),
            services: inputs.services.cloned(),
            place: inputs.place,
            verdicts: inputs.verdicts.clone(),
            tracked: inputs.rib.tracked.clone(),
            fully_fed: inputs.rib.fully_fed,
        }
    }

    /// Whether they are those of this round.
    pub fn are(&self, given: &Given<'_>, inputs: &Inputs<'_>) -> bool {
        Arc::ptr_eq(&self.plan, given.plan)
            && Arc::ptr_eq(&self.view, given.view)
            && Arc::ptr_eq(&self.pods, given.pods)
            && self.fully_fed == inputs.rib.fully_fed
            && self.place == inputs.place
            && self.own_pod_addresses == inputs.own_pod_addresses
            && self.services.as_ref() == inputs.services
            && self.tracked == inputs.rib.tracked
            && self.verdicts == *inputs.verdicts
    }
}
