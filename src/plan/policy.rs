//! The policy of the sessions of a BGPPeer, in the words of the speaker, and the communities of what this node originates.

use std::sync::Arc;

use bgpd_proto::rib::filter::AnyCommunity;
use bgpd_proto::rib::{AsRules, ExportPolicy, ImportPolicy, NextHopMode, Originated, RemovePrivate};
use bgpd_proto::types::PeerKind;
use bgpd_proto::wire::Role;
use config::intent::{self, BgpPeer, Intent, LocalAsMode, PrefixAdvertisement, RemovePrivateAs, SessionRole};
use ipnet::IpNet;

use super::filters;

/// The policies of one BGPPeer: its sessions share what is the same for them.
pub struct Policies {
    import: Arc<ImportPolicy>,
    export: Arc<ExportPolicy>,
    next_hop: intent::NextHopMode,
}

impl Policies {
    /// What the resource says.
    pub fn of(intent: &Intent, peer: &BgpPeer) -> Self {
        let (incoming, outgoing) = filters::of(intent, &peer.filters);
        let policy = &peer.policy;
        let role = peer.session.role.map(role);
        let import = ImportPolicy {
            filters: incoming,
            transit: peer.transit,
            allow_own_as: policy.allowed_own_as,
            enforce_first_as: policy.enforce_first_as,
            role,
            honour_graceful_shutdown: policy.honor_graceful_shutdown,
            prepend_local_as: policy.local_as_mode == LocalAsMode::Prepend,
        };
        let export = ExportPolicy {
            filters: outgoing,
            transit: peer.transit,
            client: false,
            next_hop: NextHopMode::Auto,
            as_rules: AsRules {
                remove_private: match policy.remove_private_as {
                    RemovePrivateAs::Never => RemovePrivate::Never,
                    RemovePrivateAs::IfAllPrivate => RemovePrivate::IfAllPrivate,
                    RemovePrivateAs::All => RemovePrivate::All,
                    RemovePrivateAs::Replace => RemovePrivate::Replace,
                },
                as_override: policy.as_override,
                replace_as: policy.local_as_mode == LocalAsMode::ReplaceAs,
            },
            role,
            drain: false,
        };
        Self {
            import: Arc::new(import),
            export: Arc::new(export),
            next_hop: policy.next_hop,
        }
    }

    /// What is believed of what a peer teaches.
    pub fn import(&self) -> Arc<ImportPolicy> {
        Arc::clone(&self.import)
    }

    /// What a peer of this kind is told. `client`: we reflect for it.
    pub fn export(&mut self, kind: PeerKind, client: bool) -> Arc<ExportPolicy> {
        let next_hop = match self.next_hop {
            intent::NextHopMode::KeepExternal if kind == PeerKind::External => NextHopMode::Keep,
            intent::NextHopMode::KeepExternal | intent::NextHopMode::Auto => NextHopMode::Auto,
            intent::NextHopMode::SelfAddress => NextHopMode::SelfAddress,
            intent::NextHopMode::Keep => NextHopMode::Keep,
        };
        if (self.export.next_hop, self.export.client) != (next_hop, client) {
            let changed = Arc::make_mut(&mut self.export);
            (changed.next_hop, changed.client) = (next_hop, client);
        }
        Arc::clone(&self.export)
    }
}

/// A role in the words of the speaker.
pub fn role(role: SessionRole) -> Role {
    match role {
        SessionRole::Provider => Role::Provider,
        SessionRole::RouteServer => Role::RouteServer,
        SessionRole::RouteServerClient => Role::RouteServerClient,
        SessionRole::Customer => Role::Customer,
        SessionRole::Peer => Role::Peer,
    }
}

/// A route of this node's own, with the communities of all ranges that it lies in.
pub fn originated(advertisements: &[PrefixAdvertisement], prefix: &IpNet) -> Originated {
    let mut route = Originated::default();
    let around = advertisements.iter().filter(|range| range.cidr.contains(prefix));
    for community in around.flat_map(|range| &range.communities) {
        match filters::community(*community) {
            AnyCommunity::Standard(community) => route.communities.push(community),
            AnyCommunity::Large(community) => route.large_communities.push(community),
        }
    }
    route
}
