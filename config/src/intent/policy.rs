//! What a `BGPPeer` says of the routes of its sessions beside filters, and what the `BGPConfiguration` says of all routes.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::filter::Community;
use crate::vocabulary::Asn;

/// Policy of the sessions of one `BGPPeer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerPolicy {
    /// Our AS number towards this peer (`localASNumber`); else the node's.
    pub local_as: Option<Asn>,
    /// How it shows in AS paths. (ours)
    pub local_as_mode: LocalAsMode,
    /// How often our AS number may be in a received AS path (`numAllowedLocalASNumbers`).
    pub allowed_own_as: u8,
    /// What is told as the next hop (`nextHopMode`, `keepOriginalNextHop`).
    pub next_hop: NextHopMode,
    /// The peer's AS number is replaced by ours in what it is told. (ours)
    pub as_override: bool,
    /// What becomes of private AS numbers in what it is told. (ours)
    pub remove_private_as: RemovePrivateAs,
    /// The AS path of an eBGP peer must begin with its AS number. (ours)
    pub enforce_first_as: bool,
    /// Routes that the peer is about to take away are the last resort. (ours)
    pub honor_graceful_shutdown: bool,
}

impl Default for PeerPolicy {
    fn default() -> Self {
        Self {
            local_as: None,
            local_as_mode: LocalAsMode::default(),
            allowed_own_as: 0,
            next_hop: NextHopMode::default(),
            as_override: false,
            remove_private_as: RemovePrivateAs::default(),
            enforce_first_as: true,
            honor_graceful_shutdown: true,
        }
    }
}

impl PeerPolicy {
    /// Whether everything is left to the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How an AS number of the session's own shows in AS paths (RFC 7705).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum LocalAsMode {
    /// In the place of the node's; Calico's meaning.
    #[default]
    #[serde(rename = "ReplaceAS")]
    ReplaceAs,
    /// Before the node's, in what the peer is told.
    NoPrepend,
    /// Before the node's, and before the path of what the peer tells.
    Prepend,
}

/// What is told as the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum NextHopMode {
    /// The node towards eBGP, as learned towards iBGP.
    #[default]
    Auto,
    /// The node.
    #[serde(rename = "Self")]
    SelfAddress,
    /// As learned.
    Keep,
    /// As learned towards eBGP: the older `keepOriginalNextHop`.
    KeepExternal,
}

/// What becomes of private AS numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum RemovePrivateAs {
    /// They stay.
    #[default]
    Never,
    /// They go where there are no others.
    IfAllPrivate,
    /// They go.
    All,
    /// Ours stands in the place of each.
    Replace,
}

/// Communities of the routes in a range (`prefixAdvertisements`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixAdvertisement {
    /// The range.
    pub cidr: IpNet,
    /// Its communities, names resolved.
    pub communities: Vec<Community>,
}

/// Which equal paths are used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipath {
    /// How many, at most.
    pub max_paths: u16,
    /// eBGP paths of equal length whatever ASes they cross.
    pub relax: bool,
}

impl Default for Multipath {
    fn default() -> Self {
        Self {
            max_paths: 8,
            relax: true,
        }
    }
}

impl Multipath {
    /// Whether everything is left to the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
