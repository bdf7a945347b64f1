//! Whom a `BGPPeer` is with: an address, a range of addresses, whoever is on an interface, or nodes.

use std::net::{IpAddr, Ipv6Addr};

use super::bgp_peer::some_text;
use super::parse::{interface_name, peer_address, peer_range, remote_as};
use crate::intent::{PeerRemote, RemoteAs};
use crate::reader::Reader;

/// The fields of which one says who it is; `interface` may have the link-local `peerIP` beside it.
const WHO: [&str; 4] = ["peerSelector", "peerIPRange", "interface", "peerIP"];

/// Peers of a range at the same time, where nothing is said: as FRR has it.
const LIMIT: u32 = 100;

/// As many as one range may have.
const MOST: u32 = 10_000;

/// What all ways to say it have in common.
struct Common {
    address: Option<(IpAddr, Option<u16>)>,
    port: Option<u16>,
    limit: Option<u32>,
    as_number: Option<RemoteAs>,
    /// `asNumber` is there, right or wrong.
    has_as_number: bool,
}

pub(super) fn read(spec: &mut Reader<'_, '_>) -> Option<PeerRemote> {
    let said = WHO.map(|name| some_text(spec, name));
    let [nodes, range, interface, address] = said;
    let has_as_number = spec.has("asNumber");
    let common = Common {
        address: if address {
            spec.with("peerIP", peer_address)
        } else {
            None
        },
        port: (spec.integer("peerPort", 1..=65_535)).and_then(|port| u16::try_from(port).ok()),
        limit: spec.integer("maxPeers", 1..=MOST),
        as_number: spec.with("asNumber", remote_as),
        has_as_number,
    };
    let who = WHO
        .iter()
        .zip(said)
        .find(|(_, said)| *said)
        .map(|(name, _)| *name);
    let Some(who) = who else {
        let fix = "write the address of the peer into peerIP";
        let message = "none of peerIP, peerIPRange, interface and peerSelector is set";
        spec.error("peerIP", message, fix);
        return None;
    };
    let mut clash = false;
    for (name, _) in WHO.iter().zip(said).filter(|(name, said)| *said && **name != who) {
        if who != "interface" || *name != "peerIP" {
            let fix = match who {
                "peerSelector" => "remove it: the nodes have theirs".to_owned(),
                _ => format!("remove it, or {who}"),
            };
            spec.error(name, format!("does not go together with {who}"), fix);
            clash = true;
        }
    }
    misplaced(spec, &common, who);
    let found = match (nodes, range, interface) {
        (true, _, _) => spec.parsed("peerSelector").map(PeerRemote::Nodes),
        (_, true, _) => of_range(spec, &common),
        (_, _, true) => on_interface(spec, &common),
        _ => at_address(spec, &common),
    };
    found.filter(|_| !clash)
}

/// Fields that say nothing beside `who`, or are missing.
fn misplaced(spec: &mut Reader<'_, '_>, common: &Common, who: &str) {
    if common.limit.is_some() && who != "peerIPRange" {
        spec.error("maxPeers", "has a meaning with peerIPRange only", "remove it");
    }
    if common.port.is_some() && who != "interface" {
        let fix = match who {
            "peerIP" => "write the port into peerIP: 192.0.2.1:1179, [2001:db8::1]:1179",
            _ => "remove it",
        };
        spec.error("peerPort", "has a meaning with interface only", fix);
    }
    match (who, common.has_as_number) {
        ("peerSelector", true) => spec.error(
            "asNumber",
            "does not go together with peerSelector",
            "remove it: the nodes have theirs",
        ),
        ("peerIP", false) => spec.error(
            "asNumber",
            "is required with peerIP",
            "write the AS number of the peer",
        ),
        ("peerIPRange" | "interface", false) => {
            let fix = "write the AS number of the peer, external or internal";
            spec.error("asNumber", format!("is required with {who}"), fix);
        }
        _ => {}
    }
}

fn at_address(spec: &mut Reader<'_, '_>, common: &Common) -> Option<PeerRemote> {
    let (address, port) = common.address?;
    if link_local(address).is_some() {
        let fix = "write interface as well: the name of the node's end of the link";
        spec.error(
            "peerIP",
            format!("`{address}` is link-local: it has a meaning on one link only"),
            fix,
        );
        return None;
    }
    Some(PeerRemote::Address {
        address,
        port,
        as_number: common.as_number?,
    })
}

fn of_range(spec: &mut Reader<'_, '_>, common: &Common) -> Option<PeerRemote> {
    Some(PeerRemote::Range {
        prefix: spec.with("peerIPRange", peer_range)?,
        limit: common.limit.unwrap_or(LIMIT),
        as_number: common.as_number?,
    })
}

fn on_interface(spec: &mut Reader<'_, '_>, common: &Common) -> Option<PeerRemote> {
    let name = spec.with("interface", interface_name);
    let address = common.address.map(|(address, port)| (link_local(address), port));
    if let Some((None, _)) = address {
        let message = "does not go together with interface, unless it is link-local";
        spec.error(
            "peerIP",
            message,
            "remove it, or remove interface: routes lead to the address",
        );
        return None;
    }
    if let Some((_, Some(_))) = address.filter(|_| common.port.is_some()) {
        spec.error("peerPort", "peerIP has a port already", "remove one of them");
    }
    Some(PeerRemote::Interface {
        name: name?,
        address: address.and_then(|(address, _)| address),
        port: common.port.or(address.and_then(|(_, port)| port)),
        as_number: common.as_number?,
    })
}

fn link_local(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
        _ => None,
    }
}
