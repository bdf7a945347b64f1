//! Notifications of links, addresses, routes and nexthop objects (`RTNLGRP_*`), in the kernel's order.
//!
//! Those of routes that our own writes cause are left out, by the kernel itself ([`deaf_to`]): they say what the answers to the
//! writes have said, at the price of a system call each; and replacing one nexthop object under very many routes makes a
//! notification for each of these (`net.ipv4.nexthop_compat_mode`), which no receive buffer holds. They carry the netlink port of
//! the socket that asked for the write, in the header as in the kernel: nobody else's can have it.

use std::io;

use netlink_packet_core::NLM_F_REPLACE;
use socket2::{SockFilter, SockRef};

use super::{
    decode,
    nexthop::{self, RTM_DELNEXTHOP, RTM_NEWNEXTHOP},
    socket::{Channel, Message},
};
use crate::{
    engine::Event,
    error::Error,
    fib::{RouteChange, RouteEvent},
    nexthop::object::NexthopEvent,
};

/// Room for the notifications of some ten thousand routes; more at once costs a dump, no correctness.
const RECEIVE_BUFFER: usize = 32 * 1024 * 1024;

const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV4_ROUTE: u32 = 7;
const RTNLGRP_IPV6_IFADDR: u32 = 9;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
const RTNLGRP_NEXTHOP: u32 = 32;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

/// The socket for notifications.
pub(crate) struct Monitor {
    channel: Channel,
    /// The port of the socket that our writes go through.
    own_port: u32,
}

impl Monitor {
    /// Opens the socket in the network namespace of the calling thread and subscribes.
    pub fn open(own_port: u32) -> Result<Self, Error> {
        Self::open_with(own_port, RECEIVE_BUFFER)
    }

    pub(super) fn open_with(own_port: u32, receive_buffer: usize) -> Result<Self, Error> {
        let channel = Channel::open(receive_buffer)?;
        // Before the first subscription, so that none slips through.
        SockRef::from(channel.socket())
            .attach_filter(&deaf_to(own_port))
            .map_err(Error::Open)?;
        let groups = [
            RTNLGRP_LINK,
            RTNLGRP_IPV4_IFADDR,
            RTNLGRP_IPV4_ROUTE,
            RTNLGRP_IPV6_IFADDR,
            RTNLGRP_IPV6_ROUTE,
            RTNLGRP_NEXTHOP,
        ];
        groups.into_iter().try_for_each(|group| channel.join(group))?;
        Ok(Monitor { channel, own_port })
    }

    /// Waits until there may be something to take.
    pub async fn readable(&self) -> Result<(), Error> {
        self.channel.readable().await.map_err(netlink)
    }

    /// Hands over all that is there now. Does not wait.
    pub fn drain(&mut self, mut take: impl FnMut(Event)) -> Result<(), Error> {
        const ENOBUFS: i32 = 105;
        loop {
            match self.channel.try_receive() {
                Ok(None) => return Ok(()),
                Ok(Some(messages)) => {
                    messages
                        .filter_map(|message| event(&message, self.own_port))
                        .for_each(&mut take);
                }
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => take(Event::Lost),
                Err(error) => return Err(netlink(error)),
            }
        }
    }
}

/// A socket filter (`SO_ATTACH_FILTER`) that drops the route notifications with that port in `struct nlmsghdr`. It reads numbers
/// as the network has them, the header has them as the host does.
fn deaf_to(port: u32) -> [SockFilter; 7] {
    const LOAD_HALF: u16 = 0x28;
    const LOAD_WORD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const KIND_AT: u32 = 4;
    const PORT_AT: u32 = 12;
    let kind = |kind: u16| u32::from(kind.to_be());
    [
        SockFilter::new(LOAD_WORD, 0, 0, PORT_AT),
        SockFilter::new(IF_EQUAL, 0, 4, port.to_be()),
        SockFilter::new(LOAD_HALF, 0, 0, KIND_AT),
        SockFilter::new(IF_EQUAL, 1, 0, kind(RTM_NEWROUTE)),
        SockFilter::new(IF_EQUAL, 0, 1, kind(RTM_DELROUTE)),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

fn netlink(source: io::Error) -> Error {
    Error::Netlink {
        what: "following notifications",
        source,
    }
}

fn event(message: &Message<'_>, own_port: u32) -> Option<Event> {
    let payload = message.payload;
    Some(match message.kind {
        RTM_NEWROUTE | RTM_DELROUTE => {
            let (key, route) = decode::route(payload)?;
            let change = match message.kind {
                RTM_DELROUTE => RouteChange::Removed,
                _ if message.flags & NLM_F_REPLACE != 0 => RouteChange::Replaced,
                _ => RouteChange::Added,
            };
            Event::Route(RouteEvent { key, route, change })
        }
        RTM_NEWLINK => Event::Link(decode::link(payload)?),
        RTM_DELLINK => Event::LinkGone(decode::link_index(payload)?),
        RTM_NEWADDR => Event::Address {
            address: decode::interface_address(payload)?,
            present: true,
        },
        RTM_DELADDR => Event::Address {
            address: decode::interface_address(payload)?,
            present: false,
        },
        RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
            let object = nexthop::decode(payload)?;
            Event::Nexthop(NexthopEvent {
                id: object.id,
                now: (message.kind == RTM_NEWNEXTHOP).then_some(object),
                own: message.port == own_port,
            })
        }
        _ => return None,
    })
}
