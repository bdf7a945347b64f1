//! How sessions behave: timers, limits, protection and capabilities, where the defaults are not left alone.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of a session; what is absent is left to the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRules {
    /// Hold time that we propose (RFC 4271 §4.2): 3 s to 65,535 s. Default 90 s. (ours)
    pub hold_time: Option<Duration>,
    /// Pause between KEEPALIVEs (`keepaliveTime`); the hold time grows to three times this where it is shorter.
    pub keepalive_time: Option<Duration>,
    /// Pause between attempts to connect. Default 5 s. (ours)
    pub connect_retry: Option<Duration>,
    /// Least time between two advertisements of a route (RFC 4271 §9.2.1.1). Default none. (ours)
    pub advertisement_interval: Option<Duration>,
    /// How long the peer may keep our routes while we restart (`maxRestartTime`; RFC 4724 §3): at most 4,095 s. Default 120 s.
    pub restart_time: Option<Duration>,
    /// How long stale routes are kept after the restart time, at the lowest preference (RFC 9494); absent: not at all. (ours)
    pub long_lived_stale_time: Option<Duration>,
    /// Password of TCP MD5 (RFC 2385).
    pub password: Option<PasswordRef>,
    /// At most this many hops away, checked by the TTL (RFC 5082); absent: not checked.
    pub ttl_security: Option<u8>,
    /// Bounds of what the peer may announce. (ours)
    pub max_prefixes: MaxPrefixes,
    /// Several paths for each prefix (RFC 7911). (ours)
    pub add_path: AddPath,
    /// Our role towards an eBGP peer (RFC 9234). (ours)
    pub role: Option<SessionRole>,
    /// A peer that does not say its role is refused. (ours)
    pub strict_role: bool,
    /// What routes are exchanged. (ours)
    pub families: AddressFamilies,
    /// Whether IPv4 routes may have IPv6 next hops (RFC 8950). Default: on links without addresses. (ours)
    pub extended_next_hop: Option<bool>,
    /// An eBGP peer is at most this many hops away: the TTL of our packets. Default 255, on an interface 1. (ours)
    pub ebgp_multihop: Option<u8>,
    /// The shortest hold time that the peer may propose. Default 3 s. (ours)
    pub min_hold_time: Option<Duration>,
    /// How long routes of a peer that restarts are kept at most, whatever it asks for. Default 10 min. (ours)
    pub max_stale_time: Option<Duration>,
    /// Neither we nor the peer keep routes over a restart. (ours)
    pub no_restart: bool,
    /// A NOTIFICATION and the end of the hold time are taken as a restart too, where the peer does so (RFC 8538). (ours)
    pub restart_on_notification: bool,
}

impl SessionRules {
    /// Whether everything is left to the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What routes are exchanged with a peer (RFC 4760).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AddressFamilies {
    /// Both, as far as the peer speaks them.
    #[default]
    Both,
    /// IPv4 alone.
    IPv4,
    /// IPv6 alone.
    IPv6,
}

/// Where a password is kept. The password itself is in no resource, and never printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PasswordRef {
    /// A key of a Kubernetes secret in the namespace of the agent.
    Secret {
        /// Name of the secret.
        name: String,
        /// Key in it.
        key: String,
    },
    /// The first line of a file on the node. (ours)
    File(PathBuf),
}

impl fmt::Display for PasswordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordRef::Secret { name, key } => write!(f, "key {key} of secret {name}"),
            PasswordRef::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// How many prefixes a peer may announce (RFC 4486 §4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MaxPrefixes {
    /// IPv4 prefixes.
    pub ipv4: Option<u32>,
    /// IPv6 prefixes.
    pub ipv6: Option<u32>,
    /// Share of the limit, in percent, from which on it is said in `status`. Default 80.
    pub warn_percent: Option<u8>,
    /// What happens at the limit. Default: the session ends.
    pub action: MaxPrefixAction,
    /// After this long an ended session is tried again; absent: when the peering is changed.
    pub restart: Option<Duration>,
}

/// What happens when a peer announces more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MaxPrefixAction {
    /// The session ends.
    #[default]
    Restart,
    /// It is said, nothing else.
    Warn,
}

/// Several paths for each prefix (RFC 7911).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AddPath {
    /// Take several from the peer.
    pub receive: bool,
    /// Send several to it.
    pub send: AddPathSend,
}

/// How many paths of a prefix are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AddPathSend {
    /// The best one, as without ADD-PATH.
    #[default]
    None,
    /// The best ones, so many.
    Best(u8),
    /// All that are usable.
    All,
}

/// Our side of a relation between two ASes (RFC 9234 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionRole {
    /// We carry the peer's traffic to others.
    Provider,
    /// The peer carries ours.
    Customer,
    /// Neither.
    Peer,
    /// We are the route server.
    RouteServer,
    /// The peer is the route server.
    RouteServerClient,
}
