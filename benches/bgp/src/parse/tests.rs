use super::*;
use crate::message::{self, UPDATE};
use crate::table::Feed;

#[test]
fn what_is_written_is_read_again() {
    let feed = Feed::new(9, 3_000);
    for (set, prefixes) in feed.routes() {
        let meant = Attributes {
            next_hop: 7,
            local_pref: Some(100),
            originator: Some(8),
            cluster_list: vec![9, 10],
            ..set.clone()
        };
        let mut bytes = Vec::new();
        message::announce(&meant, prefixes, &mut bytes);
        let (mut rest, mut seen, mut announced) = (&bytes[..], Attributes::default(), Vec::new());
        while let Some((kind, body, length)) = message(rest).unwrap() {
            assert_eq!(kind, UPDATE);
            let update = update(body).unwrap();
            update.attributes(&mut seen).unwrap();
            assert_eq!(seen, meant);
            assert!(update.withdrawn.is_empty());
            super::prefixes(update.announced, |prefix| announced.push(prefix)).unwrap();
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        assert_eq!(announced, prefixes);
    }
}

#[test]
fn unknown_attributes_and_sets_of_a_path_are_kept_as_they_came() {
    // Type 99, and an AS_SET after an AS_SEQUENCE.
    let body = [
        0, 0, 0, 20, 0xc0, 99, 1, 42, 0x50, 2, 0, 12, 2, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 2, 8, 1,
    ];
    let update = update(&body).unwrap();
    let mut seen = Attributes::default();
    update.attributes(&mut seen).unwrap();
    assert_eq!(seen.path, [1]);
    assert_eq!(seen.other, [99, 42, 2, 1, 1, 0, 0, 0, 2]);
    let mut announced = Vec::new();
    super::prefixes(update.announced, |prefix| announced.push(prefix)).unwrap();
    assert_eq!(announced, [Prefix::around(0x0100_0000, 8)]);
}

#[test]
fn what_is_cut_off_anywhere_is_refused_or_waited_for() {
    let set = Attributes {
        path: vec![1, 2, 3],
        communities: vec![4, 5],
        large: vec![[6, 7, 8]],
        aggregator: Some((9, 10)),
        ..Attributes::default()
    };
    let mut bytes = Vec::new();
    message::announce(&set, &[Prefix::around(0x0102_0300, 24)], &mut bytes);
    for end in 0..bytes.len() {
        assert!(message(&bytes[..end]).unwrap().is_none(), "{end}");
    }
    let body = &bytes[HEADER..];
    let mut refused = 0;
    for end in 0..body.len() {
        let read = update(&body[..end]).and_then(|update| {
            update.attributes(&mut Attributes::default())?;
            prefixes(update.announced, |_| ())
        });
        refused += usize::from(read.is_err());
    }
    // Without its prefix it is whole again.
    assert_eq!(refused, body.len() - 1);
    bytes[3] = 0;
    assert!(message(&bytes).is_err());
}
