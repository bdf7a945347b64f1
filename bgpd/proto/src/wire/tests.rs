//! Tests of the codec with messages written out by hand. Properties over generated messages, and the comparison with
//! other codecs, are in the crate's `tests` folder.

mod as4;
mod density;
mod framing;
mod open;
mod packing;
mod rfc7606;
pub(crate) mod stored;
mod update;

use super::context::DecodeContext;
use super::decode::decode;
use super::frame::{UPDATE, write_message};
use super::message::Message;
use super::notification::Notification;
use super::update::{RoutesIn, Update};
use crate::types::PeerKind;

/// The attributes that every announcement to an external peer has: ORIGIN IGP, AS_PATH 65001, NEXT_HOP 192.0.2.1.
const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xE9];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// 10.1.0.0/16.
const PREFIX: &[u8] = &[16, 10, 1];

/// Four octets for AS numbers, an external peer.
fn external() -> DecodeContext {
    DecodeContext {
        four_octet: true,
        ..DecodeContext::default()
    }
}

fn internal() -> DecodeContext {
    DecodeContext {
        peer_kind: PeerKind::Internal,
        ..external()
    }
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![flags, code];
    match flags & 0x10 {
        0 => out.push(u8::try_from(value.len()).unwrap()),
        _ => out.extend(u16::try_from(value.len()).unwrap().to_be_bytes()),
    }
    out.extend_from_slice(value);
    out
}

/// A whole UPDATE of its three fields.
fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, UPDATE, |out| {
        out.extend(u16::try_from(withdrawn.len()).unwrap().to_be_bytes());
        out.extend_from_slice(withdrawn);
        out.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        out.extend_from_slice(attributes);
        out.extend_from_slice(nlri);
    });
    out
}

fn read(bytes: &[u8], context: &DecodeContext) -> Result<Message, Notification> {
    let (message, size) = decode(bytes, context)?.expect("a whole message");
    assert_eq!(size, bytes.len());
    Ok(message)
}

fn read_update(bytes: &[u8], context: &DecodeContext) -> Result<Update, Notification> {
    match read(bytes, context)? {
        Message::Update(update) => Ok(update),
        other => panic!("not an UPDATE: {other:?}"),
    }
}

fn routes(bytes: &[u8], context: &DecodeContext) -> RoutesIn {
    read_update(bytes, context).unwrap().into_routes()
}

/// Code and subcode.
fn codes(notification: &Notification) -> (u8, u8) {
    (notification.code, notification.subcode)
}
