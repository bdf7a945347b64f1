//! RFC 7606, section by section: for each malformed UPDATE what becomes of its routes.

use super::*;
use crate::types::{Family, PeerKind};
use crate::wire::Action;

/// What is to become of an UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The NOTIFICATION with code 3 and this subcode.
    Reset(u8),
    /// The IPv4 prefix is taken as withdrawn.
    Withdraw,
    /// The attribute is dropped, the route stands.
    Discard,
    /// As if nothing were wrong.
    Fine,
}
use Fate::{Discard, Fine, Reset, Withdraw};

fn fate(bytes: &[u8], context: &DecodeContext) -> Fate {
    let routes = match read_update(bytes, context) {
        Ok(update) => update.into_routes(),
        Err(n) => {
            assert_eq!(n.code, 3);
            return Reset(n.subcode);
        }
    };
    let worst = routes.faults.iter().map(|f| f.action).max();
    let found = (routes.announced.len(), routes.withdrawn.len());
    match (worst, found) {
        (Some(Action::TreatAsWithdraw), (0, 1)) => Withdraw,
        (Some(Action::Discard), (1, 0)) => Discard,
        (None, (1, 0)) => Fine,
        other => panic!("{other:?}: {routes:?}"),
    }
}

/// The mandatory attributes of the kind of peer, except the one that `extra` has, and `extra`.
fn with(kind: PeerKind, extra: &[u8]) -> Vec<u8> {
    let local_pref = attribute(0x40, 5, &[0, 0, 0, 100]);
    let mut list = vec![ORIGIN, AS_PATH, NEXT_HOP];
    if kind == PeerKind::Internal {
        list.push(&local_pref);
    }
    list.retain(|a| a.get(1) != extra.get(1));
    list.push(extra);
    update(&[], &list.concat(), PREFIX)
}

fn check(kind: PeerKind, cases: &[(&str, u8, u8, &[u8], Fate)]) {
    let context = if kind == PeerKind::Internal {
        internal()
    } else {
        external()
    };
    for (name, flags, code, value, expected) in cases {
        let bytes = with(kind, &attribute(*flags, *code, value));
        assert_eq!(fate(&bytes, &context), *expected, "{name}");
    }
}

#[test]
fn section_7_from_an_external_peer() {
    check(
        PeerKind::External,
        &[
            ("7.1 ORIGIN empty", 0x40, 1, &[], Withdraw),
            ("7.1 ORIGIN long", 0x40, 1, &[0, 0], Withdraw),
            ("7.1 ORIGIN value", 0x40, 1, &[3], Withdraw),
            ("7.2 AS_PATH segment kind", 0x40, 2, &[5, 1, 0, 0, 0, 1], Withdraw),
            (
                "7.2 AS_PATH confederation",
                0x40,
                2,
                &[3, 1, 0, 0, 0, 1],
                Withdraw,
            ),
            ("7.2 AS_PATH overrun", 0x40, 2, &[2, 2, 0, 0, 0, 1], Withdraw),
            ("7.2 AS_PATH underrun", 0x40, 2, &[2, 1, 0, 0, 0, 1, 2], Withdraw),
            ("7.2 AS_PATH empty segment", 0x40, 2, &[2, 0], Withdraw),
            ("AS_PATH empty", 0x40, 2, &[], Fine),
            ("RFC 7607: AS 0", 0x40, 2, &[2, 1, 0, 0, 0, 0], Withdraw),
            ("7.3 NEXT_HOP short", 0x40, 3, &[1, 2, 3], Withdraw),
            ("NEXT_HOP unspecified", 0x40, 3, &[0, 0, 0, 0], Withdraw),
            ("NEXT_HOP multicast", 0x40, 3, &[224, 0, 0, 5], Withdraw),
            ("NEXT_HOP broadcast", 0x40, 3, &[255, 255, 255, 255], Withdraw),
            ("7.4 MULTI_EXIT_DISC", 0x80, 4, &[0], Withdraw),
            ("7.5 LOCAL_PREF", 0x40, 5, &[0, 0, 0, 9], Discard),
            ("7.5 LOCAL_PREF broken", 0x40, 5, &[0], Discard),
            ("7.6 ATOMIC_AGGREGATE", 0x40, 6, &[1], Discard),
            ("7.7 AGGREGATOR", 0xC0, 7, &[0, 1, 10, 0, 0, 1], Discard),
            (
                "RFC 7607: AGGREGATOR",
                0xC0,
                7,
                &[0, 0, 0, 0, 10, 0, 0, 1],
                Discard,
            ),
            ("7.8 COMMUNITIES", 0xC0, 8, &[0, 1, 0], Withdraw),
            ("7.8 COMMUNITIES empty", 0xC0, 8, &[], Withdraw),
            ("7.9 ORIGINATOR_ID", 0x80, 9, &[1, 2, 3, 4], Discard),
            ("7.10 CLUSTER_LIST", 0x80, 10, &[1, 2, 3], Discard),
            ("7.14 extended communities", 0xC0, 16, &[0; 7], Withdraw),
            ("7.14 extended communities empty", 0xC0, 16, &[], Withdraw),
            ("RFC 8092 large communities", 0xC0, 32, &[0; 8], Withdraw),
            ("unknown transitive", 0xC0, 200, &[1], Fine),
            ("unknown non-transitive", 0x80, 200, &[1], Fine),
            ("unknown well-known", 0x40, 200, &[1], Reset(2)),
        ],
    );
}

