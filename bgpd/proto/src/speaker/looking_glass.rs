//! Puts the status of all peers together, from configuration, session and RIB.

use super::feed::Feed;
use super::hub::Speaker;
use super::peer::Peer;
use super::retained::{Phase, Retained};
use super::status::{FamilyStatus, NegotiatedStatus, PeerStatus, Unfiltered};
use crate::rib::filter::Filters;
use crate::session::Negotiated;
use crate::session::fsm::Tuning;
use crate::types::{Family, PeerId, PeerKind};
use std::time::Instant;

impl Speaker {
    /// All configured peers.
    pub fn peers(&self, _now: Instant) -> Vec<PeerStatus> {
        self.peers
            .iter()
            .map(|(id, peer)| self.status(*id, peer))
            .collect()
    }

    /// The configuration in force.
    pub fn config(&self) -> &super::config::SpeakerConfig {
        &self.config
    }

    fn status(&self, id: PeerId, peer: &Peer) -> PeerStatus {
        let session = &peer.session;
        let agreed = session.agreed().filter(|_| session.established().is_some());
        let families = agreed.map_or(&peer.config.families, |agreed| &agreed.families);
        let (local_address, remote_address) = session.addresses();
        PeerStatus {
            id,
            name: peer.config.name.clone(),
            remote_asn: agreed
                .map(|agreed| agreed.asn)
                .or_else(|| peer.config.remote_as.asn(peer.config.local_as(self.config.asn))),
            local_asn: peer.config.local_as(self.config.asn),
            kind: peer.config.kind(self.config.asn),
            state: session.state(),
            since: session.since(),
            last_error: (peer.config.withheld.as_deref())
                .or(session.last_error())
                .map(str::to_owned),
            last_loss: session.last_loss().map(str::to_owned),
            families: families
                .iter()
                .map(|family| self.family_status(id, peer, *family))
                .collect(),
            negotiated: agreed.map(|agreed| negotiated(agreed, session.settings().tuning)),
            idle_until: session.idle_until(),
            exceeded: peer.exceeded,
            faults: peer.faults.clone(),
            counters: session.counters(),
            local_address,
            remote_address,
            retained_until: peer.retained.as_ref().and_then(Retained::until),
            fed: peer.is_fed(),
            unfiltered: self.unfiltered(peer),
        }
    }

    /// Without filters, an eBGP peer is believed in all things, and told all if it is a transit peer; what this node
    /// originates itself needs no filter.
    fn unfiltered(&self, peer: &Peer) -> Unfiltered {
        let config = &peer.config;
        let external = config.kind(self.config.asn) == PeerKind::External;
        let none = |filters: &Filters| config.families.iter().all(|family| filters.is_empty(*family));
        Unfiltered {
            import: external && none(&config.import.filters),
            export: external && config.export.transit && none(&config.export.filters),
        }
    }

    fn family_status(&self, id: PeerId, peer: &Peer, family: Family) -> FamilyStatus {
        let counts = self.rib.counts(id, family);
        FamilyStatus {
            family,
            received: counts.received,
            accepted: counts.accepted,
            rejected: counts.rejected,
            advertised: counts.advertised,
            limit: peer.config.max_prefix.get(family).map(|limit| limit.limit),
            end_of_rib: peer
                .feed
                .as_ref()
                .map(Feed::markers)
                .is_some_and(|markers| markers.contains(&family)),
            disabled: peer.disabled.contains(&family),
            long_lived: (peer.retained.as_ref())
                .and_then(|retained| retained.families.get(&family))
                .is_some_and(|phase| matches!(phase, Phase::LongLived(_))),
        }
    }
}

fn negotiated(agreed: &Negotiated, tuning: Tuning) -> NegotiatedStatus {
    NegotiatedStatus {
        remote_router_id: agreed.router_id,
        hold_time: agreed.hold_time,
        keepalive_time: tuning.keepalive_time(agreed.hold_time),
        local_capabilities: agreed
            .local_capabilities
            .iter()
            .map(ToString::to_string)
            .collect(),
        remote_capabilities: agreed
            .remote_capabilities
            .iter()
            .map(ToString::to_string)
            .collect(),
        capabilities: agreed.in_force(),
    }
}
