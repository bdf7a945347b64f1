//! Puts the status of all peers together, from configuration, session and RIB.

use super::feed::Feed;
use super::hub::Speaker;
use super::peer::Peer;
use super::status::{FamilyStatus, NegotiatedStatus, PeerStatus};
use crate::session::Negotiated;
use crate::types::{Family, PeerId};
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
            remote_asn: peer.config.remote_asn,
            kind: peer.config.kind(self.config.asn),
            state: session.state(),
            since: session.since(),
            last_error: session.last_error().map(str::to_owned),
            last_loss: session.last_loss().map(str::to_owned),
            families: families
                .iter()
                .map(|family| self.family_status(id, peer, *family))
                .collect(),
            negotiated: agreed.map(|agreed| negotiated(agreed)),
            counters: session.counters(),
            local_address,
            remote_address,
            retained_until: peer.retained.as_ref().map(|retained| retained.until),
            fed: peer.is_fed(),
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
            end_of_rib: peer
                .feed
                .as_ref()
                .map(Feed::markers)
                .is_some_and(|markers| markers.contains(&family)),
            disabled: peer.disabled.contains(&family),
        }
    }
}

fn negotiated(agreed: &Negotiated) -> NegotiatedStatus {
    NegotiatedStatus {
        remote_router_id: agreed.router_id,
        hold_time: agreed.hold_time,
        keepalive_time: agreed.hold_time / 3,
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
    }
}
