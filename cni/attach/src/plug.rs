//! The verbs: add, remove, forget, list.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::model::{Attached, Mac, PodLink};
use crate::names::{Macs, check, is_ours, macs};
use crate::netlink::Netlink;
use crate::netns::{Inside, Netns};
use crate::requests::{
    Change, Link, change, delete_link, delete_rule, exists, is_local, link, make_pair, netns_id, rules, veths,
};
use crate::routing::table;
use crate::sides;

/// How long the kernel may take to start a link whose both ends are up.
const OPERATIONAL: Duration = Duration::from_secs(5);
/// How long an ADD waits for the pod's addresses to be in use.
const IN_USE: Duration = Duration::from_secs(2);
/// Between two looks at what the kernel does by itself.
const PAUSE: Duration = Duration::from_micros(100);
/// The kernel changes links one after the other under one lock (RTNL), and who waits for it there burns the processor
/// and keeps the kernel's own work queues from it. So those who make pods wait here.
static TURN: Mutex<()> = Mutex::new(());

/// Plugs the pod in, or completes and corrects what an earlier call with the same names made. Blocks for a
/// millisecond or two; any number of pods at once, each from its own thread.
///
/// # Errors
/// A namespace that is not there, a name that is taken, a kernel that refuses. What this call made is
/// removed again.
pub fn add(wanted: &PodLink) -> Result<Attached, Error> {
    check(wanted)?;
    let netns = Netns::open(&wanted.netns)?;
    let mut here = Netlink::open().map_err(Error::at("open a netlink socket"))?;
    netns.enter(|inside| {
        let mut there = socket(inside)?;
        let macs = macs(wanted);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let made = make(&mut here, &mut there, &netns, wanted, macs)?;
        let result = set_up(&mut here, &mut there, inside, wanted, macs);
        drop(turn);
        let result =
            result.and_then(|attached| wait_in_use(&mut there, &wanted.addresses).map(|()| attached));
        if result.is_err() && made {
            // The first error is the one to report; a pair that stays behind is replaced by the next ADD and
            // removed by DEL.
            let _ = link(&mut here, &wanted.host_ifname).map(|l| l.map(|l| delete(l.index)));
            let _ = drop_rules(&mut there, &wanted.host_ifname);
        }
        result
    })
}

/// A netlink socket of the namespace that the thread is in.
pub(crate) fn socket(inside: &Inside<'_>) -> Result<Netlink, Error> {
    inside
        .run(Netlink::open)
        .and_then(|opened| opened)
        .map_err(Error::at("open a netlink socket in the pod"))
}

/// Deletes the node's end of a pair, and with it the pod's. What is not there is a success. Rules in the pod go
/// with its namespace, or by [`forget`].
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
        Some(found) => delete(found.index).map_err(Error::at(step())),
    }
}

/// Deletes a link, and returns when nobody can find it any more: its names, addresses, routes and neighbours are
/// free. The kernel then waits for its last readers before it frees the memory (`netdev_run_todo`), tens of
/// milliseconds, and holds the caller so long: that is a thread of its own.
fn delete(index: u32) -> std::io::Result<()> {
    let (mut here, mut watch) = (Netlink::open()?, Netlink::open()?);
    let (done, result) = mpsc::channel();
    let thread = thread::Builder::new().name("rb-delete".into());
    thread.spawn(move || drop(done.send(delete_link(&mut here, index))))?;
    loop {
        match result.recv_timeout(PAUSE) {
            Ok(result) => return result,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(std::io::Error::other("a thread panicked"));
            }
        }
        if !exists(&mut watch, index)? {
            return Ok(());
        }
    }
}

