//! What the speaker is told: itself and its peers, as one complete value.
//!
//! A new [`SpeakerConfig`] is compared with the old one peer by peer. What was agreed in the OPEN messages (AS numbers,
//! identifier, hold time, families) or makes the TCP connection (addresses, port, TTL) needs a new session; all else
//! is taken up while the session stays.

use super::bfd::BfdConfig;
use super::limits::MaxPrefix;
use crate::rib::{ExportPolicy, ImportPolicy, ImportRules, LocalSettings, PeerPolicy};
use crate::session::{self, AddPathSend, Negotiated, Offer};
use crate::types::{Asn, Family, PeerId, PeerKind, PerFamily, RemoteAs, RouterId, Secret};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What most peers have: one value for all of them.
static DEFAULT_IMPORT: LazyLock<Arc<ImportPolicy>> = LazyLock::new(Arc::default);
static DEFAULT_EXPORT: LazyLock<Arc<ExportPolicy>> = LazyLock::new(Arc::default);

/// The complete desired state of a speaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerConfig {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP identifier: unique in the AS, not zero.
    pub router_id: RouterId,
    /// The peers, by their address.
    pub peers: BTreeMap<PeerId, PeerConfig>,
    /// Networks whose hosts may connect without being configured one by one.
    pub ranges: Vec<ListenRange>,
    /// What is refused at import, whoever sends it.
    pub import: ImportRules,
    /// Our cluster as a route reflector (RFC 4456 §7); our identifier where there is none.
    pub cluster_id: Option<Ipv4Addr>,
    /// We are about to go: all peers are told to prefer other ways (RFC 8326).
    pub draining: bool,
    /// How many equal paths a route may have; at least one.
    pub multipath: usize,
    /// eBGP paths of equal length are used together whatever ASes they cross: in a fabric where each ToR is an AS of its
    /// own there is no ECMP without it.
    pub multipath_relax: bool,
    /// The full feed is declared complete at the latest this long after the start.
    pub feed_deferral: Duration,
}

impl SpeakerConfig {
    /// A speaker without peers: eight paths, and at most 60 seconds until the feed counts as complete.
    pub fn new(asn: Asn, router_id: RouterId) -> Self {
        Self {
            asn,
            router_id,
            peers: BTreeMap::new(),
            ranges: Vec::new(),
            import: ImportRules::default(),
            cluster_id: None,
            multipath: 8,
            draining: false,
            multipath_relax: true,
            feed_deferral: Duration::from_secs(60),
        }
    }

    /// Whether routes of one peer go to another.
    pub(super) fn passes_on(&self) -> bool {
        self.peers.values().any(PeerConfig::passes_on)
    }

    /// The part that the RIB works by.
    pub(super) fn local_settings(&self) -> LocalSettings {
        LocalSettings {
            asn: self.asn,
            router_id: self.router_id,
            cluster_id: self.cluster_id,
            import: self.import.clone(),
            multipath: self.multipath.max(1),
            multipath_relax: self.multipath_relax,
        }
    }
}

/// A network whose hosts become peers by connecting to us, and are none any more when their session has ended. The
/// narrowest range counts where several hold an address; a configured peer is never one of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenRange {
    /// The network.
    pub prefix: IpNet,
    /// What such a peer is like; all of them are passive on our side.
    pub template: PeerConfig,
    /// How many there may be at the same time.
    pub limit: usize,
}

