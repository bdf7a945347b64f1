//! Notifications of links, addresses, routes and nexthop objects (`RTNLGRP_*`), in the kernel's order.

use std::io;

use netlink_packet_core::NLM_F_REPLACE;

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
            Event::Route(RouteEvent {
                key,
                route,
                change,
                own: message.port == own_port,
            })
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
