//! A route reflector: one internal feeder, a hundred internal clients that all hear what it says.

use std::sync::Arc;

use super::{Both, Routes, Setup, expected, feeder, messages, receiver};
use crate::digest::{Hops, Index};
use crate::route::Attributes;
use crate::scene::{Peer, ROUTER, ROUTER_AS, Role, Scene};
use crate::table::Feed;

const CLIENTS: usize = 100;

/// With so many prefixes.
pub fn setup(seed: u64, count: usize) -> Setup {
    let from = Peer::feeding(0, ROUTER_AS, Role::Client);
    let clients: Vec<Peer> = (0..CLIENTS)
        .map(|n| Peer::taking(n, ROUTER_AS, Role::Client))
        .collect();
    let feed = Feed::new(seed, count);
    let routes: Routes<'_> = feed
        .routes()
        .map(|(set, prefixes)| (announced(set, &from), prefixes))
        .collect();
    let index = Arc::new(Index::new(&feed.prefixes));
    let hear = |routed: bool| {
        let change = |set: &Attributes| {
            if routed {
                reflected(set, &from)
            } else {
                set.clone()
            }
        };
        let expected = expected(&index, &routes, Hops::Router, change);
        clients
            .iter()
            .map(|client| receiver(*client, expected.clone()))
            .collect()
    };
    let feeders = vec![feeder(from, messages(&routes))];
    Setup {
        words: format!(
            "one internal peer announces {count} prefixes with {} sets of attributes, {CLIENTS} clients hear them",
            feed.sets.len()
        ),
        scene: Scene {
            peers: clients.iter().copied().chain([from]).collect(),
            originate: Vec::new(),
        },
        receivers: Both {
            routed: hear(true),
            copied: hear(false),
        },
        feeders: Both {
            routed: feeders.clone(),
            copied: feeders,
        },
        from_connection: false,
    }
}

fn announced(set: &Attributes, from: &Peer) -> Attributes {
    Attributes {
        next_hop: from.address.into(),
        local_pref: Some(100),
        ..set.clone()
    }
}

/// As it was, with who said it and through which cluster it came (RFC 4456, section 8).
fn reflected(announced: &Attributes, from: &Peer) -> Attributes {
    Attributes {
        originator: Some(from.address.into()),
        cluster_list: vec![ROUTER[0].into()],
        ..announced.clone()
    }
}
