//! What the speaker is told: itself and its peers, as one complete value.
//!
//! A new [`SpeakerConfig`] is compared with the old one peer by peer. What was agreed in the OPEN messages (AS numbers,
//! identifier, hold time, families) or makes the TCP connection (addresses, port, TTL) needs a new session; all else
//! is taken up while the session stays.

use crate::rib::{ImportRules, LocalSettings, PeerPolicy};
use crate::session;
use crate::types::{Asn, Family, PeerId, PeerKind, RouterId};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The complete desired state of a speaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerConfig {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP identifier: unique in the AS, not zero.
    pub router_id: RouterId,
    /// The peers, by their address.
    pub peers: BTreeMap<PeerId, PeerConfig>,
    /// What is refused at import, whoever sends it.
    pub import: ImportRules,
    /// How many equal paths a route may have; at least one.
    pub multipath: usize,
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
            import: ImportRules::default(),
            multipath: 8,
            feed_deferral: Duration::from_secs(60),
        }
    }

    /// The part that the RIB works by.
    pub(super) fn local_settings(&self) -> LocalSettings {
        LocalSettings {
            asn: self.asn,
            router_id: self.router_id,
            import: self.import.clone(),
            multipath: self.multipath.max(1),
        }
    }
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// For people: shown in tables and logs.
    pub name: String,
    /// The AS number that its OPEN must carry.
    pub remote_asn: Asn,
    /// Address that our TCP connections start from; `None` lets the kernel choose.
    pub local_address: Option<IpAddr>,
    /// TCP port to connect to.
    pub remote_port: u16,
    /// Never connect, wait for the peer.
    pub passive: bool,
    /// Hold time that we propose: zero (off) or at least three seconds, 65,535 at most.
    pub hold_time: Duration,
    /// Pause between attempts to connect, before jitter.
    pub connect_retry: Duration,
    /// Address families to offer.
    pub families: Vec<Family>,
    /// Our IPv4 address in the NEXT_HOP of what we originate or pass on by eBGP.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// The eBGP peer may be more than one hop away: TTL 255 instead of 1.
    pub multihop: bool,
    /// Lifts the default policy: what eBGP taught goes to this peer, and what it teaches goes to others.
    pub transit: bool,
}

impl PeerConfig {
    /// A peer with the defaults: port 179, hold time 90 s, an attempt each 5 s, both families.
    pub fn new(name: impl Into<String>, remote_asn: Asn) -> Self {
        Self {
            name: name.into(),
            remote_asn,
            local_address: None,
            remote_port: 179,
            passive: false,
            hold_time: Duration::from_secs(90),
            connect_retry: Duration::from_secs(5),
            families: vec![Family::Ipv4Unicast, Family::Ipv6Unicast],
            next_hop_v4: None,
            next_hop_v6: None,
            multihop: false,
            transit: false,
        }
    }

    /// iBGP or eBGP, seen from `local` AS.
    pub fn kind(&self, local: Asn) -> PeerKind {
        if self.remote_asn == local {
            PeerKind::Internal
        } else {
            PeerKind::External
        }
    }

    /// TTL of our packets: one for a direct eBGP neighbour (RFC 4271 §5.1.3 takes it to be on-link), else 255.
    pub fn ttl(&self, local: Asn) -> u8 {
        match self.kind(local) {
            PeerKind::External if !self.multihop => 1,
            _ => 255,
        }
    }

    /// The part that the session is about.
    pub(super) fn session_settings(&self, local: &SpeakerConfig, restarting: bool) -> session::Settings {
        let mut families = self.families.clone();
        families.sort();
        families.dedup();
        session::Settings {
            local_asn: local.asn,
            router_id: local.router_id,
            remote_asn: self.remote_asn,
            hold_time: acceptable_hold_time(self.hold_time),
            families,
            restarting,
            tuning: session::fsm::Tuning {
                connect_retry: self.connect_retry,
                passive: self.passive,
            },
        }
    }

    /// The part that changes without a new session.
    pub(super) fn policy(&self) -> PeerPolicy {
        PeerPolicy {
            next_hop_v4: self.next_hop_v4,
            next_hop_v6: self.next_hop_v6,
            transit: self.transit,
        }
    }

    /// Whether a change from `old` needs a new TCP connection (the settings of the session are compared apart).
    pub fn needs_new_connection(&self, old: &PeerConfig) -> bool {
        self.local_address != old.local_address
            || self.remote_port != old.remote_port
            || self.multihop != old.multihop
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
