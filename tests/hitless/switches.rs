//! What the switches run: routers of several makes, each with graceful restart.
//!
//! All switches share an AS, so that paths over them are alike and used side by side. What has no hand in its kernel
//! speaks BGP only, and the kernel of its switch gets fixed routes.

use super::racks::BLOCKS;
use crate::interop::makes::{Neighbor, Router, Site};

/// The switches' AS.
pub const AS: u32 = 65001;

/// Switch `s` as it is asked for, with this hold time in seconds.
pub fn site(s: u8, hold: u8) -> Site {
    let neighbor = |n: u8| Neighbor {
        name: format!("n{n}"),
        local: format!("198.18.{s}{n}.1"),
        remote: format!("198.18.{s}{n}.2"),
        asn: 64600 + u32::from(n),
        families: 0..1,
        multihop: true,
        ..Neighbor::default()
    };
    Site {
        node: format!("tor{s}"),
        asn: AS,
        addresses: [format!("198.18.{s}1.1"), String::new()],
        neighbors: (1..=2).map(neighbor).collect(),
        announces: false,
        hold,
        forwards: true,
        fixed: (1..=2)
            .map(|n| [format!("192.0.2.1{n}/32"), format!("198.18.{s}{n}.2")])
            .collect(),
        graceful: true,
    }
}

/// What the kernel of switch `s` is given besides its addresses.
pub fn exec(make: &dyn Router, s: u8) -> Vec<String> {
    let mut lines = vec!["sysctl -qw net.ipv4.ip_forward=1".to_owned()];
    if !make.installs() {
        let to_node = |(n, block)| format!("ip route add {block} via 198.18.{s}{n}.2 proto static");
        lines.extend((1..).zip(BLOCKS).map(to_node));
    }
    lines
}
