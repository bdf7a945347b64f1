//! Whether a pod's link is still as [`add`](crate::add) left it (CNI CHECK): both ends are read, then compared.

mod compare;
mod seen;

use crate::error::Error;
use crate::model::{Drift, PodLink};
use crate::names::macs;
use crate::netlink::Netlink;
use crate::netns::Netns;

/// Compares the link with what is wanted; changes nothing. The pod's host route is not looked at: it is not made here.
/// What a link that is down or away takes with it (its routes, IPv6 addresses, neighbours) is not listed beside it.
///
/// # Errors
/// A namespace that is not there, or a kernel that refuses.
pub fn check(wanted: &PodLink) -> Result<Vec<Drift>, Error> {
    crate::names::check(wanted)?;
    let netns = Netns::open(&wanted.netns)?;
    let mut here = Netlink::open().map_err(Error::at("open a netlink socket"))?;
    netns.enter(|inside| {
        let mut there = crate::plug::socket(inside)?;
        let host = seen::host(&mut here, wanted)?;
        let pod = seen::pod(&mut there, inside, wanted)?;
        let pair = match (&host.link, &pod.link) {
            (Some(host), Some(pod)) => crate::plug::is_pair(&mut here, &netns, host, pod)?,
            _ => false,
        };
        Ok(compare::drift(wanted, macs(wanted), &host, &pod, pair))
    })
}
