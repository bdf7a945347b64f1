//! BGP messages as a speaker writes them (RFC 4271, RFC 6793 for the width of AS numbers), by hand: no code of what is measured.

use crate::route::{Attributes, Prefix};

/// OPEN.
pub const OPEN: u8 = 1;
/// UPDATE.
pub const UPDATE: u8 = 2;
/// NOTIFICATION.
pub const NOTIFICATION: u8 = 3;
/// KEEPALIVE.
pub const KEEPALIVE: u8 = 4;
/// Bytes of a message's header.
pub const HEADER: usize = 19;
/// The longest message (RFC 4271, section 4.1).
pub const LARGEST: usize = 4096;
/// Seconds; a third of it between keepalives.
pub const HOLD: u16 = 90;

const AS_TRANS: u16 = 23_456;
const TRANSITIVE: u8 = 0x40;
const OPTIONAL: u8 = 0x80;

fn message(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.extend([0xff; 16]);
    out.extend(length(HEADER + body.len()));
    out.push(kind);
    out.extend(body);
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// OPEN with IPv4 unicast and four-octet AS numbers, without graceful restart.
pub fn open(asn: u32, identifier: u32) -> Vec<u8> {
    let mut capabilities = vec![1, 4, 0, 1, 0, 1, 65, 4];
    capabilities.extend(asn.to_be_bytes());
    let mut body = vec![4];
    body.extend(u16::try_from(asn).unwrap_or(AS_TRANS).to_be_bytes());
    body.extend(HOLD.to_be_bytes());
    body.extend(identifier.to_be_bytes());
    let size = u8::try_from(capabilities.len()).unwrap_or(u8::MAX);
    body.extend([size + 2, 2, size]);
    body.extend(capabilities);
    let mut out = Vec::new();
    message(OPEN, &body, &mut out);
    out
}

/// KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    let mut out = Vec::new();
    message(KEEPALIVE, &[], &mut out);
    out
}

/// The end of the first feed (RFC 4724, section 2).
pub fn end_of_rib(out: &mut Vec<u8>) {
    message(UPDATE, &[0; 4], out);
}

/// UPDATEs that announce the prefixes, as many in each message as fit.
pub fn announce(attributes: &Attributes, prefixes: &[Prefix], out: &mut Vec<u8>) {
    let encoded = encode(attributes);
    let room = LARGEST - HEADER - 4 - encoded.len();
    let mut body = Vec::with_capacity(LARGEST);
    let begin = |body: &mut Vec<u8>| {
        body.clear();
        body.extend([0, 0]);
        body.extend(length(encoded.len()));
        body.extend(&encoded);
    };
    begin(&mut body);
    let empty = body.len();
    for prefix in prefixes {
        if body.len() - empty + 5 > room {
            message(UPDATE, &body, out);
            begin(&mut body);
        }
        body.push(prefix.length);
        let octets = usize::from(prefix.length).div_ceil(8);
        body.extend(prefix.address.to_be_bytes().iter().take(octets));
    }
    if body.len() > empty {
        message(UPDATE, &body, out);
    }
}

fn attribute(flags: u8, kind: u8, value: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(value.len()) {
        Ok(short) => out.extend([flags, kind, short]),
        Err(_) => {
            out.extend([flags | 0x10, kind]);
            out.extend(length(value.len()));
        }
    }
    out.extend(value);
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The attributes in the order of their types.
fn encode(attributes: &Attributes) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    attribute(TRANSITIVE, 1, &[attributes.origin], &mut out);
    let mut path = Vec::new();
    for segment in attributes.path.chunks(255) {
        path.extend([2, u8::try_from(segment.len()).unwrap_or(u8::MAX)]);
        path.extend(numbers(segment));
    }
    attribute(TRANSITIVE, 2, &path, &mut out);
    attribute(TRANSITIVE, 3, &attributes.next_hop.to_be_bytes(), &mut out);
    if let Some(med) = attributes.med {
        attribute(OPTIONAL, 4, &med.to_be_bytes(), &mut out);
    }
    if let Some(preference) = attributes.local_pref {
        attribute(TRANSITIVE, 5, &preference.to_be_bytes(), &mut out);
    }
    if attributes.atomic {
        attribute(TRANSITIVE, 6, &[], &mut out);
    }
    if let Some((asn, address)) = attributes.aggregator {
        attribute(OPTIONAL | TRANSITIVE, 7, &numbers(&[asn, address]), &mut out);
    }
    if !attributes.communities.is_empty() {
        attribute(
            OPTIONAL | TRANSITIVE,
            8,
            &numbers(&attributes.communities),
            &mut out,
        );
    }
    if let Some(originator) = attributes.originator {
        attribute(OPTIONAL, 9, &originator.to_be_bytes(), &mut out);
    }
    if !attributes.cluster_list.is_empty() {
        attribute(OPTIONAL, 10, &numbers(&attributes.cluster_list), &mut out);
    }
    if !attributes.large.is_empty() {
        let large = attributes.large.concat();
        attribute(OPTIONAL | TRANSITIVE, 32, &numbers(&large), &mut out);
    }
    out
}

#[cfg(test)]
mod tests;
