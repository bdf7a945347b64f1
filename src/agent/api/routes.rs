//! `GET /v1/routes`: the looking glass.

use axum::Json;
use axum::extract::{Query, State as Extract};
use bgpd_proto::rib::{PathKind, PathView, RejectReason, filter};
use bgpd_proto::types::PeerId;
use bgpd_proto::wire::PathAttributes;
use config::api::ErrorKind;
use config::api::routes::Route;
use ipnet::IpNet;
use routesync::{Outcome, RouteKey};
use serde::Deserialize;

use super::answer::Failure;
use super::bgp_text;
use super::state::State;
use crate::agent::snapshot::Snapshot;
use crate::decide::routes::Origin;
use crate::decide::{Decisions, RouteDecision};

#[derive(Deserialize)]
pub struct Asked {
    prefix: Option<IpNet>,
    received: Option<String>,
    advertised: Option<String>,
    #[serde(default)]
    rejected: bool,
}

pub async fn get(
    Extract(state): Extract<State>,
    Query(asked): Query<Asked>,
) -> Result<Json<Vec<Route>>, Failure> {
    let views = [
        asked.received.is_some(),
        asked.advertised.is_some(),
        asked.rejected,
    ];
    if views.into_iter().filter(|v| *v).count() > 1 {
        let message = "only one of received, advertised and rejected can be asked for at once";
        return Err(Failure::new(ErrorKind::Invalid, message, "ask twice"));
    }
    let mut routes = match (&asked.received, &asked.advertised, asked.rejected) {
        (Some(peer), _, _) => received(&state, named(peer)?).await?,
        (_, Some(peer), _) => advertised(&state, named(peer)?).await?,
        (_, _, true) => rejected(&state).await?,
        _ => decided(&state)?,
    };
    if let Some(within) = asked.prefix {
        routes.retain(|route| within.contains(&route.prefix));
    }
    Ok(Json(routes))
}

fn named(peer: &str) -> Result<PeerId, Failure> {
    peer.parse().map_err(|_| {
        Failure::new(
            ErrorKind::Invalid,
            format!("`{peer}` is no peer"),
            "`roadbed peers` lists them",
        )
    })
}

fn decided(state: &State) -> Result<Vec<Route>, Failure> {
    let snapshot = state.snapshot();
    let decisions = snapshot.decisions.clone().ok_or_else(Failure::no_plan)?;
    Ok(decisions
        .routes()
        .iter()
        .map(|(prefix, decision)| decided_route(state, &snapshot, &decisions, prefix, decision))
        .collect())
}

fn decided_route(
    state: &State,
    snapshot: &Snapshot,
    decisions: &Decisions,
    prefix: &IpNet,
    decision: &RouteDecision,
) -> Route {
    let mut route = match &decision.best {
        Some(path) => learned(*prefix, path),
        None => blank(*prefix),
    };
    route.origin = match decision.origin {
        Origin::Block => "local",
        Origin::Pod => "pod",
        Origin::Service => "service",
        Origin::External => "external",
        Origin::Internal => "internal",
    }
    .into();
    route.node = decision.node.as_ref().map(ToString::to_string);
    route.encapsulation = Some(
        decision
            .encapsulation
            .map_or("none", bgp_text::encapsulation)
            .into(),
    );
    route.reason = decision.reason.to_string();
    route.kernel = decision
        .kernel
        .as_ref()
        .map_or_else(String::new, |kernel| kernel.route.text(prefix));
    route.installed = decision.kernel.is_some() && installed(state, snapshot, &decisions.key(*prefix));
    route
}

async fn received(state: &State, peer: PeerId) -> Result<Vec<Route>, Failure> {
    let routes = state.parts.speaker().ok_or_else(Failure::no_plan)?;
    let routes = routes
        .query(move |speaker, _| speaker.rib().received(peer))
        .await?;
    let row = |r: bgpd_proto::rib::ReceivedView| {
        let mut reason = match (&r.rejected, r.selected) {
            (Some(why), _) => format!("rejected: {}", because(why, r.rule.as_ref())),
            (None, true) => "accepted, selected".into(),
            (None, false) => "accepted".into(),
        };
        if let (None, Some(rule)) = (&r.rejected, &r.rule) {
            reason += &format!(", by {rule}");
        }
        if let Some(changed) = &r.changed {
            reason += &format!(
                ", changed to {}",
                bgp_text::difference(&r.path.attributes, changed)
            );
        }
        let route = Route {
            reason,
            ..learned(r.prefix, &r.path)
        };
        judged_by(route, r.rule.as_ref())
    };
    Ok(routes.into_iter().map(row).collect())
}

