//! The RIB as its callers see it. `law` holds it, under random changes, to a computation from nothing (`rib::reference`);
//! `listener` is the peer's end, which knows only what the bytes say.

mod behaviour;
mod law;
mod links;
mod listener;
mod memory;
mod newcomers;
mod recount;
mod several;

use super::{Features, ImportRules, LocalSettings, NextHopState, NextHopTable, PeerSession};
use crate::types::{Asn, Family, PeerId, PeerKind, RouterId};
use crate::wire::{Announcement, NextHop, PathAttributes, RoutesIn, Withdrawal};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const OUR_AS: Asn = Asn(64512);

fn local() -> LocalSettings {
    LocalSettings {
        asn: OUR_AS,
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        cluster_id: None,
        import: ImportRules::default(),
        multipath: 8,
        multipath_relax: false,
    }
}

fn peer(n: u8) -> PeerId {
    PeerId::Address(IpAddr::from([192, 0, 2, 10 + n]))
}

/// Peers 0 and 1 are eBGP with an AS each, the others iBGP.
fn session(n: u8) -> PeerSession {
    let external = n < 2;
    PeerSession {
        kind: if external {
            PeerKind::External
        } else {
            PeerKind::Internal
        },
        local_asn: OUR_AS,
        remote_asn: if external {
            Asn(65001 + u32::from(n))
        } else {
            OUR_AS
        },
        remote_router_id: RouterId(Ipv4Addr::new(192, 0, 2, 10 + n)),
        remote_address: peer(n).address().unwrap(),
        families: Family::ALL.to_vec(),
        four_octet: true,
        max_message_len: 4096,
        features: Features::default(),
        next_hop_v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_v6: Some("2001:db8::1".parse().unwrap()),
        import: Default::default(),
        export: Default::default(),
    }
}

/// A session with the default policy lifted, or not.
fn with_transit(mut session: PeerSession, transit: bool) -> PeerSession {
    Arc::make_mut(&mut session.import).transit = transit;
    Arc::make_mut(&mut session.export).transit = transit;
    session
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn announce(prefixes: &[IpNet], next_hop: IpAddr, attributes: PathAttributes) -> RoutesIn {
    let of = |family: Family| Announcement {
        family,
        next_hop: NextHop::from(next_hop),
        nlri: prefixes
            .iter()
            .filter(|p| Family::of(p) == family)
            .map(|p| (*p).into())
            .collect(),
    };
    let announced = Family::ALL
        .into_iter()
        .map(of)
        .filter(|a| !a.nlri.is_empty())
        .collect();
    RoutesIn {
        attributes,
        announced,
        ..RoutesIn::default()
    }
}

fn withdraw(prefixes: &[IpNet]) -> RoutesIn {
    let of = |family: Family| Withdrawal {
        family,
        nlri: prefixes
            .iter()
            .filter(|p| Family::of(p) == family)
            .map(|p| (*p).into())
            .collect(),
    };
    RoutesIn {
        withdrawn: Family::ALL.into_iter().map(of).collect(),
        ..RoutesIn::default()
    }
}

fn reachable(addresses: &[(&str, u32)]) -> NextHopTable {
    addresses
        .iter()
        .map(|(text, metric)| (address(text).into(), NextHopState::Reachable { metric: *metric }))
        .collect()
}
