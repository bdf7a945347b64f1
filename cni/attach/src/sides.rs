//! The two ends of a pair, set up after it exists. Every step can be repeated.

use ipnet::{IpNet, Ipv6Net};

use crate::error::Error;
use crate::model::{GATEWAY_V6, PodLink, gateway, pod_routes};
use crate::names::Macs;
use crate::netlink::Netlink;
use crate::netns::Netns;
use crate::requests::{
    Link, add_route, addresses, delete_address, has_route, put_address, put_neighbour, set_up,
};
use crate::sysctl;

/// The loopback interface has this index in every namespace.
const LOOPBACK: u32 = 1;

/// The node's end, in the namespace of the calling thread.
///
/// Its sysctls: `proxy_arp` answers a pod that asks for its gateway although it need not, `rp_filter` lets
/// through only packets from the pod's own address (strict), forwarding is on for what comes from the pod.
pub(crate) fn host(netlink: &mut Netlink, link: &PodLink, host: &Link, macs: Macs) -> Result<(), Error> {
    let name = link.host_ifname.as_str();
    for (table, key, value) in [
        ("conf", "rp_filter", "1"),
        ("conf", "proxy_arp", "1"),
        ("neigh", "proxy_delay", "0"),
        ("conf", "forwarding", "1"),
    ] {
        sysctl::set("ipv4", table, name, key, value)?;
    }
    let ipv6 = link.addresses.iter().any(|a| a.is_ipv6());
    if sysctl::has_ipv6(name) {
        // No address but the gateway's own, and nothing learned from the pod.
        for (key, value) in [("addr_gen_mode", "1"), ("accept_ra", "0")] {
            sysctl::set("ipv6", "conf", name, key, value)?;
        }
        if ipv6 {
            for (key, value) in [("disable_ipv6", "0"), ("forwarding", "1")] {
                sysctl::set("ipv6", "conf", name, key, value)?;
            }
        }
    } else if ipv6 {
        return Err(Error::Invalid(
            "the pod has an IPv6 address, and this node's kernel has no IPv6; remove the IPv6 pool".into(),
        ));
    }
    set_up(netlink, host.index, Some(link.mtu)).map_err(Error::at(format!("set {name} up")))?;
    if ipv6 {
        let gateway = Ipv6Net::new_assert(GATEWAY_V6, 64);
        put_address(netlink, host.index, gateway.into())
            .map_err(Error::at(format!("give {name} the address {gateway}")))?;
    }
    for &address in &link.addresses {
        put_neighbour(netlink, host.index, address, macs.pod)
            .map_err(Error::at(format!("make the neighbour {address} on {name}")))?;
    }
    Ok(())
}

/// Settings of the pod's end; runs on a thread inside the namespace.
pub(crate) fn pod_sysctls(link: &PodLink) -> Result<(), Error> {
    if !link.addresses.iter().any(|a| a.is_ipv6()) {
        return Ok(());
    }
    if !sysctl::has_ipv6(&link.ifname) {
        return Err(Error::Invalid(
            "the pod has an IPv6 address, and its kernel has no IPv6".into(),
        ));
    }
    // Runtimes switch IPv6 off in new namespaces; a pod that has an IPv6 address wants it.
    sysctl::set("ipv6", "conf", "lo", "disable_ipv6", "0")?;
    sysctl::set("ipv6", "conf", &link.ifname, "disable_ipv6", "0")?;
    sysctl::set("ipv6", "conf", &link.ifname, "accept_ra", "0")
}

/// The pod's end, through a socket of its namespace. The node's end is up already.
pub(crate) fn pod(
    netlink: &mut Netlink,
    netns: &Netns,
    link: &PodLink,
    pod: &Link,
    macs: Macs,
) -> Result<(), Error> {
    let name = link.ifname.as_str();
    set_up(netlink, LOOPBACK, None).map_err(Error::at("set the pod's lo up"))?;
    set_up(netlink, pod.index, Some(link.mtu)).map_err(Error::at(format!("set {name} up in the pod")))?;
    let wanted: Vec<IpNet> = link.addresses.iter().map(|&a| IpNet::from(a)).collect();
    let there = addresses(netlink, pod.index).map_err(Error::at(format!("read the addresses of {name}")))?;
    for stale in there.into_iter().filter(|net| !wanted.contains(net)) {
        delete_address(netlink, pod.index, stale).map_err(Error::at(format!(
            "take the address {stale} from {name} in the pod"
        )))?;
    }
    for net in wanted {
        put_address(netlink, pod.index, net)
            .map_err(Error::at(format!("give {name} the address {net} in the pod")))?;
        put_neighbour(netlink, pod.index, gateway(net.addr()), macs.host).map_err(Error::at(format!(
            "make the gateway's neighbour entry on {name} in the pod"
        )))?;
    }
    for (destination, via) in pod_routes(&link.addresses) {
        let step = || format!("make the route {destination} through {name} in the pod");
        if add_route(netlink, pod.index, destination, via).map_err(Error::at(step()))? {
            continue;
        }
        if !has_route(netlink, pod.index, destination).map_err(Error::at(step()))? {
            return Err(Error::OtherDefault {
                ifname: name.into(),
                path: netns.path().to_owned(),
            });
        }
    }
    Ok(())
}