async fn rejected(state: &State) -> Result<Vec<Route>, Failure> {
    let bgp = state.parts.speaker().ok_or_else(Failure::no_plan)?;
    let routes = bgp.query(|speaker, _| speaker.rib().rejected()).await?;
    let row = |r: bgpd_proto::rib::RejectedView| {
        let route = Route {
            reason: because(&r.reason, r.rule.as_ref()),
            ..learned(r.prefix, &r.path)
        };
        judged_by(route, r.rule.as_ref())
    };
    Ok(routes.into_iter().map(row).collect())
}

async fn advertised(state: &State, peer: PeerId) -> Result<Vec<Route>, Failure> {
    let bgp = state.parts.speaker().ok_or_else(Failure::no_plan)?;
    let routes = bgp
        .query(move |speaker, _| speaker.rib().advertised(peer))
        .await?;
    let row = |r: bgpd_proto::rib::AdvertisedView| {
        let path = r.path_id.map(|id| format!(" as path {id}")).unwrap_or_default();
        let by = r
            .rule
            .as_ref()
            .map(|rule| format!(", by {rule}"))
            .unwrap_or_default();
        let route = Route {
            peer: Some(peer.to_string()),
            next_hop: Some(r.next_hop),
            reason: format!("advertised{path}{by}"),
            ..with(blank(r.prefix), &r.attributes)
        };
        judged_by(route, r.rule.as_ref())
    };
    Ok(routes.into_iter().map(row).collect())
}

fn learned(prefix: IpNet, path: &PathView) -> Route {
    Route {
        origin: match path.kind {
            PathKind::Local => "local",
            PathKind::External => "external",
            PathKind::Internal => "internal",
        }
        .into(),
        peer: path.peer.map(|peer| peer.to_string()),
        next_hop: path.next_hop.map(|hop| hop.ip),
        interface: path
            .next_hop
            .and_then(|hop| hop.zone)
            .map(|zone| zone.to_string()),
        ..with(blank(prefix), &path.attributes)
    }
}

/// With what the attributes say.
fn with(route: Route, attributes: &PathAttributes) -> Route {
    fn texts<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }
    Route {
        as_path: attributes.as_path.to_string(),
        local_pref: attributes.local_pref,
        communities: texts(&attributes.communities),
        large_communities: texts(&attributes.large_communities),
        extended_communities: texts(&attributes.extended_communities),
        ..route
    }
}

/// Why a route is refused; the rule, where it was one.
fn because(reason: &RejectReason, rule: Option<&filter::Origin>) -> String {
    match (reason, rule) {
        (RejectReason::Filter, Some(rule)) => format!("rejected by {rule}"),
        _ => reason.to_string(),
    }
}

/// With the rule that decided on it.
fn judged_by(mut route: Route, rule: Option<&filter::Origin>) -> Route {
    if let Some(rule) = rule {
        route.filter = Some(rule.filter.to_string());
        route.list = Some(rule.list.to_owned());
        route.rule = Some(rule.number);
    }
    route
}

fn blank(prefix: IpNet) -> Route {
    Route {
        prefix,
        origin: String::new(),
        peer: None,
        next_hop: None,
        interface: None,
        as_path: String::new(),
        local_pref: None,
        communities: Vec::new(),
        large_communities: Vec::new(),
        extended_communities: Vec::new(),
        filter: None,
        list: None,
        rule: None,
        node: None,
        encapsulation: None,
        reason: String::new(),
        kernel: String::new(),
        installed: false,
    }
}

/// The kernel has the wanted route exactly so.
pub fn installed(state: &State, snapshot: &Snapshot, key: &RouteKey) -> bool {
    let sync = state.parts.fib.status().borrow().clone();
    sync.in_sync_with >= snapshot.fib_generation && !sync.failed.iter().any(|(failed, _, _)| failed == key)
}

/// A resolution in words.
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::OnLink { interface, .. } => format!("on-link on {interface}"),
        Outcome::Via {
            gateway,
            interface,
            metric,
            ..
        } => {
            format!("via {gateway} on {interface}, metric {}", metric.0)
        }
        Outcome::Unreachable(why) => format!("unreachable: {why}"),
    }
}
