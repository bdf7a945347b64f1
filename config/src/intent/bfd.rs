//! What is wanted of BFD: for all sessions (`BGPConfiguration`), or for those of one `BGPPeer`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether and how the path of a session is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BfdMode {
    /// As is best for the session: see `docs/bfd.md`.
    Auto,
    /// Not at all.
    Off,
    /// RFC 5881: the peer is on a network of the node's.
    SingleHop,
    /// RFC 5883: there may be routers between.
    MultiHop,
}

/// `bfd` of a resource: what is absent is as the wider resource says, or as by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bfd {
    /// Default `Auto`.
    pub mode: Option<BfdMode>,
    /// The peer need not send faster. Default 300 ms.
    pub receive_interval: Option<Duration>,
    /// We do not send faster. Default 300 ms.
    pub transmit_interval: Option<Duration>,
    /// So many packets missing are a loss. Default 3.
    pub detect_multiplier: Option<u8>,
}

impl Bfd {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Bfd::default()
    }

    /// What this says, and where it says nothing what `wider` says.
    pub fn or(self, wider: Bfd) -> Bfd {
        Bfd {
            mode: self.mode.or(wider.mode),
            receive_interval: self.receive_interval.or(wider.receive_interval),
            transmit_interval: self.transmit_interval.or(wider.transmit_interval),
            detect_multiplier: self.detect_multiplier.or(wider.detect_multiplier),
        }
    }
}
