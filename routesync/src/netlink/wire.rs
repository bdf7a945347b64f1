//! The bytes of a request: header, fixed part, attributes (netlink(7)). What is written a hundred thousand times goes straight
//! into the datagram, with nothing allocated for a single message.

/// Begins a message with its fixed part; what [`finish`] needs.
pub(super) fn begin(out: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, fixed: &[u8]) -> usize {
    let start = out.len();
    // The length comes with the end, the port is the kernel's to fill in.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(fixed);
    start
}

/// Writes the length that only now is known.
pub(super) fn finish(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_ne_bytes());
    }
}

/// An attribute with its value.
pub(super) fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    pad(out);
}

/// Something whose first two bytes are its length, written by `body`: an attribute with others in it, a hop among several.
pub(super) fn measured(out: &mut Vec<u8>, head: &[u8], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(head);
    body(out);
    let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start..start + 2) {
        field.copy_from_slice(&length.to_ne_bytes());
    }
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
