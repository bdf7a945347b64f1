//! What is played: for each case the peers around the router, what each of them announces, and what each has to hear in the end, of a
//! router and of a relay of bytes.

mod full_table;
mod idle;
mod mesh;
mod reflector;
mod ten_peers;

use std::sync::Arc;

use anyhow::bail;

use crate::digest::{Expected, Hops, Index};
use crate::message;
use crate::route::{Attributes, Prefix};
use crate::scene::{Peer, ROUTER, ROUTER_AS, Scene};
use crate::session::Plan;

/// A case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// One external peer's full table to one other.
    FullTable,
    /// The same prefixes from ten peers, the best of them to one.
    TenPeers,
    /// One internal peer's routes to a hundred clients.
    Reflector,
    /// Very many internal peers with few routes each.
    Mesh,
    /// A hundred peers that say nothing.
    Idle,
}

impl Case {
    /// All, in the order of the page.
    pub const ALL: [Case; 5] = [
        Case::FullTable,
        Case::TenPeers,
        Case::Reflector,
        Case::Mesh,
        Case::Idle,
    ];

    /// By its name.
    pub fn named(name: &str) -> anyhow::Result<Case> {
        match Case::ALL.into_iter().find(|case| case.name() == name) {
            Some(case) => Ok(case),
            None => bail!(
                "there is no case {name}: {}",
                Case::ALL.map(Case::name).join(", ")
            ),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Case::FullTable => "full_table",
            Case::TenPeers => "ten_peers",
            Case::Reflector => "reflector",
            Case::Mesh => "mesh",
            Case::Idle => "idle",
        }
    }

    /// What it is called on the page; always the same, whatever the size.
    pub fn title(self) -> &'static str {
        match self {
            Case::FullTable => "A full table through the router",
            Case::TenPeers => "The same prefixes from ten peers",
            Case::Reflector => "A reflector with a hundred clients",
            Case::Mesh => "The router in a big mesh",
            Case::Idle => "A hundred idle peers",
        }
    }

    /// Everything that is needed to play it.
    pub fn setup(self, seed: u64, quick: bool) -> Setup {
        match self {
            Case::FullTable => full_table::setup(seed, if quick { 100_000 } else { 1_000_000 }),
            Case::TenPeers => ten_peers::setup(seed, if quick { 10_000 } else { 100_000 }),
            Case::Reflector => reflector::setup(seed, if quick { 1_000 } else { 10_000 }),
            Case::Mesh => mesh::setup(if quick { 100 } else { 1_000 }),
            Case::Idle => idle::setup(seed),
        }
    }
}

/// A case with all that belongs to it.
#[derive(Debug)]
pub struct Setup {
    /// What it is made of, in words.
    pub words: String,
    /// What the router is configured for.
    pub scene: Scene,
    /// Peers whose sessions are up before the clock starts, and who only listen.
    pub receivers: Both,
    /// Peers who announce.
    pub feeders: Both,
    /// The clock starts with the feeders' first connection, and not with the first byte of what they announce.
    pub from_connection: bool,
}

/// Plans for the peers of a router, and for those of a relay.
#[derive(Debug, Default)]
pub struct Both {
    /// A router's.
    pub routed: Vec<Plan>,
    /// A relay's.
    pub copied: Vec<Plan>,
}

impl Both {
    /// Of which of the two.
    pub fn of(&self, routes: bool) -> Vec<Plan> {
        if routes {
            self.routed.clone()
        } else {
            self.copied.clone()
        }
    }
}

/// A peer that only feeds, when it is told to.
fn feeder(peer: Peer, feed: Vec<u8>) -> Plan {
    Plan {
        peer,
        feed: Arc::new(feed),
        at_once: false,
        expected: None,
    }
}

/// A peer that only listens.
fn receiver(peer: Peer, expected: Arc<Expected>) -> Plan {
    Plan {
        peer,
        feed: Arc::default(),
        at_once: false,
        expected: Some(expected),
    }
}

/// The routes of one speaker: attributes with its own AS and next hop, and the prefixes that have them.
type Routes<'a> = Vec<(Attributes, &'a [Prefix])>;

/// All their messages, and the end of the first feed.
fn messages(routes: &[(Attributes, &[Prefix])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (attributes, prefixes) in routes {
        message::announce(attributes, prefixes, &mut out);
    }
    message::end_of_rib(&mut out);
    out
}

/// The attributes of a set as an external peer announces them, its own AS so many times in front.
fn from_external(set: &Attributes, peer: &Peer, times: usize) -> Attributes {
    let mut own = set.clone();
    own.path.splice(0..0, std::iter::repeat_n(peer.asn, times));
    own.next_hop = peer.address.into();
    own
}

/// What another external peer hears of it (RFC 4271, section 5.1).
fn to_external(announced: &Attributes) -> Attributes {
    let mut own = announced.clone();
    own.path.insert(0, ROUTER_AS);
    own.next_hop = ROUTER[0].into();
    own.med = None;
    own.local_pref = None;
    own
}

/// What a receiver has to have of these routes, each changed on its way.
fn expected(
    index: &Arc<Index>,
    routes: &[(Attributes, &[Prefix])],
    hops: Hops,
    change: impl Fn(&Attributes) -> Attributes,
) -> Arc<Expected> {
    let mut all = Expected::new(index.clone(), hops);
    for (attributes, prefixes) in routes {
        all.add(&change(attributes), prefixes);
    }
    Arc::new(all)
}

#[cfg(test)]
mod tests;
