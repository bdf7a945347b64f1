//! The kernel's table of IPv6 neighbours (RTM_GETNEIGH of rtnetlink(7)), for neighbours that do not speak of themselves.

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// NLM_F_REQUEST and NLM_F_DUMP.
const DUMP: u16 = 0x301;
const AF_INET6: u8 = 10;
const NDA_DST: u16 = 1;

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct ndmsg`.
const ENTRY: usize = 12;

/// NUD_REACHABLE, STALE, DELAY, PROBE and PERMANENT: there is, or was, an answer.
const ANSWERED: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;

/// The link-local neighbour on an interface, where the table has exactly one that has answered.
///
/// # Errors
/// When the kernel does not show its table.
pub fn only_one_on(interface: u32) -> io::Result<Option<Ipv6Addr>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    sendto(
        socket.as_raw_fd(),
        &request(),
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut buffer = vec![0; 32 * 1024];
    let mut found = Vec::new();
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let more = read(buffer.get(..length).unwrap_or_default(), interface, &mut found);
        if length == 0 || !more {
            break;
        }
    }
    found.dedup();
    Ok(match found[..] {
        [one] => Some(one),
        _ => None,
    })
}

fn request() -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + ENTRY);
    message.extend(((HEADER + ENTRY) as u32).to_ne_bytes());
    message.extend(RTM_GETNEIGH.to_ne_bytes());
    message.extend(DUMP.to_ne_bytes());
    message.extend([0; 8]);
    message.push(AF_INET6);
    message.resize(HEADER + ENTRY, 0);
    message
}

/// Reads the messages of one datagram; false after the last one.
fn read(mut datagram: &[u8], interface: u32, found: &mut Vec<Ipv6Addr>) -> bool {
    while let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) {
        let length = length as usize;
        if length < HEADER || matches!(kind, NLMSG_DONE | NLMSG_ERROR) {
            return false;
        }
        if kind == RTM_NEWNEIGH {
            let entry = datagram.get(HEADER..length).unwrap_or_default();
            found.extend(neighbour(entry, interface));
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    true
}

/// The address of an entry on that interface, if it is link-local and has answered.
fn neighbour(entry: &[u8], interface: u32) -> Option<Ipv6Addr> {
    let answered = u16_at(entry, 8)? & ANSWERED != 0;
    if !answered || u32_at(entry, 4)? != interface {
        return None;
    }
    let mut attributes = entry.get(ENTRY..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let value = attributes.get(4..usize::from(length))?;
        if kind == NDA_DST {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?);
            return address.is_unicast_link_local().then_some(address);
        }
        attributes = attributes.get(usize::from(length).next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..at + 2)?;
    <[u8; 2]>::try_from(octets).ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let octets = bytes.get(at..at + 4)?;
    <[u8; 4]>::try_from(octets).ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry as the kernel writes it.
    fn message(interface: u32, state: u16, address: &str) -> Vec<u8> {
        let address: Ipv6Addr = address.parse().unwrap();
        let mut entry = vec![AF_INET6, 0, 0, 0];
        entry.extend(interface.to_ne_bytes());
        entry.extend(state.to_ne_bytes());
        entry.extend([0, 1]);
        entry.extend(20u16.to_ne_bytes());
        entry.extend(NDA_DST.to_ne_bytes());
        entry.extend(address.octets());
        let mut all = Vec::new();
        all.extend(((HEADER + entry.len()) as u32).to_ne_bytes());
        all.extend(RTM_NEWNEIGH.to_ne_bytes());
        all.extend([0; 10]);
        all.extend(entry);
        all
    }

    #[test]
    fn only_link_local_neighbours_of_the_link_that_have_answered_count() {
        let mut datagram = message(7, 0x02, "fe80::1");
        datagram.extend(message(8, 0x02, "fe80::2"));
        datagram.extend(message(7, 0x20, "fe80::3"));
        datagram.extend(message(7, 0x04, "2001:db8::1"));
        datagram.extend(message(7, 0x04, "fe80::4"));
        let mut found = Vec::new();
        assert!(read(&datagram, 7, &mut found));
        let wanted: [Ipv6Addr; 2] = ["fe80::1".parse().unwrap(), "fe80::4".parse().unwrap()];
        assert_eq!(found, wanted);
        let mut end = Vec::from(20u32.to_ne_bytes());
        end.extend(NLMSG_DONE.to_ne_bytes());
        end.extend([0; 14]);
        assert!(!read(&end, 7, &mut found));
        for cut in 0..datagram.len() {
            read(&datagram[..cut], 7, &mut Vec::new());
        }
    }

    #[test]
    fn the_kernel_shows_its_table() {
        assert_eq!(only_one_on(u32::MAX).unwrap(), None);
    }
}
