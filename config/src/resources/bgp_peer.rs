//! `BGPPeer`: a peering beyond the mesh.

use super::parse::{as_number, source_address};
use super::{bfd, metadata, remote, session};
use crate::fields::ResourceKind;
use crate::intent::{
    AddressFamilies, BgpPeer, LocalAsMode, NextHopMode, PeerNodes, PeerPolicy, PeerRemote, RemovePrivateAs,
    SessionRules,
};
use crate::reader::Reader;
use crate::selector::Selector;

const KIND: ResourceKind = ResourceKind::BgpPeer;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<BgpPeer> {
    let metadata = metadata::read(document, KIND);
    let Some(mut spec) = document.object("spec") else {
        document.error(
            "spec",
            "is required",
            "write at least `spec: { peerIP: 192.0.2.1, asNumber: 65001 }`",
        );
        return None;
    };
    let nodes = near(&mut spec);
    let remote = remote::read(&mut spec);
    let reverse = spec
        .choice("reversePeering", &[("Auto", true), ("Manual", false)])
        .unwrap_or(true);
    let source_address = spec.with("sourceAddress", source_address).unwrap_or_default();
    let passive = spec.boolean("passive");
    let transit = spec.boolean("transit").unwrap_or(false);
    let session = session::read(&mut spec, KIND);
    let bfd = bfd::read_either(&mut spec, KIND);
    let filters = spec
        .list("filters", |name| Ok(name.to_owned()))
        .unwrap_or_default();
    let policy = policy(&mut spec);
    if let Some(remote) = &remote {
        check_session(&mut spec, remote, &session, passive);
    }
    spec.finish(KIND);
    let passive = passive.unwrap_or(false);
    let (name, nodes, remote) = (metadata?.name, nodes?, remote?);
    Some(BgpPeer {
        name,
        nodes,
        remote,
        reverse,
        source_address,
        passive,
        transit,
        filters,
        session,
        bfd,
        policy,
    })
}

/// What a session cannot be with such a peer.
fn check_session(
    spec: &mut Reader<'_, '_>,
    remote: &PeerRemote,
    session: &SessionRules,
    passive: Option<bool>,
) {
    if session.ttl_security.is_some() && session.ebgp_multihop.is_some() {
        let fix = "write one of them: ttlSecurity bounds the hops as well";
        spec.error("ebgpMultihop", "does not go together with ttlSecurity", fix);
    }
    match remote {
        PeerRemote::Range { .. } if passive == Some(false) => {
            let fix = "remove it, or write the address of the peer into peerIP";
            spec.error("passive", "nobody connects to a range: its peers connect", fix);
        }
        PeerRemote::Interface { .. } => {
            let far = "is for peers behind routers: one on an interface is a neighbour";
            if session.ebgp_multihop.is_some_and(|hops| hops > 1) {
                spec.error("ebgpMultihop", far, "remove it");
            }
            if session.ttl_security.is_some_and(|hops| hops > 1) {
                spec.error("ttlSecurity", far, "write 1");
            }
            if session.extended_next_hop == Some(false) && session.families == AddressFamilies::IPv4 {
                let message = "IPv4 routes have no next hop on a link without IPv4 addresses";
                spec.error("extendedNextHop", message, "remove it");
            }
        }
        _ => {}
    }
}

/// Fields about the routes of the sessions.
fn policy(spec: &mut Reader<'_, '_>) -> PeerPolicy {
    let mut policy = PeerPolicy {
        local_as: spec.with("localASNumber", as_number),
        ..PeerPolicy::default()
    };
    let modes = [
        ("ReplaceAS", LocalAsMode::ReplaceAs),
        ("NoPrepend", LocalAsMode::NoPrepend),
        ("Prepend", LocalAsMode::Prepend),
    ];
    if let Some(mode) = spec.choice("localASMode", &modes) {
        policy.local_as_mode = mode;
        if policy.local_as.is_none() {
            spec.error(
                "localASMode",
                "has a meaning with localASNumber only",
                "write localASNumber, or remove it",
            );
        }
    }
    let allowed = spec.integer("numAllowedLocalASNumbers", 0..=255);
    policy.allowed_own_as = allowed.and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
    policy.next_hop = next_hop(spec);
    policy.as_override = spec.boolean("asOverride").unwrap_or(false);
    let removals = [
        ("Never", RemovePrivateAs::Never),
        ("IfAllPrivate", RemovePrivateAs::IfAllPrivate),
        ("All", RemovePrivateAs::All),
        ("Replace", RemovePrivateAs::Replace),
    ];
    policy.remove_private_as = spec.choice("removePrivateAS", &removals).unwrap_or_default();
    policy.enforce_first_as = spec.boolean("enforceFirstAS").unwrap_or(true);
    policy.honor_graceful_shutdown = spec.boolean("honorGracefulShutdown").unwrap_or(true);
    policy
}

/// `nextHopMode`, and the older `keepOriginalNextHop`, which is for eBGP peers only.
fn next_hop(spec: &mut Reader<'_, '_>) -> NextHopMode {
    let keep = spec.boolean("keepOriginalNextHop").unwrap_or(false);
    let modes = [
        ("Auto", NextHopMode::Auto),
        ("Self", NextHopMode::SelfAddress),
        ("Keep", NextHopMode::Keep),
    ];
    let mode = spec.choice("nextHopMode", &modes);
    match (mode, keep) {
        (Some(NextHopMode::SelfAddress), true) => {
            spec.error(
                "keepOriginalNextHop",
                "says the opposite of nextHopMode: Self",
                "remove it",
            );
            NextHopMode::SelfAddress
        }
        (Some(NextHopMode::Auto) | None, true) => NextHopMode::KeepExternal,
        (mode, _) => mode.unwrap_or_default(),
    }
}

/// An empty text is no text, as in Calico.
pub(super) fn some_text(spec: &mut Reader<'_, '_>, name: &str) -> bool {
    spec.take(name).is_some_and(|value| value.text() != Some(""))
}

fn near(spec: &mut Reader<'_, '_>) -> Option<PeerNodes> {
    let (node, selector) = (some_text(spec, "node"), some_text(spec, "nodeSelector"));
    let named = if node {
        spec.parsed("node").map(PeerNodes::Named)
    } else {
        None
    };
    let selected = if selector {
        spec.parsed("nodeSelector").map(PeerNodes::Selected)
    } else {
        None
    };
    match (node, selector) {
        (true, true) => {
            spec.error("node", "node and nodeSelector are both set", "remove one of them");
            None
        }
        (false, false) => Some(PeerNodes::Selected(Selector::all())),
        _ => named.or(selected),
    }
}
