//! `BGPPeer`: a peering beyond the mesh.

use super::metadata;
use super::parse::{as_number, peer_address};
use crate::fields::ResourceKind;
use crate::intent::{BgpPeer, PeerNodes, PeerRemote, SourceAddress};
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
    let remote = far(&mut spec);
    let reverse = spec
        .choice("reversePeering", &[("Auto", true), ("Manual", false)])
        .unwrap_or(true);
    let sources = [
        ("UseNodeIP", SourceAddress::UseNodeIp),
        ("None", SourceAddress::None),
    ];
    let source_address = spec.choice("sourceAddress", &sources).unwrap_or_default();
    let passive = spec.boolean("passive").unwrap_or(false);
    let transit = spec.boolean("transit").unwrap_or(false);
    let filters = spec.peek_texts("filters");
    spec.finish(KIND);
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
    })
}

/// An empty text is no text, as in Calico.
fn some_text(spec: &mut Reader<'_, '_>, name: &str) -> bool {
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

fn far(spec: &mut Reader<'_, '_>) -> Option<PeerRemote> {
    let by_nodes = some_text(spec, "peerSelector");
    let by_address = some_text(spec, "peerIP");
    let had_as_number = spec.has("asNumber");
    let as_number = spec.with("asNumber", as_number);
    let peer = if by_address {
        spec.with("peerIP", peer_address)
    } else {
        None
    };
    let selector = if by_nodes {
        spec.parsed("peerSelector").map(PeerRemote::Nodes)
    } else {
        None
    };
    if !by_nodes {
        if !by_address {
            spec.error(
                "peerIP",
                "neither peerIP nor peerSelector is set",
                "write the address of the peer into peerIP",
            );
        } else if !had_as_number {
            spec.error(
                "asNumber",
                "is required with peerIP",
                "write the AS number of the peer",
            );
        }
        let (address, port) = peer?;
        return Some(PeerRemote::Address {
            address,
            port,
            as_number: as_number?,
        });
    }
    for (set, name) in [(by_address, "peerIP"), (had_as_number, "asNumber")] {
        if set {
            spec.error(
                name,
                "does not go together with peerSelector",
                "remove it: the nodes have theirs",
            );
        }
    }
    selector
}
