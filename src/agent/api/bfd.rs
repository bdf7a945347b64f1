//! BFD sessions as the API and `status` show them.

use std::time::{Duration, Instant};

use bgpd::bfd::{Health, Hops, SessionStatus, State as Path, Status};
use bgpd_proto::session::State as Session;
use bgpd_proto::speaker::PeerStatus;
use config::api::peers::PeerBfd;

use super::state::State;

/// A session that is not up is worth a word once it had time to come up.
const GRACE: Duration = Duration::from_secs(10);

/// All BFD sessions of the speaker; none before it runs.
pub fn status(state: &State) -> Status {
    state.parts.speaker().map(|bgp| bgp.bfd()).unwrap_or_default()
}

/// The session that watches the path to a peer.
pub fn of(peer: &PeerStatus, status: &Status) -> Option<PeerBfd> {
    let session = status.of(peer)?;
    let hops = match session.hops {
        Hops::Single => "single",
        Hops::Multi => "multi",
    };
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Some(PeerBfd {
        state: session.state.to_string(),
        since_seconds: Instant::now().saturating_duration_since(session.since).as_secs(),
        note: note(session).to_owned(),
        hops: hops.into(),
        diagnostic: session.diag.to_string(),
        remote_state: session.remote.map(|(state, _)| state.to_string()),
        detection_ms: session.detection_time.map(millis),
        transmit_ms: millis(session.transmit_interval),
        packets_in: session.packets_in,
        packets_out: session.packets_out,
        losses: session.failures,
        late: session.late,
    })
}

fn note(session: &SessionStatus) -> &'static str {
    match (session.state, session.remote) {
        (Path::Up, _) => "",
        (Path::AdminDown, _) => "it is taken down here",
        (_, Some((Path::AdminDown, _))) => "switched off by the peer",
        (_, Some(_)) => "it is coming up",
        (_, None) if session.has_been_up => "nothing is heard from the peer",
        (_, None) => "BFD has not come up: the peer does not answer",
    }
}

/// What is wrong with the watching of paths: that it cannot be done at all, and sessions that do not come up although BGP
/// has, where one was up before or was asked for by name. Nobody asked a router that has no BFD.
pub fn issues(status: &Status, peers: &[(PeerStatus, bool)], now: Instant) -> Vec<(String, u64)> {
    let mut issues = Vec::new();
    if let Health::Failed(why) = &status.health {
        issues.push((why.clone(), 0));
    }
    for (peer, asked) in peers {
        let Some(session) = status.of(peer) else {
            continue;
        };
        let down_for = now.saturating_duration_since(session.since);
        let bgp_for = now.saturating_duration_since(peer.since);
        let settled = down_for >= GRACE && peer.state == Session::Established && bgp_for >= GRACE;
        let off = matches!(session.remote, Some((Path::AdminDown, _)));
        if session.state == Path::Up || off || !settled || !(*asked || session.has_been_up) {
            continue;
        }
        let message = format!(
            "peer {} ({}): {}; its path is not watched",
            peer.id,
            peer.name,
            note(session)
        );
        issues.push((message, down_for.as_secs()));
    }
    issues
}
