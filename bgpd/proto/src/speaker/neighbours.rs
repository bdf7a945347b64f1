//! Peers that are known by their interface ("unnumbered"): who answers there is found by the driver, and may change.
//!
//! The address is link-local and means nothing without its interface, so connections of such peers come with their
//! interface, and attempts go to an address with a scope. A session outlives a change of the address: its TCP
//! connection knows better whether the old one still answers.

use super::config::{SpeakerConfig, Transport};
use super::hub::Speaker;
use super::peer::Peer;
use crate::rib::PeerPolicy;
use crate::types::{ConnId, InterfaceName, PeerId};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Instant;

impl Speaker {
    /// The neighbour on an interface has been found, or is there no more. Only address and scope count.
    pub fn set_link_peer(&mut self, interface: InterfaceName, found: Option<SocketAddrV6>, now: Instant) {
        let id = PeerId::Interface(interface);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let place = |at: &SocketAddrV6| (*at.ip(), at.scope_id());
        if peer.neighbour.as_ref().map(place) == found.as_ref().map(place) {
            return;
        }
        peer.neighbour = found;
        if found.is_some() {
            peer.session.retry_now(now);
        }
        self.drain(id, now);
        self.settle(now);
    }

    /// A TCP connection was accepted on an interface whose neighbour is known by it: [`Speaker::handle_incoming`] for
    /// link-local addresses.
    pub fn handle_incoming_on(
        &mut self,
        interface: InterfaceName,
        conn: ConnId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) {
        let id = PeerId::Interface(interface);
        self.incoming(id, conn, (local, remote), |_| Vec::new(), now);
    }

    /// What the socket of the peer on an interface needs, `None` where none is configured.
    pub fn transport_on(&self, interface: InterfaceName) -> Option<Transport> {
        let peer = self.config.peers.get(&PeerId::Interface(interface))?;
        Some(peer.transport(self.config.asn))
    }
}

impl Peer {
    /// Where to connect to; `None` while the address of a peer that is known by its interface has not been found.
    pub fn remote(&self, id: PeerId) -> Option<SocketAddr> {
        let port = self.config.remote_port;
        match id {
            PeerId::Address(address) => Some(SocketAddr::new(address, port)),
            PeerId::Interface(_) => {
                let found = self.neighbour?;
                Some(SocketAddrV6::new(*found.ip(), port, 0, found.scope_id()).into())
            }
        }
    }

    /// The part of the configuration that changes without a new session. Where a peer is known by its interface, our
    /// address there is our IPv6 next hop, unless another one is configured (RFC 2545 §3).
    pub fn policy(&self, id: PeerId, local: &SpeakerConfig) -> PeerPolicy {
        PeerPolicy {
            next_hop_v6: self.config.next_hop_v6.or(self.own_link_local(id)),
            ..self.config.policy(local)
        }
    }

    fn own_link_local(&self, id: PeerId) -> Option<Ipv6Addr> {
        id.interface()?;
        match self.session.addresses().0? {
            SocketAddr::V6(own) => Some(*own.ip()),
            SocketAddr::V4(_) => None,
        }
    }
}
