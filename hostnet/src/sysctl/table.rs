//! The table of what is wanted, in the order in which it must be set. Pure: values come in through a function.

use super::model::{Drift, Wanted};

const FORWARD: &str = "the node drops what it should forward to and from pods";
const LOOSE: &str = "packets from pods that arrive another way than the answer leaves (direct one way, tunnelled the other) \
                     are dropped by the strict reverse path filter";
const RA: &str = "with forwarding on, the kernel ignores router advertisements and loses this uplink's default route, unless told \
                  to accept them all the same";

/// Everything that is not as wanted; `read` gives the value of a sysctl.
pub(crate) fn drifts(wanted: &Wanted, read: impl Fn(&str) -> Option<String>) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let mut want = |key: String, is: Option<String>, wanted, why| {
        if is.as_deref() != Some(wanted) {
            drifts.push(Drift { key, is, wanted, why });
        }
    };
    let key = "net/ipv4/ip_forward";
    want(key.into(), read(key), "1", FORWARD);
    // The kernel applies the larger of the two values, so an interface's 2 softens the 1 of `all`, and `all` stays as it is.
    let all = read("net/ipv4/conf/all/rp_filter");
    for interface in wanted.uplinks.iter().chain(&wanted.tunnels) {
        let key = format!("net/ipv4/conf/{interface}/rp_filter");
        let Some(own) = read(&key) else { continue };
        if strictest(all.as_deref(), &own) == 1 {
            want(key, Some(own), "2", LOOSE);
        }
    }
    if wanted.ipv6 {
        // Before forwarding: switching that on throws away what was learned from routers.
        for interface in &wanted.uplinks {
            let key = format!("net/ipv6/conf/{interface}/accept_ra");
            if let Some(value) = read(&key).filter(|value| value == "1") {
                want(key, Some(value), "2", RA);
            }
        }
        let key = "net/ipv6/conf/all/forwarding";
        want(key.into(), read(key), "1", FORWARD);
    }
    drifts
}

/// The reverse path filter in force: 0 none, 1 strict, 2 loose.
fn strictest(all: Option<&str>, own: &str) -> u8 {
    let number = |text: &str| text.parse().unwrap_or(0);
    all.map_or(0, number).max(number(own))
}
