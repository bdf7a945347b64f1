//! What is wanted in table `inet roadbed`, as a value: sets with their elements, chains, their rules, the parts of each rule. Pure.
//!
//! The rooms that want something of the table make these values; the rest of this room carries them to the kernel.

use std::net::IpAddr;

use ipnet::Ipv6Net;

use super::ranges::{Family, Ranges};

/// The table, family `inet`.
pub const TABLE: &str = "roadbed";

/// What is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Says to whoever lists the table whose it is.
    pub comment: &'static str,
    /// Sets, each with a name of its own.
    pub sets: Vec<Set>,
    /// Chains, each with a name of its own.
    pub chains: Vec<Chain>,
}

/// What something is there for: for the text of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pods' interfaces are guarded.
    Guard,
    /// What leaves the pools is masqueraded.
    Nat,
}

/// Addresses that rules look up. A change of them changes no rule and no counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// What is in it, shown by `nft list`.
    pub comment: &'static str,
    /// The addresses' family.
    pub family: Family,
    /// The addresses.
    pub ranges: Ranges,
}

/// A chain: one that the kernel calls, or one that rules jump to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// What it is there for.
    pub purpose: Purpose,
    /// Where the kernel calls it.
    pub base: Option<Base>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// Where the kernel calls a chain. What no rule decides about is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// `filter`, `nat` or `route`.
    pub kind: &'static str,
    /// The place on a packet's way.
    pub hook: Hook,
    /// The order among chains at that place, smaller ones first.
    pub priority: i32,
}

/// A place on a packet's way through the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Every packet that comes in, before it is known where it goes.
    Prerouting,
    /// Every packet that goes out, when it is known by which interface.
    Postrouting,
}

/// Before defragmentation's and connection tracking's work is done: what is dropped costs least (`raw`).
pub const RAW: i32 = -300;

/// Where sources are translated (`srcnat`). Chains of the kind `nat` see the first packet of each connection only.
pub const SRCNAT: i32 = 100;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What its counter is called in metrics.
    pub name: &'static str,
    /// What it is for, shown by `nft list`. No two rules have the same.
    pub comment: &'static str,
    /// What a packet must be, one after the other, and then what is done with it.
    pub parts: Vec<Part>,
}

/// A part of a rule: a condition, or what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The name of the interface by which the packet came begins so.
    FromInterface(&'static str),
    /// It does not begin so.
    NotFromInterface(&'static str),
    /// The interface by which it came is of this kind (`ip link show type`).
    FromKind(&'static str),
    /// The name of the interface by which the packet goes does not begin so.
    NotToInterface(&'static str),
    /// The packet is of this family.
    Of(Family),
    /// Its source lies in this range. After [`Part::Of`] IPv6.
    Source6(Ipv6Net),
    /// Its source is in the set of this name. After [`Part::Of`] the family.
    SourceIn(Family, &'static str),
    /// Its destination is not in the set of this name. After [`Part::Of`] the family.
    DestinationNotIn(Family, &'static str),
    /// Its destination is one host that is not this one: neither local, nor multicast or broadcast.
    ToAnotherHost,
    /// Its upper protocol is ICMPv6.
    Icmpv6,
    /// It is an ICMPv6 message of this type. After [`Part::Icmpv6`].
    Icmpv6Type(u8),
    /// The route to its source does not lead through the interface by which it came (strict, RFC 3704 section 2.2).
    NoWayBack,
    /// Counts packets and bytes that came so far.
    Count,
    /// Goes through another chain.
    Jump(&'static str),
    /// Lets the packet through, as far as this table is concerned.
    Accept,
    /// Drops the packet.
    Drop,
    /// The connection gets an address of the interface by which it leaves as its source, and a random port.
    Masquerade,
    /// The connection gets this source, and a random port.
    SourceTo(IpAddr),
}
