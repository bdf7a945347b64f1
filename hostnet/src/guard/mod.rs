//! The guard of pods' interfaces: two chains of table `inet roadbed` ([`crate::nftables`]). Pure.
//!
//! A packet from a pod whose source is not the pod's is dropped: IPv4 has the strict reverse path filter of the pod's interface
//! for that, IPv6 has nothing but this. And pods send no router advertisements and redirects to the node.
//!
//! ```text
//! prerouting, before connection tracking ── from a pod's interface? ──► pods ── each rule may drop or let through
//! ```
//!
//! A pod's interface is a veth named `rb` and 11 digits; our tunnel devices are named `rb-…`, and are no veth either. The names
//! are compared by their beginning: that is what nftables can say in a form that `nft` lists and reads back.
//!
//! Replies of DHCP servers and the like need no rule: pods' interfaces are point to point, on no bridge, and no client on the
//! node listens on them.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::nftables::{Base, Chain, Family, Hook, Part, Purpose, RAW, Rule};

/// ICMPv6 types (RFC 4861 sections 4.2 and 4.5).
const ROUTER_ADVERTISEMENT: u8 = 134;
const REDIRECT: u8 = 137;

/// The chains of the guard.
pub(crate) fn chains() -> [Chain; 2] {
    [
        Chain {
            name: "prerouting",
            purpose: Purpose::Guard,
            base: Some(Base {
                kind: "filter",
                hook: Hook::Prerouting,
                priority: RAW,
            }),
            rules: vec![from_pods()],
        },
        Chain {
            name: "pods",
            purpose: Purpose::Guard,
            base: None,
            rules: pods(),
        },
    ]
}

fn from_pods() -> Rule {
    Rule {
        name: "from_pods",
        comment: "packets from pods",
        parts: vec![
            Part::FromInterface("rb"),
            Part::NotFromInterface("rb-"),
            Part::FromKind("veth"),
            Part::Count,
            Part::Jump("pods"),
        ],
    }
}

fn pods() -> Vec<Rule> {
    let link_local = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
    let unspecified = Ipv6Net::from(Ipv6Addr::UNSPECIFIED);
    let ipv6 = Part::Of(Family::V6);
    let of_routers = |name, comment, kind| Rule {
        name,
        comment,
        parts: vec![
            ipv6,
            Part::Icmpv6,
            Part::Icmpv6Type(kind),
            Part::Count,
            Part::Drop,
        ],
    };
    vec![
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
                ipv6,
                Part::Source6(unspecified),
                Part::Icmpv6,
                Part::Count,
                Part::Accept,
            ],
        },
        Rule {
            name: "link_local",
            comment: "link-local sources go nowhere but to the node",
            parts: vec![ipv6, Part::Source6(link_local), Part::Count, Part::Accept],
        },
        Rule {
            name: "spoofed",
            comment: "the source is not the pod's",
            parts: vec![Part::NoWayBack, Part::Count, Part::Drop],
        },
    ]
}

#[cfg(test)]
mod tests;
