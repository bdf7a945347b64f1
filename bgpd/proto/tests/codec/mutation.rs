//! Nothing that a peer sends makes the codec panic, hang or keep more than its input deserves, and what it takes from a
//! broken message can be sent on.

use bgpd_proto::types::{PeerKind, PerFamily};
use bgpd_proto::wire::{
    DecodeContext, EncodeContext, HEADER_LEN, MAX_EXTENDED_MESSAGE, Message, RoutesIn, decode,
    encode_announcements,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::sample::{Sample, open, sample, updates};

fn context() -> impl Strategy<Value = DecodeContext> {
    any::<[bool; 5]>().prop_map(
        |[four_octet, inside, ipv4, ipv6, extended_next_hop]| DecodeContext {
            four_octet,
            peer_kind: if inside {
                PeerKind::Internal
            } else {
                PeerKind::External
            },
            add_path: PerFamily { ipv4, ipv6 },
            extended_next_hop,
            max_message_len: MAX_EXTENDED_MESSAGE,
        },
    )
}

/// One change to a message.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Truncate(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(i, v)| Change::Set(i, v)),
        (at(), prop_oneof![Just(0_u8), Just(255)]).prop_map(|(i, v)| Change::Set(i, v)),
        (at(), 0_u8..8).prop_map(|(i, bit)| Change::Flip(i, bit)),
        (at(), any::<u8>()).prop_map(|(i, v)| Change::Insert(i, v)),
        (at(), 1_usize..30).prop_map(|(i, n)| Change::Remove(i, n)),
        (at(), 1_usize..60).prop_map(|(i, n)| Change::Repeat(i, n)),
        at().prop_map(Change::Truncate),
    ]
}

/// Changes the body and makes the header's length right again, so that the change is really looked at.
fn mutate(message: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut body = message[HEADER_LEN..].to_vec();
    for change in changes {
        if body.is_empty() {
            break;
        }
        let size = body.len();
        let part = |i: &Index, n: usize| i.index(size)..(i.index(size) + n).min(size);
        match change {
            Change::Set(i, value) => body[i.index(size)] = *value,
            Change::Flip(i, bit) => body[i.index(size)] ^= 1 << bit,
            Change::Insert(i, value) => body.insert(i.index(size), *value),
            Change::Remove(i, n) => drop(body.drain(part(i, *n))),
            Change::Repeat(i, n) => {
                let copy = body[part(i, *n)].to_vec();
                body.splice(i.index(size)..i.index(size), copy);
            }
            Change::Truncate(i) => body.truncate(i.index(size)),
        }
    }
    frame(message[HEADER_LEN - 1], &body)
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(MAX_EXTENDED_MESSAGE - HEADER_LEN)];
    let size = u16::try_from(HEADER_LEN + body.len()).expect("cut above");
    [&[0xFF; 16], size.to_be_bytes().as_slice(), &[kind], body].concat()
}

/// Reads whatever it is; checks what holds for every message.
fn survive(bytes: &[u8], context: &DecodeContext) -> Result<(), TestCaseError> {
    match decode(bytes, context) {
        Ok(Some((message, size))) => {
            prop_assert!(size >= HEADER_LEN && size <= bytes.len());
            if let Message::Update(update) = message {
                check_routes(update.into_routes(), size)?;
            }
        }
        Ok(None) => prop_assert!(bytes.len() < MAX_EXTENDED_MESSAGE),
        Err(notification) => {
            let mut out = Vec::new();
            notification.encode(&mut out);
            prop_assert!(!notification.to_string().is_empty() && out.len() <= 4096);
        }
    }
    Ok(())
}