/// What a TCP connection with a peer needs of its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// TTL (hop limit) of our packets.
    pub ttl: u8,
    /// Packets of the peer with a smaller TTL are dropped (RFC 5082).
    pub min_ttl: Option<u8>,
    /// Key of the TCP MD5 signature (RFC 2385).
    pub password: Option<Secret>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// For people: shown in tables and logs.
    pub name: String,
    /// The AS that its OPEN must name.
    pub remote_as: RemoteAs,
    /// The AS number that we use towards this peer in place of the speaker's own (RFC 7705).
    pub local_asn: Option<Asn>,
    /// Address that our TCP connections start from; `None` lets the kernel choose.
    pub local_address: Option<IpAddr>,
    /// TCP port to connect to.
    pub remote_port: u16,
    /// The link-local address of a peer that is known by its interface, where it is not to be looked for.
    pub neighbour: Option<Ipv6Addr>,
    /// Why the session is not to start yet, for people: something that it needs is missing. The first full feed waits for it.
    pub withheld: Option<Arc<str>>,
    /// Never connect, wait for the peer.
    pub passive: bool,
    /// Hold time that we propose: zero (off) or at least three seconds, 65,535 at most.
    pub hold_time: Duration,
    /// The shortest hold time that the peer may propose; a peer that proposes less, or none at all (zero), is refused, unless
    /// we propose zero ourselves. Zero here lets it switch the hold timer off.
    pub min_hold_time: Duration,
    /// Pause between our KEEPALIVEs, before jitter; `None`, and at most, a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// Pause between attempts to connect, before jitter.
    pub connect_retry: Duration,
    /// Pause between UPDATEs about the same prefix (MinRouteAdvertisementIntervalTimer, RFC 4271 §9.2.1.1); zero is none.
    pub advertisement_interval: Duration,
    /// Address families to offer.
    pub families: Vec<Family>,
    /// Capabilities to offer.
    pub offer: Offer,
    /// The longest time for which routes of the peer are kept while it restarts, whatever it asks for (RFC 4724 §4.2).
    pub restart_limit: Duration,
    /// How many prefixes the peer may send.
    pub max_prefix: PerFamily<Option<MaxPrefix>>,
    /// Our IPv4 address in the NEXT_HOP of what we originate or pass on by eBGP.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// The eBGP peer is at most this many hops away: the TTL of our packets. One where it is a neighbour.
    pub multihop: u8,
    /// Generalized TTL security (RFC 5082): the peer is at most this many hops away (1: on the same link), and packets from
    /// further away are dropped by the kernel. Both ends must have it, or the other end must send with TTL 255.
    pub ttl_security: Option<u8>,
    /// Key of the TCP MD5 signature (RFC 2385), at most 80 octets. A new key is taken up without a new session.
    pub password: Option<Secret>,
    /// What is believed of what the peer teaches, and what is changed on it.
    pub import: Arc<ImportPolicy>,
    /// What the peer is told, and how.
    pub export: Arc<ExportPolicy>,
    /// How the path to the peer is watched; `None`: not at all. A change of it leaves the session alone.
    pub bfd: Option<BfdConfig>,
}

impl PeerConfig {
    /// How many paths of a prefix the peer is told, as far as it agreed to that (RFC 7911 §4).
    pub(super) fn paths_told(&self, agreed: &Negotiated, family: Family) -> AddPathSend {
        match agreed.add_path_out.get(family) {
            true => self.offer.add_path.get(family).send,
            false => AddPathSend::None,
        }
    }

    /// A peer with the defaults: port 179, hold time 90 s and from the peer at least 3 s, an attempt each 5 s, both families.
    pub fn new(name: impl Into<String>, remote_as: impl Into<RemoteAs>) -> Self {
        Self {
            name: name.into(),
            remote_as: remote_as.into(),
            local_asn: None,
            local_address: None,
            remote_port: 179,
            neighbour: None,
            withheld: None,
            passive: false,
            hold_time: Duration::from_secs(90),
            min_hold_time: Duration::from_secs(3),
            keepalive_time: None,
            connect_retry: Duration::from_secs(5),
            advertisement_interval: Duration::ZERO,
            families: vec![Family::Ipv4Unicast, Family::Ipv6Unicast],
            offer: Offer::default(),
            restart_limit: Duration::from_secs(600),
            max_prefix: PerFamily::default(),
            next_hop_v4: None,
            next_hop_v6: None,
            multihop: 1,
            ttl_security: None,
            password: None,
            import: Arc::clone(&DEFAULT_IMPORT),
            export: Arc::clone(&DEFAULT_EXPORT),
            bfd: None,
        }
    }

