//! The complete state in one go: links, addresses, routes of both families (`NLM_F_DUMP`).
//!
//! Links come first: that dump takes the kernel's configuration lock, so a flush that is under way when a link falls is over
//! before the routes are read. A dump that the kernel marks as interrupted (`NLM_F_DUMP_INTR`) is taken again.

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::AddressMessage,
    link::{LinkAttribute, LinkExtentMask, LinkMessage},
    neighbour::NeighbourMessage,
    route::RouteMessage,
};

use super::{
    decode, encode,
    neighbour::{self, Neighbour},
    nexthop,
    socket::{Channel, Message, NLMSG_DONE, NLMSG_ERROR},
};
use crate::{engine::Snapshot, error::Error, nexthop::object::KernelNexthop};

const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Notifications cover what an interrupted dump missed, so that tries may end.
const TRIES: usize = 4;

const EBUSY: i32 = 16;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;

/// The socket for dumps.
pub(crate) struct Dumper {
    channel: Channel,
}

impl Dumper {
    /// Opens the socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Dumper {
            channel: Channel::open(RECEIVE_BUFFER)?,
        })
    }

    /// Reads everything.
    pub async fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot::default();
        let mut links = LinkMessage::default();
        links
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        self.dump(
            "list links",
            RouteNetlinkMessage::GetLink(links),
            RTM_NEWLINK,
            &mut snapshot,
        )
        .await?;
        let addresses = AddressMessage::default();
        self.dump(
            "list addresses",
            RouteNetlinkMessage::GetAddress(addresses),
            RTM_NEWADDR,
            &mut snapshot,
        )
        .await?;
        snapshot.nexthops = self.nexthops().await?;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut routes = RouteMessage::default();
            routes.header.address_family = family;
            self.dump(
                "list routes",
                RouteNetlinkMessage::GetRoute(routes),
                RTM_NEWROUTE,
                &mut snapshot,
            )
            .await?;
        }
        Ok(snapshot)
    }

    /// Every nexthop object; `None`: this kernel has none (before Linux 5.3).
    pub async fn nexthops(&mut self) -> Result<Option<Vec<KernelNexthop>>, Error> {
        const EOPNOTSUPP: i32 = 95;
        let netlink = |source: io::Error| Error::Netlink {
            what: "reading nexthop objects",
            source,
        };
        let mut objects = Vec::new();
        for attempt in 1..=TRIES {
            objects.clear();
            let (mut datagram, mut interrupted, mut done) = (Vec::new(), false, false);
            let sequence = self.channel.next_sequence();
            nexthop::append_dump(&mut datagram, sequence);
            self.channel.send(&datagram).await.map_err(netlink)?;
            while !done {
                for message in self.channel.receive().await.map_err(netlink)? {
                    if message.sequence != sequence {
                        continue;
                    }
                    interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                    match message.kind {
                        nexthop::RTM_NEWNEXTHOP => objects.extend(nexthop::decode(message.payload)),
                        NLMSG_DONE | NLMSG_ERROR if message.errno() == EOPNOTSUPP => return Ok(None),
                        NLMSG_DONE | NLMSG_ERROR => {
                            message.acknowledgement().map_err(|refusal| Error::Refused {
                                what: "list nexthop objects",
                                reason: refusal.to_string(),
                            })?;
                            done = true;
                        }
                        _ => {}
                    }
                }
            }
            if !interrupted {
                break;
            }
            tracing::debug!(attempt, "nexthop objects changed during the dump, once more");
        }
        Ok(Some(objects))
    }

    /// The neighbours on a link that are asked for and have not answered. What an interrupted dump misses is missed.
    pub async fn waiting_neighbours(&mut self, index: u32) -> Result<Vec<Neighbour>, Error> {
        let mut found = Vec::new();
        let take = |message: &Message<'_>| {
            let parsed = NeighbourMessage::parse(message.payload);
            let waiting = parsed.ok().and_then(|message| neighbour::waiting(&message));
            found.extend(waiting.filter(|neighbour| neighbour.index == index));
        };
        let (request, answer) = (neighbour::list(index), neighbour::RTM_NEWNEIGH);
        self.once("list neighbours", request, answer, take).await?;
        Ok(found)
    }

    async fn dump(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
        answer: u16,
        into: &mut Snapshot,
    ) -> Result<(), Error> {
        for attempt in 1..=TRIES {
            let mark = into.routes.len();
            let take = |message: &Message<'_>| take(message, into);
            let interrupted = self.once(what, request.clone(), answer, take).await?;
            if !interrupted || attempt == TRIES {
                break;
            }
            tracing::debug!(what, attempt, "the kernel changed during the dump, once more");
            into.routes.truncate(mark);
        }
        Ok(())
    }

    /// One dump; `true` if it was interrupted, or could not begin because one that was given up is not at its end.
    async fn once(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
        answer: u16,
        mut take: impl FnMut(&Message<'_>),
    ) -> Result<bool, Error> {
        let netlink = |source: io::Error| Error::Netlink {
            what: "reading the kernel's state",
            source,
        };
        let mut datagram = Vec::new();
        let sequence = self.channel.next_sequence();
        encode::append_message(&mut datagram, request, NLM_F_REQUEST | NLM_F_DUMP, sequence);
        self.channel.send(&datagram).await.map_err(netlink)?;
        let (mut interrupted, mut busy) = (false, false);
        loop {
            for message in self.channel.receive().await.map_err(netlink)? {
                if message.sequence != sequence {
                    if busy && message.kind == NLMSG_DONE {
                        return Ok(true);
                    }
                    continue;
                }
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_ERROR if message.errno() == EBUSY => busy = true,
                    NLMSG_DONE | NLMSG_ERROR => {
                        return message
                            .acknowledgement()
                            .map(|()| interrupted)
                            .map_err(|refusal| Error::Refused {
                                what,
                                reason: refusal.to_string(),
                            });
                    }
                    kind if kind == answer => take(&message),
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
impl Dumper {
    /// Begins to read all routes and gives up.
    pub async fn abandon(&mut self) {
        let mut routes = RouteMessage::default();
        routes.header.address_family = AddressFamily::Inet;
        let (mut datagram, sequence) = (Vec::new(), self.channel.next_sequence());
        let request = RouteNetlinkMessage::GetRoute(routes);
        encode::append_message(&mut datagram, request, NLM_F_REQUEST | NLM_F_DUMP, sequence);
        self.channel.send(&datagram).await.unwrap();
    }
}

fn take(message: &Message<'_>, into: &mut Snapshot) {
    match message.kind {
        RTM_NEWLINK => {
            if let Some(link) = decode::link(message.payload) {
                into.host.links.insert(link.index, link);
            }
        }
        RTM_NEWADDR => into
            .host
            .addresses
            .extend(decode::interface_address(message.payload)),
        RTM_NEWROUTE => into.routes.extend(decode::route(message.payload)),
        _ => {}
    }
}
