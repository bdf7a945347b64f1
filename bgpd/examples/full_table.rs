//! What a table costs the speaker itself, without sockets: feeders' UPDATEs go in as bytes, receivers' come out.
//!
//! `cargo run --release -p bgpd --example full_table -- [PREFIXES] [FEEDERS] [RECEIVERS] [PREFIXES_FOR_EACH_SET]`
//!
//! Every feeder announces the same prefixes with about one attribute set for each six (by default) of them. Prints CPU
//! seconds of this thread, and resident memory beyond what the prepared feed takes, in all and for each prefix.

use bgpd_proto::rib::{ImportPolicy, NextHopState};
use bgpd_proto::speaker::{Action, PeerConfig, Speaker, SpeakerConfig};
use bgpd_proto::types::{Asn, ConnId, Family, PeerId, RouterId};
use bgpd_proto::wire::{
    self, AsPath, Capability, Community, EncodeContext, NextHop, Nlri, Open, PathAttributes,
};
use ipnet::{IpNet, Ipv4Net};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// Bytes handed over at once, in both directions.
const PIECE: usize = 64 * 1024;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut argument = |default| arguments.next().and_then(Result::ok).unwrap_or(default);
    let (prefixes, feeders, receivers, share) = (argument(1_000_000), argument(1), argument(1), argument(6));
    let now = Instant::now();
    let mut speaker = Speaker::new(config(feeders + receivers), now);
    let conns: Vec<ConnId> = (0..feeders + receivers)
        .map(|n| up(&mut speaker, n, now))
        .collect();
    let (feeding, receiving) = conns.split_at(feeders as usize);
    let feeds: Vec<Vec<u8>> = (0..feeders).map(|n| feed(n, prefixes, share)).collect();
    let (base, cpu) = (status("VmRSS:"), cpu_seconds());
    let (told, sent, mut out) = (Cell::new(0), Cell::new(0), Vec::with_capacity(2 * PIECE));
    let mut positions = vec![0; feeds.len()];
    let mut pump = |speaker: &mut Speaker| {
        let mut idle = true;
        for conn in speaker.wants_transmit() {
            out.clear();
            speaker.transmit(conn, &mut out, PIECE, now);
            idle &= out.is_empty();
            sent.set(sent.get() + out.len());
            if receiving.contains(&conn) {
                told.set(told.get() + announced(&out));
            }
        }
        idle
    };
    loop {
        let mut more = false;
        for ((bytes, at), conn) in feeds.iter().zip(&mut positions).zip(feeding) {
            let end = bytes.len().min(*at + PIECE);
            speaker.handle_bytes(*conn, &bytes[*at..end], now);
            *at = end;
            more |= end < bytes.len();
        }
        while speaker.poll_event().is_some() {}
        if speaker.poll_timeout().is_some_and(|at| at <= now) {
            speaker.handle_timeout(now);
        }
        if pump(&mut speaker) && !more {
            break;
        }
    }
    let cpu = cpu_seconds() - cpu;
    let (peak, steady) = (
        status("VmHWM:").saturating_sub(base),
        status("VmRSS:").saturating_sub(base),
    );
    let known = speaker
        .peers(now)
        .first()
        .map_or(0, |peer| peer.families[0].received);
    let (told, sent) = (told.get(), sent.get());
    println!(
        "{feeders} x {prefixes} prefixes ({known} known) to {receivers}: {told} announced in {sent} octets"
    );
    println!(
        "CPU {cpu:.3} s; memory at the end {} KiB, peak {} KiB, {:.1} octets a prefix",
        steady,
        peak,
        (steady * 1024) as f64 / f64::from(prefixes)
    );
    let cpu = cpu_seconds();
    for conn in &conns[..feeders as usize] {
        speaker.handle_closed(*conn, "the end".into(), now);
    }
    while speaker.poll_timeout().is_some_and(|at| at <= now) {
        speaker.handle_timeout(now);
    }
    while !pump(&mut speaker) {}
    println!("feeders gone: CPU {:.3} s", cpu_seconds() - cpu);
}

fn address(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0002 + n))
}

