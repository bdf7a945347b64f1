//! Reads the kernel's tunnel state into an [`Actual`]: dumps of links, addresses, forwarding entries and neighbours.
//!
//! Links are dumped whole (without statistics), for tunnels of other programs matter too; forwarding entries and
//! neighbours only of our devices, by the kernel's own filter. `link` reads what a link is, `entries` what sits on it.

mod entries;
mod link;

use std::collections::BTreeMap;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::actual::{Actual, Kind};
use crate::error::Error;
use crate::model::Device;
use crate::netlink::Netlink;
use entries::{note_address, note_fdb, note_neighbour};
pub use link::{link_kind, link_name, note_link};

/// The address protocol (IFA_PROTO) that marks loopback addresses as ours.
pub const ADDRESS_PROTOCOL: u8 = 82;
/// The label that marks them for IPv4 on kernels before 5.18, which do not keep the address protocol.
pub const ADDRESS_LABEL: &str = "lo:roadbed";

/// The interface indexes that the events and operations need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexes {
    /// Our devices.
    pub devices: BTreeMap<Device, u32>,
    /// The loopback.
    pub loopback: Option<u32>,
}

impl Indexes {
    /// Whether `index` is one of them.
    pub fn contains(&self, index: u32) -> bool {
        self.loopback == Some(index) || self.devices.values().any(|own| *own == index)
    }
}

/// The state of the kernel, and the interface indexes behind its names.
pub async fn read(netlink: &Netlink) -> Result<(Actual, Indexes), Error> {
    let mut actual = Actual::default();
    let mut indexes = Indexes::default();
    for link in links(netlink).await? {
        note_link(&link, &mut actual, &mut indexes);
    }
    for address in addresses(netlink).await? {
        note_address(&address, &mut actual, &indexes);
    }
    for (device, index) in &indexes.devices {
        let Some(own) = actual.devices.get_mut(device) else {
            continue;
        };
        if matches!(own.kind, Kind::Vxlan(_)) {
            for entry in neighbours(netlink, AddressFamily::Bridge, *index).await? {
                note_fdb(&entry, own);
            }
        }
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            for entry in neighbours(netlink, family, *index).await? {
                note_neighbour(&entry, own);
            }
        }
    }
    Ok((actual, indexes))
}

async fn links(netlink: &Netlink) -> Result<Vec<LinkMessage>, Error> {
    let mut request = LinkMessage::default();
    request
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let answers = netlink.dump(RouteNetlinkMessage::GetLink(request)).await;
    let answers = answers.map_err(|source| Error::netlink("cannot list the links", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                Some(link)
            } else {
                None
            }
        })
        .collect())
}

async fn addresses(netlink: &Netlink) -> Result<Vec<AddressMessage>, Error> {
    let answers = netlink
        .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .await;
    let answers = answers.map_err(|source| Error::netlink("cannot list the addresses", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewAddress(a) = answer {
                Some(a)
            } else {
                None
            }
        })
        .collect())
}

/// Neighbours of one link; for the family Bridge, its forwarding entries.
async fn neighbours(
    netlink: &Netlink,
    family: AddressFamily,
    index: u32,
) -> Result<Vec<NeighbourMessage>, Error> {
    let mut request = NeighbourMessage::default();
    request.header.family = family;
    // Strict checking wants the filter in the header for forwarding entries and in an attribute for neighbours.
    if family == AddressFamily::Bridge {
        request.header.ifindex = index;
    } else {
        request.attributes.push(NeighbourAttribute::IfIndex(index));
    }
    let answers = netlink.dump(RouteNetlinkMessage::GetNeighbour(request)).await;
    let answers =
        answers.map_err(|source| Error::netlink("cannot list forwarding entries and neighbours", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewNeighbour(n) = answer {
                Some(n)
            } else {
                None
            }
        })
        .filter(|neighbour| neighbour.header.ifindex == index)
        .collect())
}
