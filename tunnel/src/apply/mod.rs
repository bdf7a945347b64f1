//! Carries out one operation: the rtnetlink messages for it, and what the kernel's refusals mean to an operator.
//!
//! Here each operation finds its messages; `link` makes and changes links, `entries` has the messages for what sits on
//! them. Removal of what is gone already is success.

mod entries;
mod link;

use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;

use crate::error::Error;
use crate::mac::ShowMac;
use crate::model::Device;
use crate::netlink::Netlink;
use crate::ops::Op;
use crate::read::Indexes;
use entries::{add_address, delete_address, fdb, neighbour};

mod errno {
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const ESRCH: i32 = 3;
    pub const ENXIO: i32 = 6;
    pub const EEXIST: i32 = 17;
    pub const ENODEV: i32 = 19;
    pub const EINVAL: i32 = 22;
    pub const EOPNOTSUPP: i32 = 95;
    pub const EAFNOSUPPORT: i32 = 97;
    pub const EADDRINUSE: i32 = 98;
    pub const EADDRNOTAVAIL: i32 = 99;
}

/// Carries out `op`. `indexes` is kept right as links come and go.
pub async fn apply(netlink: &Netlink, op: &Op, indexes: &mut Indexes) -> Result<(), Error> {
    match op {
        Op::Delete(device) => link::delete(netlink, *device, indexes).await,
        Op::Create(spec) => link::create(netlink, spec, indexes).await,
        Op::Change(device, changes) => {
            link::change(netlink, *device, changes, index(indexes, *device)?).await
        }
        Op::AddAddress(place, net) => add_address(netlink, *place, *net, indexes).await,
        Op::DeleteAddress(place, net) => delete_address(netlink, *place, *net, indexes).await,
        Op::SetFdb {
            device,
            mac,
            endpoint,
        } => {
            let message = fdb(index(indexes, *device)?, *mac, Some(*endpoint));
            let result = netlink.change(
                RouteNetlinkMessage::NewNeighbour(message),
                NLM_F_CREATE | NLM_F_REPLACE,
            );
            let what = || {
                format!(
                    "cannot set the forwarding entry {} to {endpoint} on {device}",
                    ShowMac(*mac)
                )
            };
            result.await.map_err(|error| Error::netlink(what(), error))
        }
        Op::DeleteFdb {
            device,
            mac,
            endpoint,
        } => {
            let message = fdb(index(indexes, *device)?, *mac, *endpoint);
            let result = netlink
                .change(RouteNetlinkMessage::DelNeighbour(message), 0)
                .await;
            gone(result, || {
                format!("cannot remove the forwarding entry {} on {device}", ShowMac(*mac))
            })
        }
        Op::SetNeighbour { device, address, mac } => {
            let message = neighbour(index(indexes, *device)?, *address, Some(*mac));
            let result = netlink.change(
                RouteNetlinkMessage::NewNeighbour(message),
                NLM_F_CREATE | NLM_F_REPLACE,
            );
            let what = || {
                format!(
                    "cannot set the neighbour {address} to {} on {device}",
                    ShowMac(*mac)
                )
            };
            result.await.map_err(|error| Error::netlink(what(), error))
        }
        Op::DeleteNeighbour { device, address } => {
            let message = neighbour(index(indexes, *device)?, *address, None);
            let result = netlink
                .change(RouteNetlinkMessage::DelNeighbour(message), 0)
                .await;
            gone(result, || {
                format!("cannot remove the neighbour {address} on {device}")
            })
        }
    }
}

fn index(indexes: &Indexes, device: Device) -> Result<u32, Error> {
    indexes.devices.get(&device).copied().ok_or_else(|| {
        Error::netlink(
            format!("the link {device} is missing"),
            io::Error::from_raw_os_error(errno::ENODEV),
        )
    })
}

/// Removal of something that is gone already is what was wanted.
fn gone(result: io::Result<()>, what: impl FnOnce() -> String) -> Result<(), Error> {
    use errno::{EADDRNOTAVAIL, ENODEV, ENOENT, ENXIO, ESRCH};
    match result {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(ENOENT | ESRCH | ENXIO | ENODEV | EADDRNOTAVAIL)
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|error| Error::netlink(what(), error)),
    }
}
