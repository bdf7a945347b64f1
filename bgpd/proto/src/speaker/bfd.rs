//! What a speaker makes of the liveness of its paths (RFC 5882): which peers it wants watched, and what follows when
//! somebody who watches them (BFD, RFC 5880) says that a path is dead. The speaker knows nothing of BFD itself.
//!
//! | the path | the session | what happens |
//! |---|---|---|
//! | goes down | Established | Cease, BFD Down (RFC 9384); the routes go at once, graceful restart or not |
//! | goes down | not yet Established | nothing: TCP decides |
//! | goes down | gone, routes kept | nothing: the peer's control plane restarts, and its BFD with it (C bit 0 on both sides) |
//! | is switched off by its operator, or watched anew by the peer | any | nothing: that is no failure (RFC 5882 §3.2) |
//! | has never been up | any | nothing: the peer may not speak BFD |
//! | comes up again | not Established | an attempt to connect at once |
//!
//! Wishes follow the configuration, not the session: a session that is away is watched on, so that its return is seen.

use super::hub::Speaker;
use super::peer::Peer;
use crate::types::PeerId;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Over which of its two encapsulations BFD watches a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BfdHops {
    /// The peer is on a network that we are on (RFC 5881).
    Single,
    /// There may be routers between (RFC 5883).
    Multi,
}

/// How a peer is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdConfig {
    /// The encapsulation to begin with.
    pub hops: BfdHops,
    /// Go over to the other one if the peer uses that.
    pub follow: bool,
    /// We send no faster than this.
    pub transmit_interval: Duration,
    /// We want to receive no faster than this.
    pub receive_interval: Duration,
    /// So many of our packets missing mean that we are dead.
    pub detect_multiplier: u8,
}

impl BfdConfig {
    /// 300 ms three times.
    pub fn new(hops: BfdHops) -> Self {
        Self {
            hops,
            follow: false,
            transmit_interval: Duration::from_millis(300),
            receive_interval: Duration::from_millis(300),
            detect_multiplier: 3,
        }
    }
}

impl fmt::Display for BfdConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hops = match self.hops {
            BfdHops::Single => "single hop",
            BfdHops::Multi => "multihop",
        };
        let (tx, rx) = (
            self.transmit_interval.as_millis(),
            self.receive_interval.as_millis(),
        );
        write!(
            f,
            "{hops}, {tx} ms out, {rx} ms in, times {}",
            self.detect_multiplier
        )
    }
}

/// A path that is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdWish {
    /// The peer's address.
    pub remote: IpAddr,
    /// Index of the interface of a link-local peer, else zero.
    pub scope: u32,
    /// Our address; `None` lets the kernel choose.
    pub local: Option<IpAddr>,
    /// How.
    pub config: BfdConfig,
}

/// What has become of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// It carries packets in both directions.
    Up,
    /// It no longer does, and why, for people.
    Down(String),
    /// The peer's operator has stopped watching it, or its BFD has begun anew.
    SwitchedOff,
}

impl Speaker {
    /// Every path to be watched, if that has changed since the last call; all of them at the first.
    pub fn take_bfd_wishes(&mut self) -> Option<BTreeMap<PeerId, BfdWish>> {
        if !std::mem::take(&mut self.bfd_changed) {
            return None;
        }
        let wishes = self
            .peers
            .iter()
            .filter_map(|(id, peer)| Some((*id, wish(*id, peer)?)));
        Some(wishes.collect())
    }

    /// A path has changed. Tell first what has become of the peer's TCP connections: where one is closed already, the
    /// peer restarts, and its path is not dead.
    pub fn handle_path(&mut self, id: PeerId, change: PathChange, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match change {
            PathChange::Down(why) => {
                peer.path_lost = true;
                peer.session.path_down(why, now);
            }
            PathChange::Up if std::mem::take(&mut peer.path_lost) => peer.session.retry_now(now),
            PathChange::Up | PathChange::SwitchedOff => {}
        }
        self.drain(id, now);
        self.settle(now);
    }
}

fn wish(id: PeerId, peer: &Peer) -> Option<BfdWish> {
    let config = peer.config.bfd?;
    let (local, remote) = peer.ends.unzip();
    let scope = match remote {
        Some(SocketAddr::V6(v6)) => v6.scope_id(),
        _ => 0,
    };
    Some(BfdWish {
        // A peer that is known by its interface is watched from its first session on.
        remote: id.address().or(remote.map(|end| end.ip()))?,
        scope,
        local: peer.config.local_address.or(local.map(|end| end.ip())),
        config,
    })
}
