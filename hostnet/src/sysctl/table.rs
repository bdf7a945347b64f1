//! The table of what is wanted, in the order in which it must be set. Pure: values come in through a function.
//!
//! `docs/sysctls.md` shows the same table; a test holds the two equal.

use super::model::{Advice, Drift, Wanted};

/// Whose sysctl it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The network namespace's.
    Node,
    /// Each uplink's; the key has a `*`.
    Uplinks,
    /// Each uplink's and tunnel device's; the key has a `*`.
    UplinksAndTunnels,
}

/// Which value will not do. The kernel combines an interface's value with that of `all`; `all` is never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Any but the one wanted.
    Other,
    /// This one.
    Is(&'static str),
    /// The larger of the two is this one.
    Larger(u8),
    /// Both are 1.
    Both,
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name, with slashes.
    pub(super) key: &'static str,
    pub(super) of: Of,
    /// When it is wanted, for the manual.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds the manual to it"))]
    pub(super) when: &'static str,
    pub(super) is_wanted: fn(&Wanted) -> bool,
    pub(super) wrong: Wrong,
    pub(super) value: &'static str,
    pub(super) why: &'static str,
}

const FORWARD: &str = "the node drops what it should forward to and from pods";
const LOOSE: &str = "packets from pods that arrive another way than the answer leaves (direct one way, tunnelled the other) are \
                     dropped by the strict reverse path filter";
const RA: &str = "with forwarding on, the kernel ignores router advertisements and loses this uplink's default route, unless told to \
                  accept them all the same";
const REDIRECTS: &str =
    "a redirect from the fabric overrides the next hop that was decided, and no route shows it";
const ARP: &str =
    "the node asks for neighbours with its pod address as sender, which fabrics that check ARP drop";
const LINK_DOWN: &str = "plain routes through an uplink without carrier go on taking packets, and the other uplink is not used until they \
                         are replaced";
const HASH: &str = "the path is chosen by addresses alone: all that two nodes tunnel to each other takes one of several paths";
const COMPAT: &str =
    "replacing a nexthop object rewrites and announces every route that hangs on it (nexthopCompat is off)";

fn always(_: &Wanted) -> bool {
    true
}

fn ipv6(wanted: &Wanted) -> bool {
    wanted.ipv6
}

fn two_uplinks(wanted: &Wanted) -> bool {
    wanted.uplinks.len() > 1
}

const ALWAYS: &str = "always";
const IPV6: &str = "IPv6 pods";

/// Everything that is ever set.
pub(super) const TABLE: &[Entry] = &[
    Entry {
        key: "net/ipv4/ip_forward",
        of: Of::Node,
        when: ALWAYS,
        is_wanted: always,
        wrong: Wrong::Other,
        value: "1",
        why: FORWARD,
    },
    // An interface's 2 softens the 1 of `all`.
    Entry {
        key: "net/ipv4/conf/*/rp_filter",
        of: Of::UplinksAndTunnels,
        when: "strict, of its own or by `all`",
        is_wanted: always,
        wrong: Wrong::Larger(1),
        value: "2",
        why: LOOSE,
    },
    Entry {
        key: "net/ipv4/conf/*/accept_redirects",
        of: Of::UplinksAndTunnels,
        when: "accepted, which takes `all` too",
        is_wanted: always,
        wrong: Wrong::Both,
        value: "0",
        why: REDIRECTS,
    },
    Entry {
        key: "net/ipv4/conf/*/arp_announce",
        of: Of::Uplinks,
        when: "0, of its own and by `all`",
        is_wanted: always,
        wrong: Wrong::Larger(0),
        value: "2",
        why: ARP,
    },
    Entry {
        key: "net/ipv4/conf/*/ignore_routes_with_linkdown",
        of: Of::Uplinks,
        when: "two uplinks or more",
        is_wanted: two_uplinks,
        wrong: Wrong::Larger(0),
        value: "1",
        why: LINK_DOWN,
    },
    Entry {
        key: "net/ipv4/fib_multipath_hash_policy",
        of: Of::Node,
        when: "several paths, and it is 0",
        is_wanted: |wanted| wanted.multipath,
        wrong: Wrong::Is("0"),
        value: "1",
        why: HASH,
    },
    Entry {
        key: "net/ipv4/nexthop_compat_mode",
        of: Of::Node,
        when: "`nexthopCompat: off`",
        is_wanted: |wanted| wanted.nexthop_compat_off,
        wrong: Wrong::Other,
        value: "0",
        why: COMPAT,
    },
    // Before forwarding: switching that on throws away what was learned from routers.
    Entry {
        key: "net/ipv6/conf/*/accept_ra",
        of: Of::Uplinks,
        when: "IPv6 pods, and it is 1",
        is_wanted: ipv6,
        wrong: Wrong::Is("1"),
        value: "2",
        why: RA,
    },
    Entry {
        key: "net/ipv6/conf/*/ignore_routes_with_linkdown",
        of: Of::Uplinks,
        when: "IPv6 pods, two uplinks or more",
        is_wanted: |wanted| ipv6(wanted) && two_uplinks(wanted),
        wrong: Wrong::Is("0"),
        value: "1",
        why: LINK_DOWN,
    },
    Entry {
        key: "net/ipv6/fib_multipath_hash_policy",
        of: Of::Node,
        when: "IPv6 pods, several paths, and it is 0",
        is_wanted: |wanted| ipv6(wanted) && wanted.multipath,
        wrong: Wrong::Is("0"),
        value: "1",
        why: HASH,
    },
    Entry {
        key: "net/ipv6/conf/all/forwarding",
        of: Of::Node,
        when: IPV6,
        is_wanted: ipv6,
        wrong: Wrong::Other,
        value: "1",
        why: FORWARD,
    },
];