fn config(peers: u32) -> SpeakerConfig {
    let own = Ipv4Addr::new(10, 0, 0, 1);
    let mut config = SpeakerConfig::new(Asn(64512), RouterId(own));
    for n in 0..peers {
        let mut peer = PeerConfig::new(format!("peer {n}"), Asn(65_001 + n));
        peer.passive = true;
        peer.import = Arc::new(ImportPolicy {
            transit: true,
            ..ImportPolicy::default()
        });
        peer.next_hop_v4 = Some(own);
        config.peers.insert(PeerId::Address(address(n)), peer);
    }
    config
}

/// Brings a session up by hand.
fn up(speaker: &mut Speaker, n: u32, now: Instant) -> ConnId {
    let conn = speaker.next_conn();
    let local = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), 179);
    speaker.handle_incoming(conn, local, SocketAddr::new(address(n), 40_000), now);
    let open = Open {
        asn: 65_001 + n as u16,
        hold_time: 90,
        router_id: RouterId(Ipv4Addr::from_bits(0x0a00_0002 + n)),
        capabilities: vec![
            Capability::MultiProtocol(Family::Ipv4Unicast),
            Capability::FourOctetAs(Asn(65_001 + n)),
            Capability::RouteRefresh,
        ],
    };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    wire::encode_keepalive(&mut bytes);
    speaker.handle_bytes(conn, &bytes, now);
    let mut out = Vec::new();
    speaker.transmit(conn, &mut out, PIECE, now);
    let reachable = NextHopState::Reachable { metric: 1 };
    speaker.set_next_hops((0..=n).map(|n| (address(n).into(), reachable)).collect(), now);
    while let Some(action) = speaker.poll_action() {
        assert!(!matches!(action, Action::Close { .. }), "{action:?}");
    }
    conn
}

/// The UPDATEs of one feeder, in the order of a table dump: sets come in runs, sizes of runs vary.
fn feed(n: u32, prefixes: u32, share: u32) -> Vec<u8> {
    let mut chance = Chance(0x1234_5678_9abc_def1);
    let context = EncodeContext::default();
    let (mut bytes, mut next) = (Vec::new(), 0);
    while next < prefixes {
        let run = (1 + chance.below(2 * share - 1)).min(prefixes - next);
        let tail = (0..1 + chance.below(5))
            .map(|_| Asn(1 + chance.below(60_000)))
            .collect::<Vec<_>>();
        let path = [Asn(65_001 + n)].into_iter().chain(tail);
        let mut communities: Vec<Community> = (0..chance.below(6))
            .map(|_| Community(chance.below(1 << 30)))
            .collect();
        communities.sort();
        communities.dedup();
        let attributes = PathAttributes {
            as_path: AsPath::sequence(path),
            med: (chance.below(4) == 0).then(|| chance.below(100)),
            communities,
            ..PathAttributes::default()
        };
        // Spread over the address space as prefixes of 16 to 24 bits never are, but all different.
        let nlri = (next..next + run)
            .map(|n| Ipv4Addr::from_bits(0x1000_0000 + (n << 8)))
            .map(|address| Nlri::from(IpNet::V4(Ipv4Net::new_assert(address, 24))));
        let hop = NextHop::from(address(n));
        wire::encode_announcements(&mut bytes, &context, &attributes, Family::Ipv4Unicast, hop, nlri)
            .expect("attributes of an ordinary size");
        next += run;
    }
    bytes
}

/// IPv4 prefixes announced in whole messages; their octets, read by hand.
fn announced(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while bytes.len() >= 19 {
        let (message, rest) = bytes.split_at(usize::from(u16::from_be_bytes([bytes[16], bytes[17]])));
        bytes = rest;
        if message[18] != 2 {
            continue;
        }
        let length = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        let list = 21 + length(19);
        let mut nlri = &message[list + 2 + length(list)..];
        while let Some(bits) = nlri.first() {
            nlri = &nlri[1 + usize::from(*bits).div_ceil(8)..];
            count += 1;
        }
    }
    count
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(end)) as u32
    }
}

/// CPU time of this thread.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    first.unwrap_or_default() / 1e9
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
