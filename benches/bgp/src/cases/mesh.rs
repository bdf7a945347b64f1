//! A node in a full mesh of very many: each peer announces its two blocks and hears the router's two, and one external peer hears all.

use std::sync::Arc;

use super::{Both, Setup, expected, feeder, messages, receiver, to_external};
use crate::digest::{Hops, Index};
use crate::route::{Attributes, Prefix};
use crate::scene::{Peer, ROUTER, ROUTER_AS, Role, Scene};
use crate::session::Plan;

/// The first block of the members, each a /26.
const BLOCKS: u32 = 0x0a64_0000;
const BLOCK: u8 = 26;

fn blocks(n: usize) -> [Prefix; 2] {
    let first = 2 * u32::try_from(n).unwrap_or_default();
    [first, first + 1].map(|number| Prefix::around(BLOCKS + (number << (32 - BLOCK)), BLOCK))
}

fn own(next_hop: u32) -> Attributes {
    Attributes {
        next_hop,
        local_pref: Some(100),
        ..Attributes::default()
    }
}

/// With so many members.
pub fn setup(count: usize) -> Setup {
    let members: Vec<Peer> = (0..count)
        .map(|n| Peer::feeding(n, ROUTER_AS, Role::Member))
        .collect();
    let to = Peer::taking(0, 65_101, Role::Receiver);
    let originate = [0x0af4_0100, 0x0af4_0200].map(|address| Prefix::around(address, 24));
    let announced: Vec<_> = members
        .iter()
        .enumerate()
        .map(|(n, member)| (own(member.address.into()), blocks(n)))
        .collect();
    let routes: Vec<_> = announced
        .iter()
        .map(|(set, blocks)| (set.clone(), &blocks[..]))
        .collect();
    let mut all = routes.clone();
    all.push((own(ROUTER[0].into()), &originate[..]));
    let prefixes: Vec<Prefix> = all
        .iter()
        .flat_map(|(_, prefixes)| prefixes.iter().copied())
        .collect();
    let index = Arc::new(Index::new(&prefixes));
    let routers = Arc::new(Index::new(&originate));
    let two = expected(&routers, &all[count..], Hops::Router, Clone::clone);
    let member = |n: usize, heard| Plan {
        at_once: true,
        expected: heard,
        ..feeder(members[n], messages(&routes[n..=n]))
    };
    Setup {
        words: format!(
            "{count} internal peers connect, announce two blocks each and hear the router's two; an external peer hears all {}",
            prefixes.len()
        ),
        scene: Scene {
            peers: members.iter().copied().chain([to]).collect(),
            originate: originate.to_vec(),
        },
        receivers: Both {
            routed: vec![receiver(to, expected(&index, &all, Hops::Router, to_external))],
            copied: vec![receiver(
                to,
                expected(&index, &routes, Hops::Router, Clone::clone),
            )],
        },
        feeders: Both {
            routed: (0..count).map(|n| member(n, Some(two.clone()))).collect(),
            copied: (0..count).map(|n| member(n, None)).collect(),
        },
        from_connection: true,
    }
}