#[test]
fn section_7_from_an_internal_peer() {
    check(
        PeerKind::Internal,
        &[
            ("7.5 LOCAL_PREF", 0x40, 5, &[0], Withdraw),
            ("LOCAL_PREF", 0x40, 5, &[0, 0, 0, 9], Fine),
            ("7.9 ORIGINATOR_ID", 0x80, 9, &[1, 2, 3], Withdraw),
            ("ORIGINATOR_ID", 0x80, 9, &[1, 2, 3, 4], Fine),
            ("7.10 CLUSTER_LIST", 0x80, 10, &[1, 2, 3], Withdraw),
            ("7.10 CLUSTER_LIST empty", 0x80, 10, &[], Withdraw),
        ],
    );
}

#[test]
fn section_3_c_flags() {
    check(
        PeerKind::External,
        &[
            ("ORIGIN optional", 0xC0, 1, &[0], Withdraw),
            ("AS_PATH non-transitive", 0x00, 2, &[], Withdraw),
            ("MULTI_EXIT_DISC transitive", 0xC0, 4, &[0, 0, 0, 1], Withdraw),
            ("COMMUNITIES non-transitive", 0x80, 8, &[0, 1, 0, 2], Withdraw),
            ("ATOMIC_AGGREGATE optional", 0xC0, 6, &[], Discard),
            ("partial does not matter", 0xE0, 8, &[0, 1, 0, 2], Fine),
            ("extended length does not matter", 0x50, 1, &[0], Fine),
            ("the four low bits do not matter", 0x4F, 1, &[0], Fine),
            (
                "ONLY_TO_CUSTOMER non-transitive",
                0x80,
                35,
                &[0, 0, 0, 9],
                Withdraw,
            ),
            // From outside these go, whatever is wrong with them (§7.5, §7.9, §7.10).
            ("LOCAL_PREF optional", 0xC0, 5, &[0, 0, 0, 1], Discard),
            ("ORIGINATOR_ID transitive", 0xC0, 9, &[0, 0, 0, 1], Discard),
            ("CLUSTER_LIST transitive", 0xC0, 10, &[0, 0, 0, 1], Discard),
        ],
    );
    check(
        PeerKind::Internal,
        &[
            ("ORIGINATOR_ID transitive", 0xC0, 9, &[0, 0, 0, 1], Withdraw),
            ("CLUSTER_LIST transitive", 0xC0, 10, &[0, 0, 0, 1], Withdraw),
        ],
    );
}

