//! Whole messages out of a stream of bytes, the header judged first (RFC 4271 §4.1, §6.1, RFC 8654).

use super::context::{DecodeContext, MAX_MESSAGE};
use super::frame::{HEADER_LEN, KEEPALIVE, MARKER, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE};
use super::message::{Message, RouteRefresh};
use super::notification::Notification;
use super::open::Open;
use super::update::{LatestList, Update};

/// The first whole message in `bytes` with its length, or `None` while it is incomplete. An error is the
/// NOTIFICATION to send; the connection is to be closed after it. A NOTIFICATION whose length is wrong takes all that is
/// there with it, and is [`Notification::unreadable`]. The header is judged as soon as it is there,
/// so that no more than one message of the negotiated maximum is ever waited for.
pub fn decode(bytes: &[u8], context: &DecodeContext) -> Result<Option<(Message, usize)>, Notification> {
    decode_next(bytes, context, &mut LatestList::default())
}

/// The same for one message after the other: what `latest` remembers of the one before need not be read again.
pub fn decode_next(
    bytes: &[u8],
    context: &DecodeContext,
    latest: &mut LatestList,
) -> Result<Option<(Message, usize)>, Notification> {
    let marker = &bytes[..bytes.len().min(MARKER.len())];
    if marker != &MARKER[..marker.len()] {
        return Err(Notification::header(1, Vec::new()));
    }
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let (length, kind) = ([header[16], header[17]], header[18]);
    let size = usize::from(u16::from_be_bytes(length));
    if kind == NOTIFICATION && check(kind, size, context).is_err() {
        // No NOTIFICATION answers one that cannot be read (RFC 4271 §6.4), and nothing good follows it.
        return Ok(Some((
            Message::Notification(Notification::unreadable()),
            bytes.len(),
        )));
    }
    check(kind, size, context).map_err(|subcode| match subcode {
        3 => Notification::header(3, [kind]),
        subcode => Notification::header(subcode, length),
    })?;
    let Some(body) = bytes.get(HEADER_LEN..size) else {
        return Ok(None);
    };
    let message = match kind {
        OPEN => Message::Open(Open::decode(body)?),
        UPDATE => Message::Update(Update::decode(body, context, latest)?),
        NOTIFICATION => Message::Notification(Notification::decode(body)),
        KEEPALIVE => Message::Keepalive,
        _ => Message::RouteRefresh(RouteRefresh::decode(body)?),
    };
    Ok(Some((message, size)))
}

/// The subcode of what is wrong with length or type.
fn check(kind: u8, size: usize, context: &DecodeContext) -> Result<(), u8> {
    let (least, most) = match kind {
        // RFC 8654 §4: OPEN and KEEPALIVE are never longer than before.
        OPEN => (29, MAX_MESSAGE),
        UPDATE => (23, context.max_message_len),
        NOTIFICATION => (21, context.max_message_len),
        KEEPALIVE => (HEADER_LEN, HEADER_LEN),
        // RFC 7313 §5 judges the lengths from the subtype on.
        ROUTE_REFRESH => (HEADER_LEN + 3, context.max_message_len),
        _ => return Err(3),
    };
    if (least..=most).contains(&size) {
        Ok(())
    } else {
        Err(2)
    }
}
