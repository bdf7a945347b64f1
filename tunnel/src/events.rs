//! Changes by others: the kernel's notices about links, neighbours (forwarding entries among them) and addresses.
//!
//! A notice is never applied as such; it only says that the state has to be read again. When the socket overflows
//! (ENOBUFS) notices were lost, which says the same.

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkMessage};
use rtnetlink::MulticastGroup;
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::model::Device;
use crate::read::{Indexes, link_kind, link_name};

/// Room for a burst of notices while a reading is under way, in bytes; more than that costs one more reading.
const RECEIVE_BUFFER: u32 = 1 << 20;

type Notice = NetlinkMessage<RouteNetlinkMessage>;

/// The notices of the network namespace in which it was opened.
#[derive(Debug)]
pub struct Events {
    notices: UnboundedReceiver<(Notice, SocketAddr)>,
    connection: JoinHandle<()>,
}

impl Events {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (mut connection, _, notices) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|source| Error::netlink("cannot listen to netlink notices", source))?;
        if let Err(error) = connection.socket_mut().socket_mut().set_rx_buf_sz(RECEIVE_BUFFER) {
            tracing::debug!(%error, "the netlink receive buffer stays at its default size");
        }
        Ok(Self {
            notices,
            connection: tokio::spawn(connection),
        })
    }

    /// Waits until something happens that concerns us; false when the socket is closed.
    pub async fn relevant(&mut self, indexes: &Indexes) -> bool {
        while let Some((notice, _)) = self.notices.next().await {
            if concerns(&notice, indexes) {
                return true;
            }
        }
        false
    }

    /// Drops the notices that are here already: what they tell of is read after this call.
    pub fn discard(&mut self) {
        while let Some(Some(_)) = self.notices.next().now_or_never() {}
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn concerns(notice: &Notice, indexes: &Indexes) -> bool {
    use RouteNetlinkMessage::{DelAddress, DelLink, DelNeighbour, NewAddress, NewLink, NewNeighbour};
    let NetlinkPayload::InnerMessage(message) = &notice.payload else {
        return matches!(notice.payload, NetlinkPayload::Overrun(_));
    };
    match message {
        NewLink(link) => is_ours(link, indexes),
        // A tunnel of another program that goes may have stood in our way.
        DelLink(link) => {
            is_ours(link, indexes) || matches!(link_kind(link), Some(InfoKind::Vxlan | InfoKind::IpIp))
        }
        NewNeighbour(neighbour) | DelNeighbour(neighbour) => indexes.contains(neighbour.header.ifindex),
        NewAddress(address) | DelAddress(address) => indexes.contains(address.header.index),
        _ => false,
    }
}

fn is_ours(link: &LinkMessage, indexes: &Indexes) -> bool {
    indexes.devices.values().any(|index| *index == link.header.index)
        || link_name(link).is_some_and(|name| Device::by_name(name).is_some())
}
