//! New resources, and new ownership of blocks: the plan that they make, and the parts that read it directly.

use std::sync::Arc;
use std::time::Instant;

use bgpd::Shutdown;
use config::intent::Intent;

use super::{RETRY, Reconciler};
use crate::agent::{drain, services};
use crate::decide;
use crate::plan::{self, Ownership, Plan};

impl Reconciler {
    /// Takes up new resources and new ownership of blocks; true where that has to be tried again.
    pub(super) async fn take_up(&mut self) -> bool {
        let state = self.parts.store.state().borrow().clone();
        let Some(intent) = state.intent.clone() else {
            return false;
        };
        let known =
            (self.intent.as_ref()).is_some_and(|known| Arc::ptr_eq(known, &intent) || **known == *intent);
        if !known || self.pods_wait {
            // A node that is not in the resources has no rules; the plan says so.
            let node = intent.nodes.get(&self.node);
            let outcome = node.map(|node| self.parts.pods.configure(&intent, node));
            self.pods_wait = matches!(outcome, Some(Err(_)));
            if let Some(Err(error)) = outcome {
                return self.cannot_start(error.to_string());
            }
        }
        let owned = {
            let records = self.parts.store.ownership().borrow().clone();
            self.ownership.now(&self.parts.pods.ipam(), records, &self.node)
        };
        let passwords = self.parts.passwords.known().borrow().clone();
        let drain = self.parts.drain.watch().borrow().clone();
        let same_rest = Arc::ptr_eq(&passwords, &self.passwords) && drain == self.drain;
        if known && same_rest && self.snapshot.start_error.is_none() && self.owned.as_ref() == Some(owned) {
            return false;
        }
        (self.passwords, self.drain) = (passwords, drain);
        let owned = owned.clone();
        let Some(plan) = self.compile(&intent, &owned) else {
            (self.intent, self.owned) = (Some(intent), Some(owned));
            return false;
        };
        self.parts.passwords.want(&plan.passwords);
        let changed = self.snapshot.plan.as_ref() != Some(&plan);
        if (changed || self.snapshot.start_error.is_some())
            && let Err(error) = self.configure(&plan).await
        {
            return self.cannot_start(error);
        }
        self.snapshot.start_error = None;
        if !known && self.snapshot.plan_error.is_none() {
            let peers = plan.speaker.peers.len();
            tracing::info!(revision = state.revision, peers, "new resources applied");
            self.snapshot.applied = Some(Instant::now());
        } else if (self.snapshot.plan.as_ref()).is_none_or(|old| old.blocks != plan.blocks) {
            let blocks: Vec<String> = plan.blocks.iter().map(|b| b.cidr.to_string()).collect();
            tracing::info!(blocks = blocks.join(", "), "new ownership of blocks applied");
        }
        self.snapshot.plan = Some(plan);
        (self.intent, self.owned) = (Some(intent), Some(owned));
        false
    }

    /// The plan that the resources make. Where they make none, because this node is not in them any more, the last
    /// good ones stay, but who owns which block does not: that goes on in the datastore, and a block that another
    /// node has by now must not be announced from here.
    fn compile(&mut self, intent: &Arc<Intent>, owned: &Ownership) -> Option<Arc<Plan>> {
        let error = match plan::compile(intent, &self.node, owned, &self.passwords) {
            Ok(plan) => {
                self.snapshot.plan_error = None;
                self.compiled = Some(intent.clone());
                return Some(self.drained(plan));
            }
            Err(error) => error.to_string(),
        };
        // What could not be applied is not wanted any more.
        self.snapshot.start_error = None;
        let said = self.snapshot.plan_error.take().filter(|(said, _)| *said == error);
        if said.is_none() {
            tracing::error!(%error, "the resources make no plan for this node; the last good state is kept");
        }
        self.snapshot.plan_error = Some(said.unwrap_or_else(|| (error, Instant::now())));
        let last = self.compiled.as_ref()?;
        plan::compile(last, &self.node, owned, &self.passwords)
            .ok()
            .map(|plan| self.drained(plan))
    }

    /// The plan of a node that may be out of service.
    fn drained(&self, mut plan: Plan) -> Arc<Plan> {
        drain::apply(&self.drain, &mut plan.speaker);
        Arc::new(plan)
    }

    /// Says once what stands in the way; it is tried again.
    fn cannot_start(&mut self, error: String) -> bool {
        let last = self.snapshot.start_error.take();
        if last.as_ref().is_none_or(|(said, _)| *said != error) {
            tracing::error!(%error, "the new resources cannot be applied yet; tried again every {RETRY:?}");
        }
        let since = last.map_or_else(Instant::now, |(_, since)| since);
        self.snapshot.start_error = Some((error, since));
        true
    }

    /// Hands the plan to the parts that read it directly.
    async fn configure(&mut self, plan: &Plan) -> Result<(), String> {
        if let Some(kubernetes) = &self.parts.kubernetes {
            kubernetes.follow_services(!plan.service_ranges.is_empty());
        }
        if let Some(bgp) = self
            .parts
            .speaker()
            .filter(|_| self.listen_port != plan.listen_port)
        {
            tracing::warn!(
                port = plan.listen_port,
                "the listen port changed: all sessions start anew"
            );
            self.parts.bgp_is(None);
            bgp.shutdown(Shutdown::Silent).await;
        }
        let known_to_bgp = (self.snapshot.plan.as_ref()).is_some_and(|old| old.speaker == plan.speaker);
        match self.parts.speaker() {
            // Most changes in a large cluster are other nodes' blocks: they are nothing to BGP.
            Some(_) if self.snapshot.start_error.is_none() && known_to_bgp => {}
            Some(bgp) => {
                bgp.configure(plan.speaker.clone()).await;
            }
            None => {
                if !plan.service_ranges.is_empty() {
                    self.cluster.listed(services::FIRST_LISTING).await;
                }
                let services = self.announced_services();
                let originated = decide::originated(plan, &self.parts.pods.links(), services.as_ref());
                let speaker = plan.speaker.clone();
                let bgp = bgpd::start_originating(speaker, originated, listen_addresses(plan)).await;
                let bgp = bgp.map_err(|e| e.to_string())?;
                self.listen_port = plan.listen_port;
                // The new speaker has no next hops yet: hand everything on again.
                self.decisions = None;
                self.parts.bgp_is(Some(bgp));
            }
        }
        Ok(())
    }
}

/// All addresses of the node: sessions may come to any of them, and unknown peers are refused anyway.
fn listen_addresses(plan: &Plan) -> Vec<std::net::SocketAddr> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let v4 = (Ipv4Addr::UNSPECIFIED, plan.listen_port).into();
    let v6 = (Ipv6Addr::UNSPECIFIED, plan.listen_port).into();
    // Where the kernel has no IPv6 at all, an IPv6 socket cannot even be made.
    if std::path::Path::new("/proc/net/if_inet6").exists() {
        vec![v4, v6]
    } else {
        vec![v4]
    }
}
