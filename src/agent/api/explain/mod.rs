//! `GET /v1/explain?target=`: the decisions for one destination, each with its checks. Nothing is remembered
//! for it: the same pure functions are run again on what is known now.

mod nat;
mod paths;
mod question;
mod way;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State as Extract};
use config::api::ErrorKind;
use config::api::explain::{Explanation, Step};
use ipnet::IpNet;
use routesync::resolve;
use serde::Deserialize;

use self::question::{Question, step};
use super::answer::Failure;
use super::state::State;
use super::{bgp_text, routes as routes_text};
use crate::decide::next_hops::learned_hop;
use crate::decide::routes::Origin;
use crate::decide::{RouteDecision, paths as node_paths};
use crate::plan::{OwnNode, Plan};

#[derive(Deserialize)]
pub struct Asked {
    target: String,
}

pub async fn get(
    Extract(state): Extract<State>,
    Query(asked): Query<Asked>,
) -> Result<Json<Explanation>, Failure> {
    let snapshot = state.snapshot();
    let (Some(plan), Some(decisions)) = (snapshot.plan.clone(), snapshot.decisions.clone()) else {
        return Err(Failure::no_plan());
    };
    let target = parse(&asked.target, &plan)?;
    let view = state.parts.fib.view().borrow().clone();
    let question = Question {
        state: &state,
        snapshot: &snapshot,
        plan: &plan,
        decisions: &decisions,
        view: &view,
        target,
    };
    Ok(Json(question.answer(&asked.target).await))
}

/// An address, a prefix, or the name of a node, which stands for its address.
fn parse(text: &str, plan: &Plan) -> Result<IpNet, Failure> {
    let node = || {
        let remote = plan.remotes.iter().find(|node| node.name.as_str() == text);
        let own = (plan.node.name.as_str() == text).then_some(&plan.node);
        [true, false].into_iter().find_map(|v4| {
            let address = |own: &OwnNode| own.address(v4);
            remote.and_then(|node| node.address(v4)).or(own.and_then(address))
        })
    };
    let net = text.parse::<IpNet>().ok();
    let net = net.or_else(|| text.parse().ok().or_else(node).map(IpNet::from));
    net.ok_or_else(|| {
        let message = format!("`{text}` is neither an address, nor a prefix, nor a node of the cluster");
        Failure::new(
            ErrorKind::Invalid,
            message,
            "write 10.244.1.7, 10.244.1.0/24 or the name of a node",
        )
    })
}