fn check_routes(routes: RoutesIn, size: usize) -> Result<(), TestCaseError> {
    let prefixes: usize = routes.announced.iter().map(|a| a.nlri.len()).sum();
    let gone: usize = routes.withdrawn.iter().map(|w| w.nlri.len()).sum();
    prop_assert!(prefixes + gone <= size, "each prefix takes an octet at least");
    prop_assert!(routes.faults.len() <= size);
    for fault in &routes.faults {
        prop_assert!(!fault.to_string().is_empty());
    }
    // What was accepted can be passed on, and reads back without a fault.
    for group in routes.announced {
        let context = EncodeContext {
            max_message_len: MAX_EXTENDED_MESSAGE,
            ..EncodeContext::default()
        };
        let mut out = Vec::new();
        let sent = encode_announcements(
            &mut out,
            &context,
            &routes.attributes,
            group.family,
            group.next_hop,
            group.nlri.iter().copied(),
        );
        if sent.is_err() {
            continue;
        }
        let reader = DecodeContext {
            four_octet: true,
            peer_kind: match routes.attributes.local_pref {
                Some(_) => PeerKind::Internal,
                None => PeerKind::External,
            },
            extended_next_hop: true,
            max_message_len: MAX_EXTENDED_MESSAGE,
            ..DecodeContext::default()
        };
        let back = updates(&out, &reader);
        prop_assert!(back.iter().all(|r| r.faults.is_empty()), "{:?}", back);
        prop_assert!(
            back.iter().all(|r| r.attributes == routes.attributes),
            "{:?}",
            back
        );
    }
    Ok(())
}

fn first_message(sample: &Sample) -> Vec<u8> {
    let bytes = sample.bytes();
    match decode(&bytes, &sample.decode) {
        Ok(Some((_, size))) => bytes[..size].to_vec(),
        _ => frame(2, &[0; 4]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200), context in context()) {
        survive(&bytes, &context)?;
    }

    #[test]
    fn random_bodies(kind in 0_u8..7, body in vec(any::<u8>(), 0..300), context in context()) {
        survive(&frame(kind, &body), &context)?;
    }

    #[test]
    fn random_attributes(list in vec((any::<u8>(), 0_u8..40, vec(any::<u8>(), 0..40)), 0..10), context in context()) {
        let mut attributes = Vec::new();
        for (flags, code, value) in list {
            attributes.extend([flags & 0xEF, code, u8::try_from(value.len()).expect("fits")]);
            attributes.extend(value);
        }
        let mut body = vec![0, 0];
        body.extend(u16::try_from(attributes.len()).expect("fits").to_be_bytes());
        body.extend(attributes);
        body.extend([16, 10, 1]);
        survive(&frame(2, &body), &context)?;
    }

    #[test]
    fn mutated_opens(open in open(), changes in vec(change(), 1..6)) {
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        survive(&mutate(&bytes, &changes), &DecodeContext::default())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn mutated_updates(sample in sample(), changes in vec(change(), 1..8)) {
        survive(&mutate(&first_message(&sample), &changes), &sample.decode)?;
    }

    #[test]
    fn updates_read_with_the_wrong_context(sample in sample(), context in context()) {
        survive(&first_message(&sample), &context)?;
    }
}

/// The largest messages of the smallest parts: every part costs the same, however many there are.
#[test]
fn many_small_parts() {
    let context = DecodeContext {
        max_message_len: MAX_EXTENDED_MESSAGE,
        ..DecodeContext::default()
    };
    let room = MAX_EXTENDED_MESSAGE - HEADER_LEN - 4;
    let defaults = [&[0; 4], vec![0; room].as_slice()].concat();
    let repeats = attribute_list(&[0xC0, 200, 0].repeat(room / 3));
    let segments = attribute_list(&[&[0x50, 2, 0xFF, 0x00][..], &[2, 1, 0, 1].repeat(0xFF00 / 4)].concat());
    for body in [defaults, repeats, segments] {
        survive(&frame(2, &body), &context).expect("survives");
    }
}

fn attribute_list(list: &[u8]) -> Vec<u8> {
    let size = u16::try_from(list.len()).expect("fits").to_be_bytes();
    [&[0, 0], size.as_slice(), list].concat()
}
