//! The kernel's table of IPv6 neighbours (RTM_GETNEIGH of rtnetlink(7)), for neighbours that do not speak of themselves.

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;
use std::net::Ipv6Addr;

/// The link-local neighbour on an interface, where the table has exactly one that has answered.
///
/// # Errors
/// When the kernel does not show its table.
pub fn only_one_on(interface: u32) -> io::Result<Option<Ipv6Addr>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(), 0)?;
    let mut found = Vec::new();
    while read(&socket.recv_from_full()?.0, interface, &mut found)? {}
    found.dedup();
    Ok(match found[..] {
        [one] => Some(one),
        _ => None,
    })
}

fn request() -> Vec<u8> {
    let mut entry = NeighbourMessage::default();
    entry.header.family = AddressFamily::Inet6;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let message = RouteNetlinkMessage::GetNeighbour(entry);
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    bytes
}

/// Reads the messages of one datagram; false after the last one.
fn read(datagram: &[u8], interface: u32, found: &mut Vec<Ipv6Addr>) -> io::Result<bool> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        let length = (packet.header.length as usize).next_multiple_of(4).max(1);
        rest = rest.get(length..).unwrap_or_default();
        match packet.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) => {
                found.extend(neighbour(&entry, interface));
            }
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(false),
            _ => {}
        }
    }
    Ok(!datagram.is_empty())
}

/// The address of an entry on that interface, if it is link-local and there is, or was, an answer.
fn neighbour(entry: &NeighbourMessage, interface: u32) -> Option<Ipv6Addr> {
    let answered = matches!(
        entry.header.state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
    );
    if !answered || entry.header.ifindex != interface {
        return None;
    }
    let address = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some(*address),
        _ => None,
    });
    address.filter(Ipv6Addr::is_unicast_link_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(interface: u32, state: NeighbourState, address: &str) -> NeighbourMessage {
        let mut entry = NeighbourMessage::default();
        entry.header.family = AddressFamily::Inet6;
        (entry.header.ifindex, entry.header.state) = (interface, state);
        let address = NeighbourAddress::Inet6(address.parse().unwrap());
        entry.attributes.push(NeighbourAttribute::Destination(address));
        entry
    }

    #[test]
    fn only_link_local_neighbours_of_the_link_that_have_answered_count() {
        for (entry, counts) in [
            (entry(7, NeighbourState::Reachable, "fe80::1"), true),
            (entry(8, NeighbourState::Reachable, "fe80::1"), false),
            (entry(7, NeighbourState::Failed, "fe80::1"), false),
            (entry(7, NeighbourState::Stale, "2001:db8::1"), false),
            (entry(7, NeighbourState::Stale, "fe80::1"), true),
        ] {
            assert_eq!(neighbour(&entry, 7).is_some(), counts, "{entry:?}");
        }
    }

    #[test]
    fn the_kernel_shows_its_table() {
        assert_eq!(only_one_on(u32::MAX).unwrap(), None);
    }
}
