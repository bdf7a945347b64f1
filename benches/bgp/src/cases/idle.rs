//! A hundred external peers, a hundred prefixes from each, and everybody hears the others'. Then nothing.

use std::sync::Arc;

use super::{Both, Setup, feeder, from_external, messages, to_external};
use crate::digest::{Expected, Hops, Index};
use crate::route::{Attributes, Prefix};
use crate::scene::{Peer, Role, Scene};
use crate::session::Plan;
use crate::table::Feed;

const PEERS: usize = 100;
const EACH: usize = 100;

/// A table shared out among the peers.
pub fn setup(seed: u64) -> Setup {
    let feed = Feed::new(seed, PEERS * EACH);
    let peers: Vec<Peer> = (65_001..)
        .take(PEERS)
        .enumerate()
        .map(|(n, asn)| Peer::feeding(n, asn, Role::Receiver))
        .collect();
    let shares = shares(&feed, &peers);
    let index = Arc::new(Index::new(&feed.prefixes));
    let hears = |own: usize| {
        // On one link a router may name the announcing peer itself as next hop.
        let mut all = Expected::new(index.clone(), Hops::Any);
        for (n, routes) in shares.iter().enumerate().filter(|(n, _)| *n != own) {
            debug_assert_ne!(n, own);
            for (set, prefixes) in routes {
                all.add(&to_external(set), prefixes);
            }
        }
        Arc::new(all)
    };
    let plans = (0..PEERS).map(|n| Plan {
        at_once: true,
        expected: Some(hears(n)),
        ..feeder(peers[n], messages(&shares[n]))
    });
    Setup {
        words: format!(
            "{PEERS} external peers announce {EACH} prefixes each and hear the others', then nothing but keepalives"
        ),
        feeders: Both {
            routed: plans.collect(),
            copied: Vec::new(),
        },
        scene: Scene {
            peers,
            originate: Vec::new(),
        },
        receivers: Both::default(),
        from_connection: true,
    }
}

/// The next hundred prefixes of the table for each peer; a set may be cut at a border.
fn shares<'a>(feed: &'a Feed, peers: &[Peer]) -> Vec<Vec<(Attributes, &'a [Prefix])>> {
    let mut shares: Vec<Vec<_>> = vec![Vec::new(); peers.len()];
    let mut place = 0;
    for (set, mut prefixes) in feed.routes() {
        while !prefixes.is_empty() {
            let (peer, room) = (place / EACH, EACH - place % EACH);
            let (now, later) = prefixes.split_at(room.min(prefixes.len()));
            shares[peer].push((from_external(set, &peers[peer], 1), now));
            place += now.len();
            prefixes = later;
        }
    }
    shares
}
