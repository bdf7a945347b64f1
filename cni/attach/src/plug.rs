//! The verbs: add, remove, list.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::model::{Attached, PodLink};
use crate::names::{Macs, check, is_ours, macs};
use crate::netlink::Netlink;
use crate::netns::Netns;
use crate::requests::{Link, delete_link, has_tentative, link, links, make_pair};
use crate::sides;

/// How long the kernel may take to start a link whose both ends are up.
const OPERATIONAL: Duration = Duration::from_secs(5);

/// Plugs the pod in, or completes and corrects what an earlier call with the same names made. Blocks for a
/// few milliseconds; any number of pods at once, each from its own thread.
///
/// # Errors
/// A namespace that is not there, a name that is taken, a kernel that refuses. What this call made is
/// removed again.
pub fn add(wanted: &PodLink) -> Result<Attached, Error> {
    check(wanted)?;
    let netns = Netns::open(&wanted.netns)?;
    let mut here = Netlink::open().map_err(Error::at("open a netlink socket"))?;
    let mut there = netns
        .inside(Netlink::open)
        .and_then(|opened| opened)
        .map_err(Error::at("open a netlink socket in the pod"))?;
    let macs = macs(wanted);
    let adopted = find(&mut here, &mut there, wanted, macs)?;
    if adopted.is_some() {
        return set_up(&mut here, &mut there, &netns, wanted, macs);
    }
    let name = &wanted.host_ifname;
    make_pair(
        &mut here,
        name,
        &wanted.ifname,
        netns.file().as_fd(),
        wanted.mtu,
        macs,
    )
    .map_err(Error::at(format!("make the veth pair {name}")))?;
    let result = set_up(&mut here, &mut there, &netns, wanted, macs);
    if result.is_err() {
        // The first error is the one to report; a pair that stays behind is replaced by the next ADD and
        // removed by DEL.
        let _ = link(&mut here, name).map(|left| left.map(|l| delete_link(&mut here, l.index)));
    }
    result
}

/// Deletes the node's end of a pair, and with it the pod's. What is not there is a success.
///
/// # Errors
/// An interface that is not ours, or a kernel that refuses.
pub fn remove(host_ifname: &str) -> Result<(), Error> {
    if !is_ours(host_ifname) {
        return Err(Error::NotOurs(host_ifname.into()));
    }
    let step = || format!("delete {host_ifname}");
    let mut here = Netlink::open().map_err(Error::at(step()))?;
    match link(&mut here, host_ifname).map_err(Error::at(step()))? {
        None => Ok(()),
        Some(found) if !found.is_veth => Err(Error::NotOurs(host_ifname.into())),
        Some(found) => delete_link(&mut here, found.index).map_err(Error::at(step())),
    }
}

/// The names of all pod interfaces of ours on the node.
///
/// # Errors
/// A kernel that refuses.
pub fn list() -> Result<Vec<String>, Error> {
    let mut here = Netlink::open().map_err(Error::at("open a netlink socket"))?;
    let all = links(&mut here).map_err(Error::at("list the links"))?;
    Ok(all
        .into_iter()
        .filter(|l| l.is_veth && is_ours(&l.name))
        .map(|l| l.name)
        .collect())
}

/// The pair that is there, where it is the right one. One that is ours and wrong (the container was started
/// again in another namespace) is deleted; an interface in the pod that is not its other end is an error.
fn find(
    here: &mut Netlink,
    there: &mut Netlink,
    wanted: &PodLink,
    macs: Macs,
) -> Result<Option<Link>, Error> {
    let name = &wanted.host_ifname;
    let host = link(here, name).map_err(Error::at(format!("look for {name}")))?;
    let pod = link(there, &wanted.ifname).map_err(Error::at("look into the pod"))?;
    if host.as_ref().is_some_and(|h| !h.is_veth) {
        return Err(Error::NotOurs(name.clone()));
    }
    let exists = || {
        Err(Error::Exists {
            ifname: wanted.ifname.clone(),
            path: wanted.netns.clone(),
        })
    };
    let outdated = match (host, pod) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return exists(),
        (Some(host), None) => host,
        (Some(host), Some(pod)) => {
            if !pod.is_veth || host.peer != Some(pod.index) || pod.peer != Some(host.index) {
                return exists();
            }
            // Indexes are counted in each namespace anew and can agree by chance; hardware addresses cannot.
            if (host.mac, pod.mac) == (Some(macs.host), Some(macs.pod)) {
                return Ok(Some(host));
            }
            host
        }
    };
    delete_link(here, outdated.index).map_err(Error::at(format!("delete the outdated {name}")))?;
    Ok(None)
}

fn set_up(
    here: &mut Netlink,
    there: &mut Netlink,
    netns: &Netns,
    wanted: &PodLink,
    macs: Macs,
) -> Result<Attached, Error> {
    let gone = |name: &str| Error::Kernel {
        step: format!("find {name}"),
        source: std::io::Error::other("it vanished while it was set up"),
    };
    let find_host = link(here, &wanted.host_ifname).map_err(Error::at("look for the new link"))?;
    let host = find_host.ok_or_else(|| gone(&wanted.host_ifname))?;
    let find_pod = link(there, &wanted.ifname).map_err(Error::at("look for the new link in the pod"))?;
    let pod = find_pod.ok_or_else(|| gone(&wanted.ifname))?;
    sides::host(here, wanted, &host, macs)?;
    netns
        .inside(|| sides::pod_sysctls(wanted))
        .map_err(Error::at("enter the pod's namespace"))??;
    sides::pod(there, netns, wanted, &pod, macs)?;
    wait_operational(here, &wanted.host_ifname)?;
    wait_operational(there, &wanted.ifname)?;
    Ok(Attached {
        host_mac: macs.host,
        pod_mac: macs.pod,
        host_index: host.index,
        routes: crate::model::pod_routes(&wanted.addresses),
    })
}

/// A link starts a moment after its carrier is there, from a work queue of the kernel's (`net/core/link_watch.c`):
/// until then it drops what it is given, and IPv6 addresses on it are not used. It takes a millisecond, and up to
/// a second where both ends happen to have the same index.
fn wait_operational(netlink: &mut Netlink, name: &str) -> Result<(), Error> {
    let step = || format!("wait until {name} is operational");
    let start = Instant::now();
    loop {
        let found = link(netlink, name).map_err(Error::at(step()))?;
        if let Some(found) = found.filter(|l| l.operational)
            && !has_tentative(netlink, found.index).map_err(Error::at(step()))?
        {
            return Ok(());
        }
        if start.elapsed() > OPERATIONAL {
            let source = std::io::Error::other(format!("it is not after {} s", OPERATIONAL.as_secs()));
            return Err(Error::Kernel { step: step(), source });
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}
