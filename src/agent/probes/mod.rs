//! The agent's side of `Auto`: what is to be probed goes to the probing task, what it finds wakes the reconciler; and
//! the test of checksum offload runs beside it.
//!
//! A restart moves no traffic: the ways that the run before has left in the kernel as direct ones are taken for proven, until
//! their probes fail. So the first round waits for the probing task to have taken that up.

mod offload;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ipnet::IpNet;
use routesync::{KernelView, Protocol};
use tokio::sync::watch;
use tunnel::Device;
use tunnel::probe::{self, DesiredProbes, ProbeKey, Verdicts};

use crate::decide::probes as decided;
use crate::decide::probes::OffloadTest;
use crate::decide::{Decisions, Inputs};
use crate::plan::Plan;

pub use offload::{Finding, Tested};

/// How long a round waits for the probing task to take up what was in use before; it takes milliseconds.
const TAKE_UP: Duration = Duration::from_secs(2);

/// Handles to the probing task and to the test of checksum offload.
#[derive(Clone)]
pub struct Probes {
    handle: probe::Handle,
    offload: offload::Handle,
}

impl Probes {
    /// Starts both tasks; they do nothing until something is wanted.
    pub fn start() -> anyhow::Result<Probes> {
        let handle = probe::start(probe::Settings::default())
            .context("cannot talk to the kernel about probes (is this run as root?)")?;
        Ok(Probes {
            handle,
            offload: offload::start(),
        })
    }

    /// What the probes have found, with the newest counts.
    pub fn verdicts(&self) -> Verdicts {
        self.handle.verdicts().borrow().clone()
    }

    /// Wakes when a verdict changes.
    pub fn watch(&self) -> watch::Receiver<Verdicts> {
        self.handle.verdicts()
    }

    /// What the tests of checksum offload have found, by device.
    pub fn tested(&self) -> BTreeMap<Device, Tested> {
        self.offload.tested()
    }
}

/// The reconciler's hold on the probes: what was handed over last.
pub struct Prober {
    probes: Probes,
    protocol: Protocol,
    published: Option<DesiredProbes>,
    /// What that was made from.
    made_from: Option<(Arc<Plan>, u64, Vec<IpAddr>)>,
    /// Prefixes of routes of ours that led into no tunnel when `Auto` began.
    direct: BTreeSet<IpNet>,
    tests: BTreeMap<Device, OffloadTest>,
}

impl Prober {
    /// Nothing is handed over yet; `protocol` marks our routes.
    pub fn new(probes: Probes, protocol: Protocol) -> Prober {
        Prober {
            probes,
            protocol,
            published: None,
            made_from: None,
            direct: BTreeSet::new(),
            tests: BTreeMap::new(),
        }
    }

    /// Has probed what the plan asks for, and says what is known by now.
    pub async fn probe(&mut self, plan: &Arc<Plan>, view: &KernelView, own: &[IpAddr]) -> Verdicts {
        // Most rounds are for other things.
        let known = self
            .made_from
            .as_ref()
            .is_some_and(|(known, generation, addresses)| {
                Arc::ptr_eq(known, plan) && *generation == view.generation && addresses == own
            });
        if known {
            return self.probes.verdicts();
        }
        self.made_from = Some((plan.clone(), view.generation, own.to_vec()));
        let wanted = decided::wanted(plan, view, own);
        if self.published.as_ref() == Some(&wanted) {
            return self.probes.verdicts();
        }
        if is_probing(&wanted) && !self.published.as_ref().is_some_and(is_probing) {
            self.direct = direct_routes(self.protocol).await;
        }
        let carried = decided::carried(plan, &self.direct);
        let before = self.published.as_ref();
        let news = carried
            .iter()
            .any(|key| is_probed(&wanted, key) && !before.is_some_and(|before| is_probed(before, key)));
        self.probes.handle.adopt(carried);
        let generation = self.probes.handle.publish(wanted.clone());
        self.published = Some(wanted);
        if news {
            let mut verdicts = self.probes.watch();
            let taken_up = verdicts.wait_for(|verdicts| verdicts.generation >= generation);
            if tokio::time::timeout(TAKE_UP, taken_up).await.is_err() {
                tracing::warn!(
                    "the probes of direct paths do not start; nodes are reached by tunnels until they do"
                );
            }
        }
        self.probes.verdicts()
    }

    /// Has the checksum offload of the tunnel devices tested that are in use by these decisions.
    pub fn test_offload(&mut self, inputs: Inputs<'_>, decisions: &Decisions) {
        let own = inputs.own_pod_addresses;
        let tests = decided::offload_tests(inputs.plan, inputs.view, own, &decisions.outline.paths);
        if self.tests != tests {
            self.probes.offload.publish(tests.clone());
            self.tests = tests;
        }
    }
}

fn is_probed(probes: &DesiredProbes, key: &ProbeKey) -> bool {
    probes.peers.get(key).is_some_and(|peer| peer.hop.is_some())
}

fn is_probing(probes: &DesiredProbes) -> bool {
    probes.peers.values().any(|peer| peer.hop.is_some())
}

/// The prefixes of our routes in the kernel that lead into no tunnel. Without them nothing is taken for proven.
async fn direct_routes(protocol: Protocol) -> BTreeSet<IpNet> {
    let routes = routesync::installed(protocol).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read which nodes were reached directly before");
        Vec::new()
    });
    let is_direct =
        |links: &[String]| !links.is_empty() && links.iter().all(|link| Device::by_name(link).is_none());
    let direct = routes.into_iter().filter(|(_, links)| is_direct(links));
    direct.map(|(key, _)| key.destination).collect()
}
