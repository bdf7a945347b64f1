//! `GET /v1/peers` and `/v1/peers/{peer}`, `POST /v1/peers/{peer}/refresh`.

use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State as Extract};
use bgpd_proto::speaker::{Faults, PeerStatus};
use bgpd_proto::types::{Family, PeerId, PeerKind};
use config::api::ErrorKind;
use config::api::peers::{Peer, PeerFamily, PeerFault, PeerFaults, PeerRefresh};

use super::answer::Failure;
use super::state::State;
use super::{bfd, bgp_text};

pub async fn list(Extract(state): Extract<State>) -> Json<Vec<Peer>> {
    Json(all(&state).await)
}

/// Every session.
pub async fn all(state: &State) -> Vec<Peer> {
    let sessions = bgp_text::sessions(state).await;
    let paths = bfd::status(state);
    sessions.iter().map(|s| peer(s, &paths)).collect()
}

pub async fn one(Extract(state): Extract<State>, Path(address): Path<String>) -> Result<Json<Peer>, Failure> {
    let paths = bfd::status(&state);
    find(&state, &address).await.map(|s| Json(peer(&s, &paths)))
}

/// Asks the peer for all its routes again. The body says nothing, but a connection that is closed with a part of it unread is
/// reset, and the answer may be lost with it.
pub async fn refresh(
    Extract(state): Extract<State>,
    Path(address): Path<String>,
    _body: axum::body::Bytes,
) -> Result<Json<PeerRefresh>, Failure> {
    let id = find(&state, &address).await?.id;
    let gone = || Failure::new(ErrorKind::TryLater, "the BGP speaker is not running", "");
    let bgp = state.parts.speaker().ok_or_else(gone)?;
    let asked = bgp.refresh(id).await.map_err(|_| gone())?;
    Ok(Json(PeerRefresh { asked }))
}

/// A peer by its address, its interface or its name.
async fn find(state: &State, address: &str) -> Result<PeerStatus, Failure> {
    let wanted: Option<PeerId> = address.parse().ok();
    let sessions = bgp_text::sessions(state).await;
    let found = (sessions.into_iter()).find(|s| Some(s.id) == wanted || s.name == address);
    found.ok_or_else(|| {
        Failure::new(
            ErrorKind::NotFound,
            format!("there is no peer {address}"),
            "`roadbed peers` lists them",
        )
    })
}

fn peer(s: &PeerStatus, paths: &bgpd::bfd::Status) -> Peer {
    let negotiated = s.negotiated.as_ref();
    Peer {
        address: s.id.to_string(),
        name: s.name.clone(),
        remote_as: s.remote_asn.map_or(0, |asn| asn.0),
        local_as: s.local_asn.0,
        kind: kind(s.kind).into(),
        state: s.state.to_string(),
        since_seconds: Instant::now().saturating_duration_since(s.since).as_secs(),
        local_address: s.local_address.map(|a| a.ip()),
        router_id: negotiated.map(|n| n.remote_router_id.to_string()),
        hold_seconds: negotiated.map_or(0, |n| n.hold_time.as_secs()),
        keepalive_seconds: negotiated.map_or(0, |n| n.keepalive_time.as_secs()),
        last_error: s.last_error.clone(),
        last_loss: s.last_loss.clone(),
        idle_seconds: s
            .idle_until
            .map(|until| until.saturating_duration_since(Instant::now()).as_secs()),
        connect_retries: s.counters.connect_retries,
        faults: faults(&s.faults),
        kept_seconds: s
            .retained_until
            .map(|until| until.saturating_duration_since(Instant::now()).as_secs()),
        flaps: s.counters.flaps,
        families: s.families.iter().map(family).collect(),
        capabilities: negotiated.map_or_else(Vec::new, |n| n.capabilities.clone()),
        bfd: bfd::of(s, paths),
        unfiltered: unfiltered(s),
        messages_in: s.counters.messages_in,
        messages_out: s.counters.messages_out,
    }
}

fn faults(f: &Faults) -> PeerFaults {
    let now = Instant::now();
    let one = |(at, what): &(Instant, String)| PeerFault {
        ago_seconds: now.saturating_duration_since(*at).as_secs(),
        what: what.clone(),
    };
    PeerFaults {
        discarded: f.discarded,
        treated_as_withdraw: f.treated_as_withdraw,
        families_disabled: f.families_disabled,
        ignored: f.ignored,
        last: f.last.iter().map(one).collect(),
    }
}

/// `import`, `export` or both.
pub fn unfiltered(s: &PeerStatus) -> Vec<String> {
    let directions = [("import", s.unfiltered.import), ("export", s.unfiltered.export)];
    let open = directions.into_iter().filter(|(_, open)| *open);
    open.map(|(name, _)| name.to_owned()).collect()
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
        limit: f.limit,
        disabled: f.disabled,
        advertised: f.advertised as u64,
        end_of_rib: f.end_of_rib,
    }
}
