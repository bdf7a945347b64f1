//! Tests of sessions against their rules, on virtual time.

mod demux;
mod packet;
mod retire;
mod state;
mod timing;

use crate::{Arrival, ControlPacket, Diag, Event, Hops, Key, SessionStatus, Settings, State, Table};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
pub static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn at(millis: u64) -> Instant {
    *ORIGIN + ms(millis)
}

/// A packet of a peer with 300 ms three times, whose discriminator is 7.
pub fn packet(state: State, your_discr: u32) -> ControlPacket {
    ControlPacket {
        diag: Diag::NONE,
        state,
        poll: false,
        fin: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).unwrap(),
        my_discr: NonZeroU32::new(7).unwrap(),
        your_discr,
        min_tx: ms(300),
        min_rx: ms(300),
        min_echo_rx: Duration::ZERO,
    }
}

pub fn arrival(hops: Hops) -> Arrival {
    Arrival {
        source: PEER,
        scope: 0,
        ttl: Some(255),
        hops,
    }
}

/// A table with one session, and the other end played by hand.
pub struct One {
    pub table: Table,
    pub discr: u32,
}

impl One {
    pub fn new(settings: Settings) -> Self {
        let mut table = Table::new(1);
        table.want(BTreeMap::from([(Key::new(PEER, 0), settings)]), at(0));
        let (_, _, first) = table.poll_transmit(at(0)).unwrap();
        let discr = ControlPacket::decode(&first).unwrap().my_discr.get();
        Self { table, discr }
    }

    /// Up at `millis`, with the Poll Sequence of coming Up behind it.
    pub fn up(settings: Settings, millis: u64) -> Self {
        let mut one = Self::new(settings);
        one.hear(packet(State::Init, one.discr), millis);
        assert_eq!(one.status().state, State::Up);
        one.table.poll_event();
        let news = one.send(millis).unwrap();
        assert!(news.poll, "coming Up begins a Poll Sequence: {news:?}");
        one.hear(
            ControlPacket {
                fin: true,
                ..packet(State::Up, one.discr)
            },
            millis,
        );
        one
    }

    pub fn hear(&mut self, packet: ControlPacket, millis: u64) {
        let hops = self.status().hops;
        self.table.receive(&packet.encode(), arrival(hops), at(millis));
    }

    pub fn send(&mut self, millis: u64) -> Option<ControlPacket> {
        let (key, _, bytes) = self.table.poll_transmit(at(millis))?;
        assert_eq!(key.remote, PEER);
        Some(ControlPacket::decode(&bytes).unwrap())
    }

    pub fn tick(&mut self, millis: u64) -> Option<Event> {
        self.table.handle_timeout(at(millis));
        self.table.poll_event()
    }

    pub fn status(&self) -> SessionStatus {
        self.table.statuses().next().unwrap()
    }

    /// Time of the next packet, of those that are due by time alone.
    pub fn next_packet(&mut self, mut millis: u64) -> (u64, ControlPacket) {
        loop {
            if let Some(packet) = self.send(millis) {
                return (millis, packet);
            }
            millis += 1;
        }
    }
}