/// RFC 9234 §5.
#[test]
fn only_to_customer() {
    check(
        PeerKind::External,
        &[
            ("OTC", 0xC0, 35, &[0, 0, 0, 9], Fine),
            ("OTC, partial", 0xE0, 35, &[0, 0, 0, 9], Fine),
            ("OTC of three octets", 0xC0, 35, &[0, 0, 9], Withdraw),
            ("OTC of eight octets", 0xC0, 35, &[0; 8], Withdraw),
        ],
    );
}

#[test]
fn section_3_d_missing_attributes() {
    for missing in 0..3 {
        let mut list = vec![ORIGIN, AS_PATH, NEXT_HOP];
        list.remove(missing);
        assert_eq!(fate(&update(&[], &list.concat(), PREFIX), &external()), Withdraw);
    }
    let list = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    assert_eq!(
        fate(&update(&[], &list, PREFIX), &internal()),
        Withdraw,
        "LOCAL_PREF inside"
    );
    assert_eq!(fate(&update(&[], &[], PREFIX), &external()), Withdraw);
}

#[test]
fn section_3_g_repeats() {
    let twice = [ORIGIN, &attribute(0x40, 1, &[2]), AS_PATH, NEXT_HOP].concat();
    let bytes = update(&[], &twice, PREFIX);
    assert_eq!(fate(&bytes, &external()), Discard);
    assert_eq!(
        routes(&bytes, &external()).attributes.origin,
        crate::wire::Origin::Igp,
        "the first counts"
    );
    let unreach = attribute(0x80, 15, &[0, 2, 1]);
    assert_eq!(
        fate(
            &update(&[], &[unreach.as_slice(), &unreach].concat(), &[]),
            &external()
        ),
        Reset(1)
    );
}

#[test]
fn a_type_repeated_without_end_is_one_fault() {
    let list = [ORIGIN, AS_PATH, NEXT_HOP, &[0xC0, 200, 0].repeat(1000)].concat();
    let routes = routes(&update(&[], &list, PREFIX), &external());
    assert_eq!((routes.faults.len(), routes.announced.len()), (1, 1));
}

#[test]
fn section_3_h_the_strongest_action_wins() {
    let list = [
        ORIGIN,
        AS_PATH,
        NEXT_HOP,
        &attribute(0x40, 6, &[1]),
        &attribute(0xC0, 8, &[1]),
    ]
    .concat();
    let bytes = update(&[], &list, PREFIX);
    assert_eq!(fate(&bytes, &external()), Withdraw);
    assert_eq!(routes(&bytes, &external()).faults.len(), 2);
}

#[test]
fn section_4_lengths() {
    let list = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let cut = |tail: &[u8]| {
        fate(
            &update(&[], &[list.as_slice(), tail].concat(), PREFIX),
            &external(),
        )
    };
    assert_eq!(cut(&[0xC0]), Withdraw);
    assert_eq!(cut(&[0xC0, 8]), Withdraw);
    assert_eq!(cut(&[0xD0, 8, 0]), Withdraw);
    assert_eq!(cut(&[0xC0, 8, 8, 1, 2, 3, 4]), Withdraw);
    // Of a multiprotocol attribute the prefixes are lost as well.
    assert_eq!(cut(&[0x80, 14, 20, 0, 2, 1]), Reset(1));
    assert_eq!(cut(&[0x90, 15, 0, 20, 0, 2, 1]), Reset(1));
    // Lengths of the fields themselves: session reset (RFC 4271 §6.3).
    let mut bytes = update(&[], &list, &[]);
    bytes[19..21].copy_from_slice(&500_u16.to_be_bytes());
    assert_eq!(fate(&bytes, &external()), Reset(1));
    let mut bytes = update(&[], &list, &[]);
    bytes[21..23].copy_from_slice(&(list.len() as u16 + 1).to_be_bytes());
    assert_eq!(fate(&bytes, &external()), Reset(1));
}

