//! BFD against real peers and between agents: sessions come up with negotiated timers, a peer that hangs or a way that
//! carries one direction only is found at once, and restarts cost nothing.

mod agents;
mod bird;
mod frr;
mod router;

use std::time::Duration;

use config::api::peers::{Peer, PeerBfd};

use crate::support::{Fabric, check, view};

/// A hold time that no test waits for.
const HOLD: &str = "240s";

/// Far above three times 100 ms, far below any hold time: what a busy machine needs to tell the loss.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The BFD session of a peer.
fn path(fabric: &Fabric, node: &str, peer: &str) -> Result<PeerBfd, String> {
    let peer = view::peer(fabric, node, peer)?;
    let seen = format!("{peer:?}");
    peer.bfd.ok_or(seen)
}

/// The session is up, and so is BGP.
fn up(fabric: &Fabric, node: &str, peer: &str) -> Result<(Peer, PeerBfd), String> {
    let bgp = view::established(fabric, node, peer)?;
    let bfd = path(fabric, node, peer)?;
    check(bfd.state == "up", || format!("{bfd:?}"))?;
    Ok((bgp, bfd))
}

/// Up, and a loss would be found after this time.
fn negotiated(fabric: &Fabric, node: &str, peer: &str, detection_ms: u64) -> Result<(Peer, PeerBfd), String> {
    let (bgp, bfd) = up(fabric, node, peer)?;
    check(bfd.detection_ms == Some(detection_ms), || format!("{bfd:?}"))?;
    Ok((bgp, bfd))
}
