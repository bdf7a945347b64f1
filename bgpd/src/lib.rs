//! BGP speaker on tokio: sockets and timers round the pure [`bgpd_proto`].
//!
//! ```text
//!            Handle ──Command──►  engine (a thread, owns the Speaker)  ──RibState──► watch
//!                                  ▲ bytes, in rounds    │ bytes, as sockets take them
//!  gate ─ listener tasks ─Accepted─┤                     ▼
//!  attempts ─Dialled───────────────┴──── connections ───────► farewell (last words)
//! ```
//!
//! One thread, the engine, owns the [`Speaker`]: no locks, and nothing else of the process delays it. Sockets call it up;
//! it serves them in rounds, each for a bounded time. UPDATEs are built when a connection has
//! taken what it was given before, so that a slow peer costs nothing but its own delay. Dropping cancels: the
//! engine lives as long as a [`Handle`] does, and all connections with it.

pub mod bfd;
mod bucket;
mod connection;
mod engine;
mod error;
mod farewell;
mod gate;
mod handle;
mod input;
mod journal;
mod keys;
mod links;
mod listener;
mod neighbours;
mod options;
mod output;
mod ready;
mod signatures;
mod socket;
mod unnumbered;

pub use bgpd_proto::speaker::{Speaker, SpeakerConfig};
pub use error::Error;
pub use handle::{Handle, News, RibState, Shutdown};

use bgpd_proto::rib::Originated;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Starts a speaker. `listen` are the addresses to accept connections on (none: only our own attempts); with port
/// zero the kernel chooses, see [`Handle::listening`].
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
    engine::spawn(config, originated, listeners).await
}
