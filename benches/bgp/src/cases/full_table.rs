//! One external feeder with a table as large as the Internet's, one external receiver.

use std::sync::Arc;

use super::{Both, Routes, Setup, expected, feeder, from_external, messages, receiver, to_external};
use crate::digest::{Hops, Index};
use crate::scene::{Peer, Role, Scene};
use crate::table::Feed;

/// With so many prefixes.
pub fn setup(seed: u64, count: usize) -> Setup {
    let from = Peer::feeding(0, 65_001, Role::Feeder);
    let to = Peer::taking(0, 65_101, Role::Receiver);
    let feed = Feed::new(seed, count);
    let routes: Routes<'_> = feed
        .routes()
        .map(|(set, prefixes)| (from_external(set, &from, 1), prefixes))
        .collect();
    let index = Arc::new(Index::new(&feed.prefixes));
    let hear = |routed: bool| {
        let change = |set: &_| {
            if routed {
                to_external(set)
            } else {
                Clone::clone(set)
            }
        };
        vec![receiver(to, expected(&index, &routes, Hops::Router, change))]
    };
    let feeders = vec![feeder(from, messages(&routes))];
    Setup {
        words: format!(
            "one external peer announces {count} prefixes with {} sets of attributes, another one hears them",
            feed.sets.len()
        ),
        scene: Scene {
            peers: vec![from, to],
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