    /// Whether what this peer teaches may go to others, or what others teach to it: by transit, reflection, or filters.
    fn passes_on(&self) -> bool {
        let filtered = Family::ALL
            .iter()
            .any(|family| !self.export.filters.is_empty(*family));
        self.import.transit || self.export.transit || self.export.client || filtered
    }

    /// Lifts the default policy, or not: what eBGP taught goes to this peer, and what it teaches goes to others.
    pub fn set_transit(&mut self, transit: bool) {
        if self.import.transit != transit {
            Arc::make_mut(&mut self.import).transit = transit;
        }
        if self.export.transit != transit {
            Arc::make_mut(&mut self.export).transit = transit;
        }
    }

    /// The AS number that we use towards this peer; `speaker` is the speaker's own.
    pub fn local_as(&self, speaker: Asn) -> Asn {
        self.local_asn.unwrap_or(speaker)
    }

    /// iBGP or eBGP, for a speaker whose own AS is `speaker`.
    pub fn kind(&self, speaker: Asn) -> PeerKind {
        self.remote_as.kind(self.local_as(speaker))
    }

    /// How TCP is set up: TTL one for a direct eBGP neighbour (RFC 4271 §5.1.3 takes it to be on-link), else 255.
    pub fn transport(&self, speaker: Asn) -> Transport {
        let counted = self.kind(speaker) == PeerKind::External && self.ttl_security.is_none();
        Transport {
            ttl: if counted { self.multihop.max(1) } else { 255 },
            // 255 from one hop, as no router has counted it down (RFC 5082 §3).
            min_ttl: self
                .ttl_security
                .filter(|hops| *hops > 0)
                .map(|hops| 255 - (hops - 1)),
            password: self.password.clone(),
        }
    }

    /// The part that the session is about.
    pub(super) fn session_settings(&self, local: &SpeakerConfig, restarting: bool) -> session::Settings {
        let mut families = self.families.clone();
        families.sort();
        families.dedup();
        session::Settings {
            local_asn: self.local_as(local.asn),
            router_id: local.router_id,
            remote_as: self.remote_as,
            hold_time: acceptable_hold_time(self.hold_time),
            min_hold_time: self.min_hold_time,
            families,
            offer: self.offer,
            restarting,
            tuning: session::fsm::Tuning {
                keepalive: self.keepalive_time,
                connect_retry: self.connect_retry,
                passive: self.passive,
            },
        }
    }

    /// The part that changes without a new session.
    pub(super) fn policy(&self, local: &SpeakerConfig) -> PeerPolicy {
        let mut export = Arc::clone(&self.export);
        if local.draining && !export.drain {
            Arc::make_mut(&mut export).drain = true;
        }
        PeerPolicy {
            next_hop_v4: self.next_hop_v4,
            next_hop_v6: self.next_hop_v6,
            import: Arc::clone(&self.import),
            export,
        }
    }

    /// Whether a change from `old` needs a new TCP connection (the settings of the session are compared apart).
    pub fn needs_new_connection(&self, old: &PeerConfig) -> bool {
        self.local_address != old.local_address
            || self.remote_port != old.remote_port
            || self.neighbour != old.neighbour
            || self.multihop != old.multihop
            || self.ttl_security != old.ttl_security
    }
}

/// Zero or at least three seconds (RFC 4271 §4.2), whole seconds, and what two octets hold.
fn acceptable_hold_time(wanted: Duration) -> Duration {
    if wanted.is_zero() {
        wanted
    } else {
        Duration::from_secs(wanted.as_secs().clamp(3, u64::from(u16::MAX)))
    }
}
