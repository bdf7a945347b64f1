//! Header, KEEPALIVE, NOTIFICATION and ROUTE-REFRESH.

use super::*;
use crate::types::Family;
use crate::wire::{MAX_EXTENDED_MESSAGE, RefreshKind, encode_keepalive, encode_route_refresh};

fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, kind, |out| out.extend_from_slice(body));
    out
}

#[test]
fn a_message_is_found_only_when_whole() {
    let mut stream = Vec::new();
    encode_keepalive(&mut stream);
    assert_eq!(stream, [[0xFF; 16].as_slice(), &[0, 19, 4]].concat());
    for size in 0..stream.len() {
        assert_eq!(decode(&stream[..size], &external()), Ok(None), "{size} octets");
    }
    encode_route_refresh(Family::Ipv6Unicast, RefreshKind::Request, &mut stream);
    assert_eq!(decode(&stream, &external()), Ok(Some((Message::Keepalive, 19))));
}

#[test]
fn wrong_headers_are_refused_at_once() {
    let bad_length = |kind: u8, size: u16| {
        let mut bytes = vec![0xFF; 16];
        bytes.extend(size.to_be_bytes());
        bytes.push(kind);
        let n = decode(&bytes, &external()).unwrap_err();
        assert_eq!(
            (codes(&n), n.data.as_slice()),
            ((1, 2), size.to_be_bytes().as_slice()),
            "type {kind}"
        );
    };
    for (kind, size) in [(4, 18), (4, 20), (1, 28), (1, 4097), (2, 22), (2, 4097), (5, 21)] {
        bad_length(kind, size);
    }
    let n = decode(&[0xFF, 0xFF, 0xFE], &external()).unwrap_err();
    assert_eq!(codes(&n), (1, 1), "a wrong marker is seen in its first octets");
    let n = read(&raw(6, &[]), &external()).unwrap_err();
    assert_eq!((codes(&n), n.data), ((1, 3), vec![6]));
    // Nothing answers a NOTIFICATION, and what follows a broken one is lost as well.
    let mut bytes = raw(3, &[6]);
    bytes.extend([1, 2, 3]);
    let unreadable = Message::Notification(Notification::unreadable());
    assert_eq!(decode(&bytes, &external()), Ok(Some((unreadable, bytes.len()))));
}

#[test]
fn long_messages_only_where_agreed() {
    let extended = DecodeContext {
        max_message_len: MAX_EXTENDED_MESSAGE,
        ..external()
    };
    let prefixes: Vec<u8> = (0..2500).flat_map(|_| PREFIX.to_vec()).collect();
    let bytes = update(&prefixes, &[], &[]);
    assert_eq!(codes(&read(&bytes, &external()).unwrap_err()), (1, 2));
    assert_eq!(routes(&bytes, &extended).withdrawn[0].nlri.len(), 2500);
    let mut open = raw(1, &[0; 10]);
    open[16..18].copy_from_slice(&5000_u16.to_be_bytes());
    assert_eq!(
        codes(&decode(&open, &extended).unwrap_err()),
        (1, 2),
        "RFC 8654: OPEN stays at 4096"
    );
}

#[test]
fn notification_both_ways() {
    let n = Notification {
        code: 6,
        subcode: 2,
        data: [&[5], b"bye\n!".as_slice()].concat(),
    };
    let mut bytes = Vec::new();
    n.encode(&mut bytes);
    assert_eq!(read(&bytes, &external()), Ok(Message::Notification(n.clone())));
    assert_eq!(n.to_string(), "Cease/Administrative Shutdown (6/2): \"bye !\"");
    let cut = Notification {
        data: vec![9, b'a'],
        ..n.clone()
    };
    assert_eq!(cut.shutdown_communication(), None, "a length that lies");
    let other = Notification { subcode: 3, ..n };
    assert_eq!(
        other.shutdown_communication(),
        None,
        "only shutdown and reset have one"
    );
    let long = Notification {
        code: 3,
        subcode: 1,
        data: vec![7; 9000],
    };
    bytes.clear();
    long.encode(&mut bytes);
    assert_eq!(bytes.len(), 4096);
}

#[test]
fn route_refresh_in_its_kinds() {
    for kind in [RefreshKind::Request, RefreshKind::Begin, RefreshKind::End] {
        let mut bytes = Vec::new();
        encode_route_refresh(Family::Ipv4Unicast, kind, &mut bytes);
        let Message::RouteRefresh(refresh) = read(&bytes, &external()).unwrap() else {
            panic!()
        };
        assert_eq!((refresh.family, refresh.kind), (Some(Family::Ipv4Unicast), kind));
    }
    let Message::RouteRefresh(other) = read(&raw(5, &[0, 25, 9, 70]), &external()).unwrap() else {
        panic!()
    };
    assert_eq!((other.family, other.kind), (None, RefreshKind::Unknown(9)));
    let filter = raw(5, &[0, 1, 0, 1, 1, 0x80, 0, 0]);
    assert!(
        read(&filter, &external()).is_ok(),
        "RFC 5291 entries after a request"
    );
    for body in [&[0, 1, 1, 1, 0][..], &[0, 1, 2]] {
        let n = read(&raw(5, body), &external()).unwrap_err();
        assert_eq!((codes(&n), n.data), ((7, 1), raw(5, body)), "RFC 7313 §5");
    }
}
