//! Any bytes through the codec. Asked of it: what comes in pieces is judged as what comes at once; what was read can be
//! written, and reads back as the same; there are no more prefixes than octets.

use crate::input::Input;
use bgpd_proto::types::{PeerKind, PerFamily};
use bgpd_proto::wire::{
    DecodeContext, EncodeContext, HEADER_LEN, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Message, Nlri, Notification,
    RefreshKind, RoutesIn, decode, encode_announcements, encode_route_refresh, encode_withdrawals,
};

/// Messages looked at in one input.
const MOST: usize = 64;

/// The first octet says how the session was negotiated, and whether a header is put before the rest.
pub fn message(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.u8();
    let bit = |n: u8| choice & (1 << n) != 0;
    let context = DecodeContext {
        four_octet: bit(0),
        peer_kind: if bit(1) {
            PeerKind::Internal
        } else {
            PeerKind::External
        },
        add_path: PerFamily {
            ipv4: bit(2),
            ipv6: bit(3),
        },
        extended_next_hop: bit(4),
        max_message_len: if bit(5) { MAX_EXTENDED_MESSAGE } else { MAX_MESSAGE },
    };
    if bit(7) {
        let kind = input.u8();
        stream(&framed(kind, input.rest()), &context);
    } else {
        stream(input.rest(), &context);
    }
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(MAX_EXTENDED_MESSAGE - HEADER_LEN)];
    let size = (HEADER_LEN + body.len()) as u16;
    [&[0xFF; 16], size.to_be_bytes().as_slice(), &[kind], body].concat()
}

fn stream(mut bytes: &[u8], context: &DecodeContext) {
    for _ in 0..MOST {
        let whole = decode(bytes, context);
        in_pieces(bytes, context, &whole);
        match whole {
            Ok(Some((message, size))) => {
                assert!((HEADER_LEN..=bytes.len()).contains(&size));
                good(message, size, context);
                bytes = &bytes[size..];
            }
            Ok(None) => {
                assert!(
                    bytes.len() < context.max_message_len.max(MAX_MESSAGE),
                    "waits for ever"
                );
                return;
            }
            Err(notification) => return said(&notification),
        }
    }
}

/// The beginning of a stream is read as the whole of it, or waited for. What stands for a NOTIFICATION that cannot be
/// read is as long as what there is: nothing good follows it.
fn in_pieces(bytes: &[u8], context: &DecodeContext, whole: &Result<Option<(Message, usize)>, Notification>) {
    let end = bytes.len();
    let sizes = [
        0,
        1,
        15,
        16,
        17,
        18,
        19,
        20,
        23,
        29,
        end / 2,
        end.saturating_sub(1),
    ];
    for length in sizes.into_iter().filter(|length| *length < end) {
        let part = decode(&bytes[..length], context);
        let waits = matches!(part, Ok(None));
        match whole {
            Ok(Some((message, size))) if unreadable(message) => {
                assert_eq!(*size, end);
                let cut = part.as_ref().is_ok_and(|part| {
                    part.as_ref()
                        .is_some_and(|(m, size)| unreadable(m) && *size == length)
                });
                assert!(waits || cut, "{length} octets: {part:?}");
            }
            Ok(Some((_, size))) if length < *size => assert!(waits, "{length} of {size} octets: {part:?}"),
            Ok(None) => assert!(waits, "{length} octets: {part:?}"),
            Ok(Some(_)) => assert!(part == *whole, "{length} octets: {part:?}"),
            Err(_) => assert!(waits || part == *whole, "{length} octets: {part:?}"),
        }
    }
}

fn unreadable(message: &Message) -> bool {
    matches!(message, Message::Notification(n) if *n == Notification::unreadable())
}

