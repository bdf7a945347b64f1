//! What we write, we read back the same.

use bgpd_proto::types::{Family, PeerKind};
use bgpd_proto::wire::{
    AsPath, DecodeContext, MAX_MESSAGE, Message, NextHop, Nlri, Notification, RoutesIn, Segment, SegmentKind,
    decode, encode_end_of_rib,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sample::{Sample, messages, open, sample, updates};

/// Everything announced: next hop and prefixes, in order.
fn announced(updates: &[RoutesIn]) -> Vec<(Family, NextHop, Nlri)> {
    let groups = updates.iter().flat_map(|u| &u.announced);
    groups
        .flat_map(|a| a.nlri.iter().map(|n| (a.family, a.next_hop, *n)))
        .collect()
}

fn withdrawn(updates: &[RoutesIn]) -> Vec<(Family, Nlri)> {
    let groups = updates.iter().flat_map(|u| &u.withdrawn);
    groups
        .flat_map(|w| w.nlri.iter().map(|n| (w.family, *n)))
        .collect()
}

/// Over a two-octet session neighbouring sequences may come back as one; the numbers are the same.
fn flat(path: &AsPath) -> Vec<(bool, u32)> {
    let numbers = |s: &Segment| {
        let set = s.kind == SegmentKind::Set;
        s.asns.iter().map(|a| (set, a.0)).collect::<Vec<_>>()
    };
    path.segments.iter().flat_map(numbers).collect()
}

fn check(sample: &Sample) -> Result<(), TestCaseError> {
    let bytes = sample.bytes();
    let sizes: Vec<usize> = messages(&bytes, &sample.decode)
        .into_iter()
        .map(|(size, _)| size)
        .collect();
    prop_assert!(sizes.iter().all(|size| *size <= sample.encode.max_message_len));
    let updates = updates(&bytes, &sample.decode);
    for update in &updates {
        prop_assert_eq!(&update.faults, &vec![]);
        prop_assert!(update.disable.is_empty() && update.end_of_rib.is_none());
        if !update.announced.is_empty() {
            let (mut read, mut sent) = (update.attributes.clone(), sample.attributes.clone());
            prop_assert_eq!(flat(&read.as_path), flat(&sent.as_path));
            if sample.encode.four_octet {
                prop_assert_eq!(&read.as_path, &sent.as_path);
            }
            read.as_path = Default::default();
            sent.as_path = Default::default();
            prop_assert_eq!(read, sent);
        }
    }
    let expected: Vec<_> = sample
        .announced
        .iter()
        .map(|n| (sample.family, sample.next_hop, *n))
        .collect();
    prop_assert_eq!(announced(&updates), expected);
    let expected: Vec<_> = sample.withdrawn.iter().map(|n| (sample.family, *n)).collect();
    prop_assert_eq!(withdrawn(&updates), expected);
    Ok(())
}

proptest! {
    #[test]
    fn updates_read_back(sample in sample()) {
        check(&sample)?;
    }

    #[test]
    fn opens_read_back(open in open()) {
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        prop_assert!(bytes.len() <= MAX_MESSAGE);
        let read = messages(&bytes, &DecodeContext::default());
        prop_assert_eq!(read, vec![(bytes.len(), Message::Open(open))]);
    }

    #[test]
    fn notifications_read_back(code in any::<u8>(), subcode in any::<u8>(), data in vec(any::<u8>(), 0..4000)) {
        let notification = Notification { code, subcode, data };
        let mut bytes = Vec::new();
        notification.encode(&mut bytes);
        let _ = notification.to_string();
        let read = messages(&bytes, &DecodeContext::default());
        prop_assert_eq!(read, vec![(bytes.len(), Message::Notification(notification))]);
    }

    /// Where a stream is cut makes no difference: a message is there when its last octet is.
    #[test]
    fn streams_may_be_cut_anywhere(sample in sample(), cut in any::<prop::sample::Index>()) {
        let bytes = sample.bytes();
        prop_assume!(!bytes.is_empty());
        let read = |bytes: &[u8]| decode(bytes, &sample.decode).expect("well-formed");
        let (whole, size) = read(&bytes).expect("whole");
        let at = cut.index(bytes.len());
        prop_assert_eq!(read(&bytes[..at]), if at < size { None } else { Some((whole, size)) });
    }
}

#[test]
fn end_of_rib_reads_back_for_every_peer() {
    for family in Family::ALL {
        for peer_kind in [PeerKind::Internal, PeerKind::External] {
            let mut bytes = Vec::new();
            encode_end_of_rib(&mut bytes, family);
            let context = DecodeContext {
                peer_kind,
                ..DecodeContext::default()
            };
            assert_eq!(updates(&bytes, &context)[0].end_of_rib, Some(family));
        }
    }
}
