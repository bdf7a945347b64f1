//! What can happen to a speaker, as octets of the input choose it.

use super::harness::Harness;
use super::words::{self, PEERS};
use crate::input::Input;
use bgpd_proto::rib::{NextHopState, Originated};
use bgpd_proto::speaker::SpeakerConfig;
use bgpd_proto::types::{ConnId, Family, RouterId};
use bgpd_proto::wire::{
    Community, Message, RefreshKind, encode_end_of_rib, encode_keepalive, encode_route_refresh,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// One thing.
pub fn step(harness: &mut Harness, input: &mut Input<'_>) {
    match input.below(22) {
        0 | 1 => establish(harness, input),
        2 => {
            let peer = input.below(PEERS.len());
            harness.incoming(peer);
        }
        3 => {
            if let Some(conn) = dialling(harness, input) {
                harness.connected(conn);
            }
        }
        4 => {
            if let Some(conn) = dialling(harness, input) {
                harness.refused(conn);
            }
        }
        5 => with_conn(harness, input, |harness, input, conn| {
            let mut out = Vec::new();
            words::open(harness.number(conn), input.u8()).encode(&mut out);
            out
        }),
        6 => with_conn(harness, input, |_, _, _| {
            let mut out = Vec::new();
            encode_keepalive(&mut out);
            out
        }),
        7 | 8 => with_conn(harness, input, |harness, input, conn| {
            words::announcement(input, harness.number(conn), harness.four_octet(conn))
        }),
        9 => with_conn(harness, input, |harness, input, conn| {
            words::withdrawal(input, harness.four_octet(conn))
        }),
        10 => with_conn(harness, input, |_, input, _| {
            let mut out = Vec::new();
            encode_end_of_rib(&mut out, *input.pick(&Family::ALL));
            out
        }),
        11 => with_conn(harness, input, |_, input, _| {
            let length = usize::from(input.u8());
            input.take(length).to_vec()
        }),
        12 => with_conn(harness, input, broken),
        13 => with_conn(harness, input, |harness, input, conn| {
            let times = usize::from(input.u8()) * 4;
            harness
                .last_words(conn)
                .repeat(times.min(60_000 / harness.last_words(conn).len().max(1)))
        }),
        14 => with_conn(harness, input, refresh),
        15 => with_conn(harness, input, |_, input, _| notification(input)),
        16 => {
            if let Some(conn) = any(harness, input) {
                harness.closed(conn);
            }
        }
        17 => {
            let scale = [1, 100, 1000, 10_000, 100_000][input.below(5)];
            harness.advance(Duration::from_millis(u64::from(input.u8() % 8) * scale));
        }
        18 => {
            let budget = usize::from(input.u8()) * 16;
            harness.transmit(budget);
        }
        19 => reconfigure(harness, input),
        20 => surroundings(harness, input),
        _ => harness.settle(),
    }
}

/// A session comes up, at one go.
fn establish(harness: &mut Harness, input: &mut Input<'_>) {
    let peer = input.below(PEERS.len());
    let mut out = Vec::new();
    words::open(peer, input.u8()).encode(&mut out);
    encode_keepalive(&mut out);
    if let Some(conn) = harness.incoming(peer) {
        harness.say(conn, &out);
    }
}

fn any(harness: &Harness, input: &mut Input<'_>) -> Option<ConnId> {
    let conns: Vec<ConnId> = harness.standing().collect();
    (!conns.is_empty()).then(|| *input.pick(&conns))
}

fn dialling(harness: &Harness, input: &mut Input<'_>) -> Option<ConnId> {
    let conns: Vec<ConnId> = harness.dialling().collect();
    (!conns.is_empty()).then(|| *input.pick(&conns))
}

/// Words over one of the connections.
fn with_conn(
    harness: &mut Harness,
    input: &mut Input<'_>,
    words: impl FnOnce(&mut Harness, &mut Input<'_>, ConnId) -> Vec<u8>,
) {
    if let Some(conn) = any(harness, input) {
        let bytes = words(harness, input, conn);
        harness.say(conn, &bytes);
    }
}

/// An UPDATE with one octet changed.
fn broken(harness: &mut Harness, input: &mut Input<'_>, conn: ConnId) -> Vec<u8> {
    let (at, value) = (usize::from(input.u8()), input.u8());
    let mut bytes = words::announcement(input, harness.number(conn), harness.four_octet(conn));
    // The header is spared: what breaks it ends the session, and is tried often enough.
    let place = 19 + at;
    if let Some(octet) = bytes.get_mut(place) {
        *octet = value;
    }
    bytes
}

fn refresh(_: &mut Harness, input: &mut Input<'_>, _: ConnId) -> Vec<u8> {
    let kinds = [RefreshKind::Request, RefreshKind::Begin, RefreshKind::End];
    let mut out = Vec::new();
    let family = *input.pick(&Family::ALL);
    encode_route_refresh(family, *input.pick(&kinds), &mut out);
    out
}

fn notification(input: &mut Input<'_>) -> Vec<u8> {
    let body = [input.below(9) as u8, input.below(12) as u8];
    let bytes = [&[0xFF; 16][..], &[0, 21, 3], &body].concat();
    let read = bgpd_proto::wire::decode(&bytes, &Default::default());
    assert!(matches!(read, Ok(Some((Message::Notification(_), 21)))));
    bytes
}

fn reconfigure(harness: &mut Harness, input: &mut Input<'_>) {
    let (peer, what, value) = (input.below(PEERS.len()), input.u8(), input.u8());
    let mut config = harness.config.clone();
    change(&mut config, peer, what, value);
    harness.reconfigure(config);
}

fn change(config: &mut SpeakerConfig, number: usize, what: u8, value: u8) {
    let even = value & 1 == 0;
    let id = words::id(number);
    if what.is_multiple_of(12) && config.peers.remove(&id).is_none() {
        config.peers.insert(id, Harness::peer(number));
    }
    let prefixes = words::prefixes(Family::Ipv4Unicast, value & 0xF0, 8);
    match what % 12 {
        8 => config.multipath = usize::from(value % 4),
        9 => config.import.own_prefixes = if even { prefixes } else { Vec::new() },
        10 => config.router_id = RouterId(Ipv4Addr::new(100, 0, 0, value % 2)),
        _ => {}
    }
    let Some(peer) = config.peers.get_mut(&id) else {
        return;
    };
    match what % 12 {
        1 => peer.set_transit(even),
        2 => peer.name = format!("peer {}", value % 3),
        3 => peer.hold_time = Duration::from_secs([0, 3, 9, 90][usize::from(value % 4)]),
        4 => peer.passive = even,
        5 => peer.connect_retry = Duration::from_secs(u64::from(value % 8) + 1),
        6 => peer.families = Family::ALL[..1 + usize::from(even)].to_vec(),
        7 => peer.next_hop_v4 = even.then_some(Ipv4Addr::new(192, 0, 2, 9)),
        11 => peer.remote_port = 179 + u16::from(value % 2),
        _ => {}
    }
}

/// What the rest of the program tells the speaker: its own routes and how far next hops are.
fn surroundings(harness: &mut Harness, input: &mut Input<'_>) {
    let (what, value) = (input.u8(), input.u8());
    match what % 3 {
        0 => {
            let family = Family::ALL[usize::from(what >> 7)];
            let communities = if what & 64 == 0 {
                Vec::new()
            } else {
                vec![Community::NO_EXPORT]
            };
            let routes: BTreeMap<_, _> = words::prefixes(family, value & 0xF0, value & 0x0F)
                .into_iter()
                .map(|prefix| {
                    let mut route = Originated::default();
                    route.communities.clone_from(&communities);
                    (prefix, route)
                })
                .collect();
            harness.call(0, |speaker, now| speaker.originate(routes, now));
        }
        1 => {
            let state = |n: usize| match (what >> 2) as usize & (1 << (n % 4)) {
                0 => NextHopState::Reachable {
                    metric: u32::from(value >> n & 1),
                },
                _ => NextHopState::Unreachable,
            };
            let table: BTreeMap<_, _> = words::next_hops()
                .into_iter()
                .enumerate()
                .map(|(n, hop)| (hop.into(), state(n)))
                .collect();
            harness.call(0, |speaker, now| speaker.set_next_hops(table, now));
        }
        _ => {
            let peer = words::id(usize::from(value) % PEERS.len());
            harness.call(0, |speaker, now| {
                speaker.request_refresh(peer, now);
            });
        }
    }
}
