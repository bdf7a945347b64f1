//! Tables of import and export policy: a route that passes, and one change for each reason that stops it.

mod export;
mod import;
mod relay;

use crate::rib::model::{ImportRules, LocalSettings, PeerSession};
use crate::types::{Asn, Family, PeerKind, RouterId};
use std::net::Ipv4Addr;

pub(super) fn local() -> LocalSettings {
    LocalSettings {
        asn: Asn(64512),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        cluster_id: None,
        import: ImportRules::default(),
        multipath: 8,
        multipath_relax: false,
    }
}

pub(super) fn session(kind: PeerKind) -> PeerSession {
    PeerSession {
        kind,
        local_asn: Asn(64512),
        remote_asn: if kind == PeerKind::Internal {
            Asn(64512)
        } else {
            Asn(65001)
        },
        remote_router_id: RouterId(Ipv4Addr::new(192, 0, 2, 2)),
        remote_address: [192, 0, 2, 2].into(),
        families: Family::ALL.to_vec(),
        four_octet: true,
        max_message_len: 4096,
        features: crate::rib::Features::default(),
        next_hop_v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_v6: Some("2001:db8::1".parse().unwrap()),
        import: Default::default(),
        export: Default::default(),
    }
}