/// Everything that is not as wanted; `read` gives the value of a sysctl.
pub(super) fn drifts(wanted: &Wanted, read: impl Fn(&str) -> Option<String>) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for entry in TABLE.iter().filter(|entry| (entry.is_wanted)(wanted)) {
        let drift = |key: String, is| Drift {
            key,
            is,
            wanted: entry.value,
            why: entry.why,
        };
        let none = Default::default();
        let (uplinks, tunnels) = match entry.of {
            Of::Node => {
                let is = read(entry.key);
                let wrong = match (entry.wrong, is.as_deref()) {
                    (Wrong::Is(value), is) => is == Some(value),
                    (_, is) => is != Some(entry.value),
                };
                drifts.extend(wrong.then(|| drift(entry.key.to_owned(), is)));
                continue;
            }
            Of::Uplinks => (&wanted.uplinks, &none),
            Of::UplinksAndTunnels => (&wanted.uplinks, &wanted.tunnels),
        };
        let all = read(&entry.key.replace('*', "all"));
        for interface in uplinks.iter().chain(tunnels) {
            let key = entry.key.replace('*', interface);
            // What does not exist (yet) is passed over.
            if let Some(is) = read(&key).filter(|is| is_wrong(entry, all.as_deref(), is)) {
                drifts.push(drift(key, Some(is)));
            }
        }
    }
    drifts
}

fn is_wrong(entry: &Entry, all: Option<&str>, own: &str) -> bool {
    let number = |text: &str| text.parse::<u8>().unwrap_or(0);
    let all = all.map_or(0, number);
    match entry.wrong {
        Wrong::Other => own != entry.value,
        Wrong::Is(value) => own == value,
        Wrong::Larger(value) => all.max(number(own)) == value,
        Wrong::Both => all == 1 && number(own) == 1,
    }
}

/// What is only said, never set: it is the machine's as a whole. Key and why.
pub(super) const ADVICE: &[(&str, &str)] = &[
    ("net/ipv4/neigh/default/gc_thresh3", NEIGHBOURS),
    ("net/ipv6/neigh/default/gc_thresh3", NEIGHBOURS),
];

const NEIGHBOURS: &str = "the table of neighbours overflows with this many nodes and pods, and packets to those that found no room are \
                          dropped";

/// Limits that are too low for what the node has to do with.
pub(super) fn advice(wanted: &Wanted, read: impl Fn(&str) -> Option<String>) -> Vec<Advice> {
    let too_low = |&(key, why): &(&str, &'static str)| {
        let is: usize = read(key)?.parse().ok()?;
        (is < wanted.neighbours).then(|| Advice {
            key: key.to_owned(),
            is,
            at_least: wanted.neighbours,
            why,
        })
    };
    let families = ADVICE
        .iter()
        .filter(|(key, _)| wanted.ipv6 || key.starts_with("net/ipv4"));
    families.filter_map(too_low).collect()
}
