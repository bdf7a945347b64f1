//! What is wanted in table `inet roadbed`, as a value: chains, their rules, the parts of each rule. Pure.
//!
//! ```text
//! prerouting, before connection tracking ── from a pod's interface? ──► pods ── each rule may drop or let through
//! ```
//!
//! Everything that Roadbed ever wants of nftables is in this one value; a further chain is one more entry in [`ruleset`].

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// The table, family `inet`.
pub const TABLE: &str = "roadbed";

/// What is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Says to whoever lists the table whose it is.
    pub comment: &'static str,
    /// Chains, each with a name of its own.
    pub chains: Vec<Chain>,
}

/// A chain: one that the kernel calls, or one that rules jump to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
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
}

/// Before defragmentation's and connection tracking's work is done: what is dropped costs least (`raw`).
pub const RAW: i32 = -300;

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
    /// The packet is IPv6.
    Ipv6,
    /// Its source lies in this range. After [`Part::Ipv6`].
    Source6(Ipv6Net),
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
}

/// ICMPv6 types (RFC 4861 sections 4.2 and 4.5).
const ROUTER_ADVERTISEMENT: u8 = 134;
const REDIRECT: u8 = 137;

/// What is wanted: the guard of pods' interfaces.
///
/// A pod's interface is a veth named `rb` and 11 digits; our tunnel devices are named `rb-…`, and are no veth either. The names
/// are compared by their beginning: that is what nftables can say in a form that `nft` lists and reads back.
///
/// Replies of DHCP servers and the like need no rule: pods' interfaces are point to point, on no bridge, and no client on the
/// node listens on them.
pub fn ruleset() -> Ruleset {
    let link_local = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
    let unspecified = Ipv6Net::from(Ipv6Addr::UNSPECIFIED);
    let from_pods = Rule {
        name: "from_pods",
        comment: "packets from pods",
        parts: vec![
            Part::FromInterface("rb"),
            Part::NotFromInterface("rb-"),
            Part::FromKind("veth"),
            Part::Count,
            Part::Jump("pods"),
        ],
    };
    let of_routers = |name, comment, kind| Rule {
        name,
        comment,
        parts: vec![
            Part::Ipv6,
            Part::Icmpv6,
            Part::Icmpv6Type(kind),
            Part::Count,
            Part::Drop,
        ],
    };
    let pods = vec![
        of_routers(
            "router_advertisement",
            "pods are no routers",
            ROUTER_ADVERTISEMENT,
        ),
        of_routers("redirect", "pods do not move routes", REDIRECT),
        Rule {
            name: "unspecified",
            comment: "pods look for duplicates of their addresses",
            parts: vec![
                Part::Ipv6,
                Part::Source6(unspecified),
                Part::Icmpv6,
                Part::Count,
                Part::Accept,
            ],
        },
        Rule {
            name: "link_local",
            comment: "link-local sources go nowhere but to the node",
            parts: vec![Part::Ipv6, Part::Source6(link_local), Part::Count, Part::Accept],
        },
        Rule {
            name: "spoofed",
            comment: "the source is not the pod's",
            parts: vec![Part::NoWayBack, Part::Count, Part::Drop],
        },
    ];
    Ruleset {
        comment: "made by roadbed, changes are undone",
        chains: vec![
            Chain {
                name: "prerouting",
                base: Some(Base {
                    kind: "filter",
                    hook: Hook::Prerouting,
                    priority: RAW,
                }),
                rules: vec![from_pods],
            },
            Chain {
                name: "pods",
                base: None,
                rules: pods,
            },
        ],
    }
}
