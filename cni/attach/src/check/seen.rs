//! What the kernel has of a link and of what hangs on it, on the node and in the pod.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::Error;
use crate::model::PodLink;
use crate::netlink::Netlink;
use crate::netns::Inside;
use crate::requests::{Link, Neighbour, SeenRoute, SeenRule, addresses, link, neighbour, routes, rules};
use crate::routing::table;
use crate::sides::gateways;
use crate::sysctl::{self, Setting};

/// What an end has, whichever it is.
#[derive(Debug, Default)]
pub(super) struct End {
    pub link: Option<Link>,
    pub addresses: Vec<IpNet>,
    pub neighbours: Vec<(IpAddr, Option<Neighbour>)>,
    pub settings: Vec<(Setting, Option<String>)>,
    pub routes: Vec<SeenRoute>,
    pub rules: Vec<SeenRule>,
    /// In the pod: its loopback.
    pub lo_up: bool,
}

fn neighbours(
    netlink: &mut Netlink,
    index: u32,
    of: &[IpAddr],
) -> Result<Vec<(IpAddr, Option<Neighbour>)>, Error> {
    let mut found = Vec::with_capacity(of.len());
    for &address in of {
        let entry = neighbour(netlink, index, address);
        found.push((
            address,
            entry.map_err(Error::at(format!("read the neighbour {address}")))?,
        ));
    }
    Ok(found)
}

fn settings(of: Vec<Setting>) -> Result<Vec<(Setting, Option<String>)>, Error> {
    let read = |setting: Setting| setting.read().map(|found| (setting, found));
    of.into_iter().map(read).collect()
}

pub(super) fn host(netlink: &mut Netlink, wanted: &PodLink) -> Result<End, Error> {
    let name = wanted.host_ifname.as_str();
    let Some(link) = link(netlink, name).map_err(Error::at(format!("look for {name}")))? else {
        return Ok(End::default());
    };
    let mut of = Vec::from(sysctl::router(wanted));
    of.extend(sysctl::host(wanted, link.ipv6));
    let on_it =
        addresses(netlink, link.index, true).map_err(Error::at(format!("read the addresses of {name}")));
    Ok(End {
        addresses: on_it?,
        neighbours: neighbours(netlink, link.index, &wanted.addresses)?,
        settings: settings(of)?,
        link: Some(link),
        ..End::default()
    })
}

pub(super) fn pod<'env>(
    netlink: &mut Netlink,
    inside: &Inside<'env>,
    wanted: &PodLink,
) -> Result<End, Error> {
    let name = wanted.ifname.as_str();
    let Some(found) = link(netlink, name).map_err(Error::at("look into the pod"))? else {
        return Ok(End::default());
    };
    let lo = link(netlink, "lo").map_err(Error::at("look into the pod"))?;
    let of = sysctl::pod(wanted, found.ipv6)?;
    let settings = inside.run(move || settings(of));
    let on_it = addresses(netlink, found.index, false);
    Ok(End {
        addresses: on_it.map_err(Error::at(format!("read the addresses of {name} in the pod")))?,
        neighbours: neighbours(netlink, found.index, &gateways(wanted))?,
        settings: settings.map_err(Error::at("work in the pod's namespace"))??,
        routes: routes(netlink).map_err(Error::at("read the routes of the pod"))?,
        rules: rules(netlink, table(&wanted.host_ifname)).map_err(Error::at("read the rules of the pod"))?,
        lo_up: lo.is_some_and(|lo| lo.up),
        link: Some(found),
    })
}
