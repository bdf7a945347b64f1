//! The checksum offload of a link, read and turned off over ethtool's generic netlink, as
//! `ethtool -K LINK tx-checksum-ip-generic off` does (Documentation/networking/ethtool-netlink.rst).
//!
//! The kernel answers such requests at once, so the calls block for no longer than a system call.

use std::io;

use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};

/// NETIF_F_HW_CSUM by the name that ethtool has for it: the kernel leaves inner checksums to the link.
const FEATURE: &str = "tx-checksum-ip-generic";

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLA_F_NESTED: u16 = 0x8000;
const NLA_TYPE_MASK: u16 = 0x3fff;
/// Of a netlink message's header.
const HEADER: usize = 16;
/// Of a generic netlink message's own header.
const GENERIC: usize = 4;

/// Whether inner checksums of what is sent through the link `name` are left to the link below.
pub(super) fn is_on(name: &str) -> io::Result<bool> {
    let reply = ethtool(ETHTOOL_MSG_FEATURES_GET, &header(name))?;
    let active = find(&reply, ETHTOOL_A_FEATURES_ACTIVE).unwrap_or_default();
    let bits = find(active, ETHTOOL_A_BITSET_BITS).unwrap_or_default();
    Ok(attributes(bits).any(|(_, bit)| {
        let named = find(bit, ETHTOOL_A_BITSET_BIT_NAME).is_some_and(|text| text == terminated(FEATURE));
        // A list without mask names only the features that are on; one with a mask marks them.
        let masked = find(active, 1).is_none();
        named && (!masked || find(bit, ETHTOOL_A_BITSET_BIT_VALUE).is_some())
    }))
}

/// Has the kernel compute them itself from now on, until the link is made anew.
pub(super) fn turn_off(name: &str) -> io::Result<()> {
    let bit = attribute(ETHTOOL_A_BITSET_BIT_NAME, &terminated(FEATURE));
    let bit = attribute(ETHTOOL_A_BITSET_BITS_BIT | NLA_F_NESTED, &bit);
    let bits = attribute(ETHTOOL_A_BITSET_BITS | NLA_F_NESTED, &bit);
    let mut body = header(name);
    body.extend(attribute(ETHTOOL_A_FEATURES_WANTED | NLA_F_NESTED, &bits));
    ethtool(ETHTOOL_MSG_FEATURES_SET, &body)?;
    if is_on(name)? {
        return Err(io::Error::other(format!("the link keeps {FEATURE} on")));
    }
    Ok(())
}

fn header(name: &str) -> Vec<u8> {
    let name = attribute(ETHTOOL_A_HEADER_DEV_NAME, &terminated(name));
    attribute(ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED, &name)
}

fn terminated(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// Asks ethtool; the attributes of its reply, none for a mere acknowledgement.
fn ethtool(command: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let socket = Socket::new(NETLINK_GENERIC)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let name = attribute(CTRL_ATTR_FAMILY_NAME, &terminated("ethtool"));
    let family = ask(&socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &name)?;
    let id = find(&family, CTRL_ATTR_FAMILY_ID).and_then(|value| value.first_chunk::<2>());
    let id =
        id.ok_or_else(|| io::Error::other("the kernel has no ethtool netlink (CONFIG_ETHTOOL_NETLINK)"))?;
    ask(&socket, u16::from_ne_bytes(*id), command, body)
}

fn ask(socket: &Socket, kind: u16, command: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(HEADER + GENERIC + body.len()).map_err(io::Error::other)?;
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    // Sequence and port: each request has its answers before the next is sent.
    request.extend([0; 8]);
    request.extend([command, 1, 0, 0]);
    request.extend(body);
    socket.send(&request, 0)?;
    let mut reply = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while let Some((kind, payload, after)) = message(rest) {
            rest = after;
            if kind != NLMSG_ERROR {
                reply.extend_from_slice(payload.get(GENERIC..).unwrap_or_default());
                continue;
            }
            let code = payload
                .first_chunk::<4>()
                .map_or(0, |code| i32::from_ne_bytes(*code));
            return if code == 0 {
                Ok(reply)
            } else {
                Err(io::Error::from_raw_os_error(-code))
            };
        }
    }
}

/// The type and payload of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk::<2>()?);
    let payload = bytes.get(HEADER..length)?;
    Some((
        kind,
        payload,
        bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
    ))
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk::<2>()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk::<2>()?) & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_found_where_they_were_put() {
        let inner = attribute(2, b"abc");
        let bytes = [attribute(7, b"x"), attribute(5 | NLA_F_NESTED, &inner)].concat();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(find(find(&bytes, 5).unwrap(), 2), Some(&b"abc"[..]));
        assert_eq!(find(&bytes, 9), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes: Vec<u8>) {
            let _ = message(&bytes);
            let _ = attributes(&bytes).count();
        }
    }
}