impl Question<'_> {
    async fn answer(&self, asked: &str) -> Explanation {
        let route = self.decisions.covering(&self.target);
        let route = route.as_ref().map(|(prefix, decision)| (*prefix, decision));
        let mut steps = self.pool_and_owner();
        steps.extend(self.services());
        if let Some((prefix, decision)) = route
            && decision.best.is_some()
        {
            steps.extend(self.bgp(prefix).await);
            steps.extend(self.next_hop(decision));
            steps.extend(self.encapsulation(decision));
        }
        steps.extend(self.ways_to_node());
        let (way, verdict) = self.way(route);
        steps.extend(way);
        steps.extend(self.source());
        Explanation {
            target: asked.to_owned(),
            what: self.what(route).into(),
            verdict,
            steps,
        }
    }

    fn what(&self, route: Option<(IpNet, &RouteDecision)>) -> &'static str {
        let address = self.target.addr();
        if self.is_own_pod_address() {
            return "this node's own pod address";
        }
        if self.plan.node.address(address.is_ipv4()) == Some(address) || self.view.is_local(address) {
            return "this node";
        }
        if self.plan.remote_at(address).is_some() {
            return "node";
        }
        match route.map(|(_, r)| r.origin) {
            Some(Origin::Pod) => "pod of this node",
            Some(Origin::Block) => "block of this node",
            Some(Origin::Service) => "addresses of Services",
            _ if self.owner().is_some() => "pod of another node",
            _ if self.plan.pool_of(&self.target).is_some() => "in a pool, but of no node",
            Some(_) => "outside the pools",
            None if self.foreign().is_some() => "outside the pools",
            None => "unknown",
        }
    }

    /// What is announced of a Service's address, and what is not, with the checks that decided.
    fn services(&self) -> Option<Step> {
        let kubernetes = self.state.parts.kubernetes.as_ref()?;
        let intent = self.state.parts.store.state().borrow().intent.clone()?;
        let cluster = kubernetes.cluster().borrow().clone();
        let (rules, node) = (&intent.bgp.services, self.plan.node.name.as_str());
        let verdicts = kubernetes::services::explain(&cluster, rules, node, self.target.addr());
        let checks: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
        let announced = self
            .decisions
            .outline
            .originated
            .keys()
            .any(|prefix| prefix.contains(&self.target));
        let text = if announced {
            "announced by this node"
        } else {
            "not announced by this node"
        };
        (!checks.is_empty()).then(|| step("services", text, checks))
    }

    fn pool_and_owner(&self) -> Vec<Step> {
        let Some(pool) = self.plan.pool_of(&self.target) else {
            return vec![step("pool", "none: no IPPool holds it", Vec::new())];
        };
        let modes = format!("vxlanMode {}, ipipMode {}", pool.modes.vxlan, pool.modes.ipip);
        let mut steps = vec![step(
            "pool",
            format!("{} ({})", pool.name, pool.cidr),
            vec![modes],
        )];
        if let Some(block) = self.plan.blocks.iter().find(|b| b.cidr.contains(&self.target)) {
            steps.push(step(
                "block",
                format!("{} of this node, {}", block.cidr, self.plan.node.name),
                Vec::new(),
            ));
            steps.extend(self.pod());
            return steps;
        }
        let text = self
            .owner()
            .unwrap_or_else(|| "no node owns a block that holds it".into());
        steps.push(step("block", text, Vec::new()));
        steps
    }

    /// The block of another node that holds the target, with the node.
    fn owner(&self) -> Option<String> {
        self.plan.remotes.iter().find_map(|node| {
            let block = node.blocks.iter().find(|b| b.contains(&self.target))?;
            Some(format!(
                "{block} of {} ({})",
                node.name,
                node.address(block.addr().is_ipv4())?
            ))
        })
    }

    fn pod(&self) -> Option<Step> {
        let leases = self.state.parts.pods.leases();
        let lease = leases
            .iter()
            .find(|l| l.addresses.iter().any(|a| IpNet::from(*a) == self.target));
        if let Some(lease) = lease {
            let who = match &lease.pod {
                Some(pod) => format!("{}/{}", pod.namespace, pod.name),
                None => lease.owner.to_string(),
            };
            return Some(step(
                "pod",
                format!("{who}, on {}", lease.host_ifname),
                Vec::new(),
            ));
        }
        if self.is_own_pod_address() {
            return Some(step("pod", "none: reserved for the node itself", Vec::new()));
        }
        let single = self.target.prefix_len() == self.target.max_prefix_len();
        single.then(|| step("pod", "none: the address is free", Vec::new()))
    }

    async fn bgp(&self, prefix: IpNet) -> Option<Step> {
        let bgp = self.state.parts.speaker()?;
        let question = bgp.query(move |speaker, _| bgp_text::explained(speaker.rib(), prefix));
        let (result, checks) = tokio::time::timeout(Duration::from_secs(5), question)
            .await
            .ok()?
            .ok()?;
        Some(step("bgp", result, checks))
    }

    fn next_hop(&self, decision: &RouteDecision) -> Option<Step> {
        let next_hop = decision.best.as_ref()?.next_hop?;
        let hop = learned_hop(&next_hop);
        // A node that is a neighbour is sent to as such, whatever is learned about its address.
        let resolution = match self.is_near(decision) {
            true => resolve(self.view, &BTreeMap::new(), hop),
            false => resolve(self.view, &self.decisions.table().outside, hop),
        };
        let node = match self.plan.remote_at(next_hop.ip) {
            Some(node) => format!("{next_hop} is node {}", node.name),
            None => format!("{next_hop} is no node of the cluster"),
        };
        let trace = resolution.trace.iter().map(ToString::to_string).collect();
        Some(step(
            "next hop",
            format!("{node}; {}", routes_text::outcome(&resolution.outcome)),
            trace,
        ))
    }

    /// The owner is a node on one of our own links.
    fn is_near(&self, decision: &RouteDecision) -> bool {
        let path = decision.node.as_ref().zip(self.plan.pool_of(&self.target));
        let path =
            path.and_then(|(node, pool)| node_paths::find(&self.decisions.outline.paths, &pool.name, node));
        path.is_some_and(|p| matches!(p.path, tunnel::L2Path::OnLink { .. }))
    }

    fn encapsulation(&self, decision: &RouteDecision) -> Option<Step> {
        let Some(encapsulation) = decision.encapsulation else {
            return Some(step("encapsulation", decision.reason.to_string(), Vec::new()));
        };
        let mut checks = vec![decision.reason.to_string()];
        if let (Some(node), Some(pool)) = (&decision.node, self.plan.pool_of(&self.target))
            && let Some(path) = node_paths::find(&self.decisions.outline.paths, &pool.name, node)
        {
            checks.extend(self.checks_of(path).into_iter().skip(1));
        }
        Some(step(
            "encapsulation",
            bgp_text::encapsulation(encapsulation),
            checks,
        ))
    }
}
