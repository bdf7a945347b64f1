//! BGP speaker on tokio: sockets and timers round the pure [`bgpd_proto`].
//!
//! ```text
//!            Handle ──Command──►  engine (owns the Speaker)  ──RibState──► watch
//!                                   ▲ Report          │ Order
//!  listener tasks ──Accepted────────┤                 ▼
//!  connection tasks ──Bytes, Drained, Closed──── one each, socket halves inside
//! ```
//!
//! One task, the engine, owns the [`Speaker`]: no locks. All channels are bounded. UPDATEs are built when a connection has
//! taken what it was given before, so that a slow peer costs nothing but its own delay. Dropping cancels: the
//! connections live in the engine's task set, the engine lives as long as a [`Handle`] does.

mod connection;
mod engine;
mod error;
mod handle;
mod listener;
mod socket;

pub use bgpd_proto::speaker::{Speaker, SpeakerConfig};
pub use error::Error;
pub use handle::{Handle, News, RibState, Shutdown};

use bgpd_proto::rib::Originated;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Starts a speaker. `listen` are the addresses to accept connections on (none: only our own attempts); with port
/// zero the kernel chooses, see [`Handle::listening`]. Must be called inside a tokio runtime.
pub async fn start(config: SpeakerConfig, listen: Vec<SocketAddr>) -> Result<Handle, Error> {
    start_originating(config, BTreeMap::new(), listen).await
}

/// Like [`start`], with routes that are originated from the first message on: peers that kept ours over a restart
/// must not see an End-of-RIB before them.
pub async fn start_originating(
    config: SpeakerConfig,
    originated: BTreeMap<IpNet, Originated>,
    listen: Vec<SocketAddr>,
) -> Result<Handle, Error> {
    let listeners = listen
        .into_iter()
        .map(socket::listen)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(engine::spawn(config, originated, listeners))
}
