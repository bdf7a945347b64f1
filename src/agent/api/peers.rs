//! `GET /v1/peers` and `/v1/peers/{peer}`.

use std::net::IpAddr;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State as Extract};
use bgpd_proto::speaker::PeerStatus;
use bgpd_proto::types::{Family, PeerKind};
use config::api::ErrorKind;
use config::api::peers::{Peer, PeerFamily};

use super::answer::Failure;
use super::bgp_text;
use super::state::State;

pub async fn list(Extract(state): Extract<State>) -> Json<Vec<Peer>> {
    Json(all(&state).await)
}

/// Every session.
pub async fn all(state: &State) -> Vec<Peer> {
    let asn = local_as(state);
    let sessions = bgp_text::sessions(state).await;
    sessions.iter().map(|s| peer(s, asn)).collect()
}

pub async fn one(Extract(state): Extract<State>, Path(address): Path<String>) -> Result<Json<Peer>, Failure> {
    let asn = local_as(&state);
    let sessions = bgp_text::sessions(&state).await;
    let wanted: Option<IpAddr> = address.parse().ok();
    let found = sessions
        .iter()
        .find(|s| Some(s.id.0) == wanted || s.name == address);
    found.map(|s| Json(peer(s, asn))).ok_or_else(|| {
        Failure::new(
            ErrorKind::NotFound,
            format!("there is no peer {address}"),
            "`roadbed peers` lists them",
        )
    })
}

fn local_as(state: &State) -> u32 {
    state.snapshot().plan.map_or(0, |plan| plan.speaker.asn.0)
}

fn peer(s: &PeerStatus, local_as: u32) -> Peer {
    let negotiated = s.negotiated.as_ref();
    Peer {
        address: s.id.0,
        name: s.name.clone(),
        remote_as: s.remote_asn.0,
        local_as,
        kind: kind(s.kind).into(),
        state: s.state.to_string(),
        since_seconds: Instant::now().saturating_duration_since(s.since).as_secs(),
        local_address: s.local_address.map(|a| a.ip()),
        router_id: negotiated.map(|n| n.remote_router_id.to_string()),
        hold_seconds: negotiated.map_or(0, |n| n.hold_time.as_secs()),
        last_error: s.last_error.clone(),
        kept_seconds: s
            .retained_until
            .map(|until| until.saturating_duration_since(Instant::now()).as_secs()),
        flaps: s.counters.flaps,
        families: s.families.iter().map(family).collect(),
        capabilities: negotiated.map_or_else(Vec::new, |n| {
            let both = n
                .local_capabilities
                .iter()
                .filter(|c| n.remote_capabilities.contains(c));
            both.cloned().collect()
        }),
        messages_in: s.counters.messages_in,
        messages_out: s.counters.messages_out,
    }
}

/// `internal` or `external`.
pub fn kind(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::Internal => "internal",
        PeerKind::External => "external",
    }
}

fn family(f: &bgpd_proto::speaker::FamilyStatus) -> PeerFamily {
    PeerFamily {
        family: match f.family {
            Family::Ipv4Unicast => "ipv4".into(),
            Family::Ipv6Unicast => "ipv6".into(),
        },
        received: f.received as u64,
        accepted: f.accepted as u64,
        rejected: f.rejected as u64,
        advertised: f.advertised as u64,
        end_of_rib: f.end_of_rib,
    }
}