fn good(mut message: Message, size: usize, context: &DecodeContext) {
    let mut out = Vec::new();
    match &mut message {
        Message::Open(open) => {
            open.encode(&mut out);
            assert!(out.len() <= MAX_MESSAGE);
            // What differed in a part that says nothing to us is a repetition when we write it.
            let mut seen = Vec::new();
            open.capabilities.retain(|capability| {
                let new = !seen.contains(capability);
                seen.push(capability.clone());
                new
            });
        }
        Message::Notification(notification) => return said(notification),
        Message::RouteRefresh(refresh) => match refresh.family {
            Some(family) if !matches!(refresh.kind, RefreshKind::Unknown(_)) => {
                encode_route_refresh(family, refresh.kind, &mut out);
            }
            _ => return,
        },
        Message::Keepalive => return,
        Message::Update(update) => return routes(update.clone().into_routes(), size, context),
    }
    let length = out.len();
    assert_eq!(decode(&out, context), Ok(Some((message, length))));
}

/// A NOTIFICATION, received or to be sent.
fn said(notification: &Notification) {
    let mut out = Vec::new();
    notification.encode(&mut out);
    assert!(!notification.to_string().is_empty() && out.len() <= MAX_MESSAGE);
    match decode(&out, &DecodeContext::default()) {
        Ok(Some((Message::Notification(back), _))) => {
            assert_eq!(
                (back.code, back.subcode),
                (notification.code, notification.subcode)
            );
            assert!(notification.data.starts_with(&back.data));
        }
        other => panic!("{notification:?} reads as {other:?}"),
    }
}

fn routes(routes: RoutesIn, size: usize, context: &DecodeContext) {
    let announced: usize = routes.announced.iter().map(|a| a.nlri.len()).sum();
    let withdrawn: usize = routes.withdrawn.iter().map(|w| w.nlri.len()).sum();
    assert!(
        announced + withdrawn <= size,
        "each prefix takes an octet at least"
    );
    assert!(routes.faults.len() <= size);
    assert!(routes.faults.iter().all(|fault| !fault.to_string().is_empty()));
    assert!(routes.end_of_rib.is_none() || announced + withdrawn == 0);
    for four_octet in [true, false] {
        let write = EncodeContext {
            four_octet,
            add_path: context.add_path,
            max_message_len: MAX_EXTENDED_MESSAGE,
        };
        let read = DecodeContext {
            four_octet,
            extended_next_hop: true,
            max_message_len: MAX_EXTENDED_MESSAGE,
            ..*context
        };
        passed_on(&routes, &write, &read);
    }
}

/// What was accepted can be sent, and reads back without a fault.
fn passed_on(routes: &RoutesIn, write: &EncodeContext, read: &DecodeContext) {
    for group in &routes.announced {
        let mut out = Vec::new();
        let nlri = group.nlri.iter().copied();
        let attributes = &routes.attributes;
        if encode_announcements(&mut out, write, attributes, group.family, group.next_hop, nlri).is_err() {
            assert!(out.is_empty());
            continue;
        }
        let mut nlri: Vec<Nlri> = Vec::new();
        for back in updates(&out, read) {
            assert!(back.faults.is_empty() && back.disable.is_empty(), "{back:?}");
            // Towards a two-octet speaker, numbers may be lost that AS_TRANS stands for.
            assert!(!write.four_octet || back.attributes == *attributes, "{back:?}");
            for part in back.announced {
                assert_eq!((part.family, part.next_hop), (group.family, group.next_hop));
                nlri.extend(part.nlri);
            }
        }
        assert_eq!(nlri, group.nlri);
    }
    for group in &routes.withdrawn {
        let mut out = Vec::new();
        encode_withdrawals(&mut out, write, group.family, group.nlri.iter().copied());
        let back: Vec<Nlri> = updates(&out, read)
            .into_iter()
            .flat_map(|back| back.withdrawn)
            .flat_map(|part| part.nlri)
            .collect();
        assert_eq!(back, group.nlri);
    }
}

fn updates(mut bytes: &[u8], context: &DecodeContext) -> Vec<RoutesIn> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        match decode(bytes, context) {
            Ok(Some((Message::Update(update), size))) => {
                found.push(update.into_routes());
                bytes = &bytes[size..];
            }
            other => panic!("what we write reads as {other:?}"),
        }
    }
    found
}
