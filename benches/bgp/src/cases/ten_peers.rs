//! Ten external feeders with the same prefixes, one external receiver.
//!
//! For each prefix one of the ten has a path that is shorter by one AS than those of all others, which one by a hash of the prefix: the
//! best path is the same for every speaker, and none is ever asked for its taste in ties.

use std::sync::Arc;

use super::{Both, Setup, expected, feeder, from_external, messages, receiver, to_external};
use crate::digest::{Hops, Index};
use crate::rng::mix;
use crate::route::{Attributes, Prefix};
use crate::scene::{Peer, Role, Scene};
use crate::table::Feed;

const FEEDERS: usize = 10;

fn winner(prefix: &Prefix) -> usize {
    (mix(prefix.key()) % FEEDERS as u64) as usize
}

/// With so many prefixes from each.
pub fn setup(seed: u64, count: usize) -> Setup {
    let from: Vec<Peer> = (65_001..)
        .take(FEEDERS)
        .enumerate()
        .map(|(n, asn)| Peer::feeding(n, asn, Role::Feeder))
        .collect();
    let to = Peer::taking(0, 65_101, Role::Receiver);
    let mut feed = Feed::new(seed, count);
    by_winner(&mut feed);
    // Each set now in as many parts as it has winners.
    let parts: Vec<(&Attributes, usize, &[Prefix])> = feed
        .routes()
        .flat_map(|(set, prefixes)| {
            let same = prefixes.chunk_by(|a, b| winner(a) == winner(b));
            same.map(move |part| (set, winner(&part[0]), part))
        })
        .collect();
    let announced = |n: usize| {
        let own = parts.iter().map(|(set, winner, part)| {
            let times = if *winner == n { 1 } else { 2 };
            (from_external(set, &from[n], times), *part)
        });
        let mut own: Vec<_> = own.collect();
        // They do not go through the table in step.
        let begin = own.len() * n / FEEDERS;
        own.rotate_left(begin);
        own
    };
    let feeders: Vec<_> = (0..FEEDERS)
        .map(|n| feeder(from[n], messages(&announced(n))))
        .collect();
    let index = Arc::new(Index::new(&feed.prefixes));
    let best: Vec<_> = parts
        .iter()
        .map(|(set, winner, part)| (from_external(set, &from[*winner], 1), *part))
        .collect();
    let routed = expected(&index, &best, Hops::Router, to_external);
    let copied = expected(&index, &announced(0), Hops::Router, Clone::clone);
    Setup {
        words: format!(
            "{FEEDERS} external peers announce the same {count} prefixes, with {} sets of attributes each, and hear nothing; another peer \
             hears the best; the copy is of the first one's announcements",
            feed.sets.len()
        ),
        scene: Scene {
            peers: from.iter().copied().chain([to]).collect(),
            originate: Vec::new(),
        },
        receivers: Both {
            routed: vec![receiver(to, routed)],
            copied: vec![receiver(to, copied)],
        },
        feeders: Both {
            routed: feeders.clone(),
            copied: feeders,
        },
        from_connection: false,
    }
}

/// Puts those of a set that have the same winner one after the other.
fn by_winner(feed: &mut Feed) {
    let mut begin = 0;
    for (_, end) in &feed.sets {
        feed.prefixes[begin..*end].sort_by_key(winner);
        begin = *end;
    }
}