#[test]
fn section_5_2_nothing_to_withdraw() {
    let broken = attribute(0x40, 1, &[9]);
    let alone = |withdrawn, list: &[u8]| fate(&update(withdrawn, list, &[]), &external());
    assert_eq!(alone(&[], &broken), Reset(1));
    assert_eq!(
        alone(PREFIX, &broken),
        Reset(1),
        "withdrawals do not make up for it"
    );
    assert_eq!(
        alone(&[], &[0xC0, 8, 9]),
        Reset(1),
        "MP_REACH_NLRI may have been behind the cut"
    );
    // Only dropped: nothing is lost.
    let dropped = update(&[], &attribute(0x40, 6, &[1]), &[]);
    assert_eq!(routes(&dropped, &external()).faults.len(), 1);
}

#[test]
fn section_5_3_unreadable_prefixes() {
    let list = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    for prefixes in [&[33, 10, 0, 0, 0, 0][..], &[24, 10, 0], &[8]] {
        assert_eq!(
            fate(&update(&[], &list, prefixes), &external()),
            Reset(10),
            "{prefixes:?}"
        );
        assert_eq!(
            fate(&update(prefixes, &list, &[]), &external()),
            Reset(10),
            "{prefixes:?}"
        );
    }
    let disabled = |list: &[u8]| routes(&update(&[], list, &[]), &external()).disable;
    for prefixes in [&[129, 0][..], &[64, 1], &[255]] {
        let unreach = attribute(0x80, 15, &[&[0, 2, 1], prefixes].concat());
        assert_eq!(disabled(&unreach), [Family::Ipv6Unicast], "{prefixes:?}");
    }
}

#[test]
fn section_7_11_multiprotocol_attributes() {
    let base = [ORIGIN, AS_PATH].concat();
    let with = |value: &[u8]| update(&[], &[base.as_slice(), &attribute(0x80, 14, value)].concat(), &[]);
    assert_eq!(fate(&with(&[0, 2]), &external()), Reset(9), "not even a family");
    let host = [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let good = [&[0, 2, 1, 16], host.as_slice(), &[0, 16, 0x20, 2]].concat();
    assert_eq!(fate(&with(&good), &external()), Fine);
    for length in [0, 4, 15, 17, 24, 200] {
        let mut bad = good.clone();
        bad[3] = length;
        let routes = routes(&with(&bad), &external());
        assert_eq!(
            (routes.disable, routes.announced),
            (vec![Family::Ipv6Unicast], vec![]),
            "{length}"
        );
    }
    let unspecified = [&[0, 2, 1, 16], [0; 16].as_slice(), &[0, 16, 0x20, 2]].concat();
    assert_eq!(fate(&with(&unspecified), &external()), Withdraw);
    let wrong_flags = update(&[], &[base.as_slice(), &attribute(0xC0, 14, &good)].concat(), &[]);
    assert_eq!(fate(&wrong_flags, &external()), Withdraw);
    // A NEXT_HOP that means nothing here, as some speakers send it (RFC 4760 §3).
    let list = [
        base.as_slice(),
        &attribute(0x40, 3, &[0; 4]),
        &attribute(0x80, 14, &good),
    ]
    .concat();
    assert_eq!(fate(&update(&[], &list, &[]), &external()), Fine);
    // A broken attribute beside it: the routes that it names are withdrawn.
    let beside = [
        attribute(0x80, 14, &good),
        attribute(0x40, 1, &[7]),
        AS_PATH.to_vec(),
    ]
    .concat();
    assert_eq!(fate(&update(&[], &beside, &[]), &external()), Withdraw);
}

#[test]
fn the_notification_carries_the_attribute() {
    let unknown = attribute(0x40, 200, &[1, 2]);
    let n = read_update(&with(PeerKind::External, &unknown), &external()).unwrap_err();
    assert_eq!((codes(&n), n.data), ((3, 2), unknown));
}

#[test]
fn faults_read_well() {
    let bytes = with(PeerKind::External, &attribute(0xC0, 8, &[1]));
    let text = routes(&bytes, &external()).faults[0].to_string();
    let expected = "COMMUNITIES (attribute 8): its length is not a multiple of its items' size; \
                    routes taken as withdrawn";
    assert_eq!(text, expected);
}
