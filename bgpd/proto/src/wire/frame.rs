//! The frame around every message (RFC 4271 §4.1): marker, length, type.

/// Marker, length, type, in octets.
pub const HEADER_LEN: usize = 19;

pub(super) const OPEN: u8 = 1;
pub(super) const UPDATE: u8 = 2;
pub(super) const NOTIFICATION: u8 = 3;
pub(super) const KEEPALIVE: u8 = 4;
pub(super) const ROUTE_REFRESH: u8 = 5;

/// What a type of message is called.
pub(super) fn type_name(kind: u8) -> &'static str {
    match kind {
        OPEN => "OPEN",
        UPDATE => "UPDATE",
        NOTIFICATION => "NOTIFICATION",
        KEEPALIVE => "KEEPALIVE",
        ROUTE_REFRESH => "ROUTE-REFRESH",
        _ => "a message of an unknown type",
    }
}

pub(super) const MARKER: [u8; 16] = [0xFF; 16];

/// Appends a message: header, what `body` writes, and the length put in afterwards. Every caller keeps the body
/// below the maximum of a message.
pub(super) fn write_message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(MARKER);
    out.extend([0, 0, kind]);
    body(out);
    let size = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    out[start + 16..start + 18].copy_from_slice(&size.to_be_bytes());
}