/// Deletes the rules in a pod that lead to the table of an interface: unlike routes they do not vanish with it.
/// Only a pod that outlives its interface needs it. A namespace that is not there has no rules: a success.
///
/// # Errors
/// A path that is no pod's namespace, or a kernel that refuses.
pub fn forget(netns: &Path, host_ifname: &str) -> Result<(), Error> {
    if !is_ours(host_ifname) {
        return Err(Error::NotOurs(host_ifname.into()));
    }
    let netns = match Netns::open(netns) {
        Err(Error::NoNetns { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    netns.enter(|inside| drop_rules(&mut socket(inside)?, host_ifname))
}

fn drop_rules(there: &mut Netlink, host_ifname: &str) -> Result<(), Error> {
    let found = rules(there, table(host_ifname)).map_err(Error::at("read the rules of the pod"))?;
    there.carry_out(found.iter().map(delete_rule).collect())
}

/// The names of all pod interfaces of ours on the node.
///
/// # Errors
/// A kernel that refuses.
pub fn list() -> Result<Vec<String>, Error> {
    let mut here = Netlink::open().map_err(Error::at("open a netlink socket"))?;
    let all = veths(&mut here).map_err(Error::at("list the links"))?;
    Ok(all
        .into_iter()
        .map(|l| l.name)
        .filter(|name| is_ours(name))
        .collect())
}

/// Makes the pair, unless it is there. True: it is new.
fn make(
    here: &mut Netlink,
    there: &mut Netlink,
    netns: &Netns,
    wanted: &PodLink,
    macs: Macs,
) -> Result<bool, Error> {
    let fd = netns.file().as_fd();
    match here.carry_out(vec![make_pair(wanted, macs, fd)]) {
        Ok(()) => return Ok(true),
        Err(Error::Kernel { source, .. }) if source.raw_os_error() == Some(nix::libc::EEXIST) => {}
        Err(other) => return Err(other),
    }
    if find(here, there, netns, wanted)? {
        return Ok(false);
    }
    here.carry_out(vec![make_pair(wanted, macs, fd)]).map(|()| true)
}

/// True: the pair that is there is the right one. One that is ours and wrong (the container was started again in
/// another namespace) is deleted; an interface in the pod that is not its other end is an error.
fn find(here: &mut Netlink, there: &mut Netlink, netns: &Netns, wanted: &PodLink) -> Result<bool, Error> {
    let name = &wanted.host_ifname;
    let host = link(here, name).map_err(Error::at(format!("look for {name}")))?;
    let pod = link(there, &wanted.ifname).map_err(Error::at("look into the pod"))?;
    if host.as_ref().is_some_and(|h| !h.is_veth) {
        return Err(Error::NotOurs(name.clone()));
    }
    let exists = || Error::Exists {
        ifname: wanted.ifname.clone(),
        path: wanted.netns.clone(),
    };
    let outdated = match (host, pod) {
        (None, None) => return Ok(false),
        (None, Some(_)) => return Err(exists()),
        (Some(host), None) => host,
        (Some(host), Some(pod)) => {
            return match is_pair(here, netns, &host, &pod)? {
                true => Ok(true),
                false => Err(exists()),
            };
        }
    };
    delete(outdated.index).map_err(Error::at(format!("delete the outdated {name}")))?;
    Ok(false)
}

/// The two are ends of one pair. Indexes are counted in each namespace anew and can agree by chance, so the
/// namespace of the other end is compared as well.
pub(crate) fn is_pair(here: &mut Netlink, netns: &Netns, host: &Link, pod: &Link) -> Result<bool, Error> {
    let step = "compare the namespaces of the two ends";
    let id = netns_id(here, netns.file().as_fd()).map_err(Error::at(step))?;
    Ok(host.is_veth
        && pod.is_veth
        && host.peer == Some(pod.index)
        && pod.peer == Some(host.index)
        && id.is_some()
        && host.peer_netns == id)
}

fn set_up<'env>(
    here: &mut Netlink,
    there: &mut Netlink,
    inside: &Inside<'env>,
    wanted: &'env PodLink,
    macs: Macs,
) -> Result<Attached, Error> {
    let host = correct(here, &wanted.host_ifname, wanted.mtu, macs.host)?;
    let pod = correct(there, &wanted.ifname, wanted.mtu, macs.pod)?;
    sides::host(here, wanted, &host, macs)?;
    let routing = sides::pod(there, inside, wanted, &pod, macs)?;
    wait_operational(here, &wanted.host_ifname)?;
    wait_operational(there, &wanted.ifname)?;
    Ok(Attached {
        host_mac: macs.host,
        pod_mac: macs.pod,
        host_index: host.index,
        routes: routing.main(),
    })
}

/// One end, with its hardware address and MTU put right.
fn correct(netlink: &mut Netlink, name: &str, mtu: u32, mac: Mac) -> Result<Link, Error> {
    let found = find_link(netlink, name)?;
    let right = Change {
        mtu: (found.mtu != mtu).then_some(mtu),
        mac: (found.mac != Some(mac)).then_some(mac),
        ..Change::default()
    };
    if right.mtu.is_none() && right.mac.is_none() {
        return Ok(found);
    }
    let step = format!("set MTU {mtu} and hardware address {mac} of {name}");
    netlink.carry_out(vec![change(found.index, &right, step)])?;
    find_link(netlink, name)
}

fn find_link(netlink: &mut Netlink, name: &str) -> Result<Link, Error> {
    let found = link(netlink, name).map_err(Error::at(format!("look for {name}")))?;
    found.ok_or_else(|| Error::Kernel {
        step: format!("find {name}"),
        source: std::io::Error::other("it vanished while it was set up"),
    })
}

/// A link starts a moment after its carrier is there, from a work queue of the kernel's (`net/core/link_watch.c`):
/// until then it drops what it is given. Since Linux 6.8 the kernel does that work when it is asked for the link;
/// before, it takes a millisecond, and up to a second where both ends happen to have the same index.
fn wait_operational(netlink: &mut Netlink, name: &str) -> Result<(), Error> {
    let step = || format!("wait until {name} is operational");
    let start = Instant::now();
    loop {
        let found = link(netlink, name).map_err(Error::at(step()))?;
        if found.is_some_and(|l| l.operational) {
            return Ok(());
        }
        if start.elapsed() > OPERATIONAL {
            let source = std::io::Error::other(format!("it is not after {} s", OPERATIONAL.as_secs()));
            return Err(Error::Kernel { step: step(), source });
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until the addresses take packets in, which those of IPv6 do a moment after they were put there. One that
/// the kernel is slow with is no failure: it has it, and comes to it by itself.
fn wait_in_use(there: &mut Netlink, addresses: &[IpAddr]) -> Result<(), Error> {
    let start = Instant::now();
    for &address in addresses.iter().filter(|a| a.is_ipv6()) {
        let step = || format!("wait until {address} is in use in the pod");
        while !is_local(there, address).map_err(Error::at(step()))? && start.elapsed() < IN_USE {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}
