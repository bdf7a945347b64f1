//! Datagrams through the decoder of BFD, and through a table of sessions with time and settings around it. Asked of it: what is
//! taken can be written, and reads back as the same; what follows a packet does not matter; only what is shorter is too
//! short. Of the table: no packet makes a session; states change as RFC 5880 §6.8.6 says and as they are reported; no
//! packet with too small a TTL, of a stranger or with another's discriminator changes any; what is sent is a packet and not too
//! soon; a session that hears nothing falls, and not before its detection time; timers that have acted do not fire again.

use crate::input::Input;
use bfd_proto::{
    Arrival, ControlPacket, Hops, Key, PACKET_LEN, Reject, SessionStatus, Settings, State, Table, Why, next,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Steps in one input.
const MOST: usize = 300;
const PEERS: u8 = 3;

/// The input is a datagram, and what happens to a table.
pub fn bfd(data: &[u8]) {
    datagram(data);
    let mut input = Input::new(data);
    let mut world = World::new(u64::from(input.u8()));
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.end();
}

fn datagram(data: &[u8]) {
    match ControlPacket::decode(data) {
        Ok(packet) => {
            assert!(data.len() >= PACKET_LEN, "a packet out of {} octets", data.len());
            assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
            let longer = [data, &[0xFF; 8]].concat();
            assert_eq!(ControlPacket::decode(&longer), Ok(packet));
        }
        Err(reject) => assert!(reject != Reject::Short || data.len() < PACKET_LEN),
    }
}

/// A table, and what its packets have said of each session.
struct World {
    table: Table,
    now: Instant,
    wanted: BTreeMap<Key, Settings>,
    /// Our discriminator, as the last packet to that peer said it.
    discriminators: BTreeMap<Key, u32>,
    /// When the last valid packet came for it.
    heard: BTreeMap<Key, Instant>,
}

fn key(n: u8) -> Key {
    Key::new(IpAddr::from([192, 0, 2, 10 + n]), 0)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            table: Table::new(seed),
            now: Instant::now(),
            wanted: (0..PEERS).map(|n| (key(n), settings(n, 0))).collect(),
            discriminators: BTreeMap::new(),
            heard: BTreeMap::new(),
        };
        world.table.want(world.wanted.clone(), world.now);
        world.advance(Duration::from_secs(2));
        world
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let (what, n) = (input.u8(), input.u8() % PEERS);
        match what % 8 {
            0 => {
                let scale = [1, 10, 100, 1000][input.below(4)];
                self.advance(Duration::from_millis(u64::from(input.u8() % 32) * scale));
            }
            1 => {
                // Nobody looks at the clock for as long: then all that is due acts at once.
                self.now += Duration::from_millis(u64::from(input.u8()) * 20);
                self.advance(Duration::ZERO);
            }
            2 => {
                let choice = input.u8();
                if choice & 1 == 0 {
                    self.wanted.insert(key(n), settings(n, choice));
                } else {
                    self.wanted.remove(&key(n));
                }
                self.table.want(self.wanted.clone(), self.now);
                self.events(None);
            }
            3 => {
                let bytes = input.take(PACKET_LEN).to_vec();
                self.receive(&bytes, n, input.u8());
            }
            // A peer that does as it should comes up in two packets.
            4 => {
                for state in [State::Down, State::Init, State::Up] {
                    let packet = self.packet(n, state, 0, 0x33, false);
                    self.receive(&packet, n, 0);
                }
            }
            _ => {
                let states = [State::AdminDown, State::Down, State::Init, State::Up];
                let state = *input.pick(&states);
                let (flags, timers, arrival) = (input.u8(), input.u8(), input.u8());
                let packet = self.packet(n, state, flags, timers, flags & 1 != 0);
                self.receive(&packet, n, arrival);
            }
        }
    }

    /// A packet of that peer; `stranger`: with a discriminator that is another session's or nobody's.
    fn packet(&self, n: u8, state: State, flags: u8, timers: u8, stranger: bool) -> Vec<u8> {
        let of = if stranger { (n + 1) % PEERS } else { n };
        let ours = self.discriminators.get(&key(of)).copied().unwrap_or(7);
        let yours = if flags & 2 != 0 && state <= State::Down {
            0
        } else {
            ours
        };
        let time = |nibble: u8| [0_u32, 1, 10_000, 300_000][usize::from(nibble & 3)].to_be_bytes();
        let head = [
            0x20 | (flags >> 3 & 7),
            (state as u8) << 6 | (flags & 4) << 3 | (timers & 8) << 1 | (timers & 0x80) >> 6,
            1 + (timers >> 6 & 3),
            PACKET_LEN as u8,
        ];
        let mine = (1 + u32::from(flags >> 6)) << 8 | u32::from(n);
        [
            head,
            mine.to_be_bytes(),
            yours.to_be_bytes(),
            time(timers),
            time(timers >> 4),
            [0; 4],
        ]
        .concat()
    }

    fn receive(&mut self, bytes: &[u8], n: u8, arrival: u8) {
        let from = Arrival {
            source: if arrival & 1 != 0 {
                IpAddr::from([198, 51, 100, n])
            } else {
                key(n).remote
            },
            scope: 0,
            ttl: [Some(255), Some(254), Some(240), None][usize::from(arrival >> 1 & 3)],
            hops: if arrival & 8 != 0 {
                Hops::Multi
            } else {
                Hops::Single
            },
        };
        let (before, rejects) = (self.statuses(), self.table.rejects().total());
        self.table.receive(bytes, from, self.now);
        let dropped = self.table.rejects().total() - rejects;
        let after = self.statuses();
        assert!(
            before.keys().eq(after.keys()),
            "a packet makes no session and ends none"
        );
        let least = match from.hops {
            Hops::Single => 255,
            Hops::Multi => 240,
        };
        let foreign = from.ttl.is_none_or(|ttl| ttl < least) || arrival & 1 != 0;
        assert!(!foreign || dropped == 1, "{from:?} was let in");
        assert_eq!(
            dropped == 0,
            before
                .iter()
                .any(|(k, old)| after[k].packets_in != old.packets_in)
        );
        let packet = ControlPacket::decode(bytes);
        for (k, old) in &before {
            let new = &after[k];
            let mine = dropped == 0 && *k == Key::new(from.source, 0);
            if let (true, Ok(packet)) = (mine, &packet) {
                assert_eq!(new.packets_in, old.packets_in + 1);
                let wanted = next(old.state, packet.state).map_or(old.state, |(to, _)| to);
                assert_eq!(new.state, wanted, "{} hears {}", old.state, packet.state);
                assert!(packet.your_discr == 0 || self.discriminators.get(k) == Some(&packet.your_discr));
                self.heard.insert(*k, self.now);
            } else {
                assert_eq!((new.state, new.packets_in), (old.state, old.packets_in), "{k:?}");
            }
        }
        self.events(Some(&before));
    }

    /// Time passes, and each timer acts in its time.
    fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut at_once = 0;
        loop {
            self.transmit();
            let before = self.statuses();
            let Some(at) = self.table.poll_timeout().filter(|at| *at <= end) else {
                break;
            };
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 20, "a timer that has acted fires again");
            self.now = self.now.max(at);
            self.table.handle_timeout(self.now);
            for (k, old) in &before {
                let fell = self.statuses().get(k).is_some_and(|new| new.state < old.state);
                // One that was granted another packet falls after that, whatever was asked for since.
                let fell = fell && old.late == 0;
                if let (true, State::Init | State::Up, Some(time)) = (fell, old.state, old.detection_time) {
                    let silent = self.now - self.heard[k];
                    assert!(silent >= time, "{k:?} fell after {silent:?} of {time:?}");
                }
            }
            self.events(Some(&before));
        }
        self.now = end;
        // Nobody is believed for ever: a late look may grant one more packet.
        for (k, status) in self.statuses() {
            if let (State::Init | State::Up, Some(time)) = (status.state, status.detection_time) {
                let silent = self.now - self.heard[&k];
                assert!(
                    status.late > 0 || silent <= time,
                    "{k:?} is {} after {silent:?}",
                    status.state
                );
            }
        }
    }

    fn transmit(&mut self) {
        for round in 0.. {
            assert!(round < 4 * usize::from(PEERS), "it never stops sending");
            let Some((key, _, bytes)) = self.table.poll_transmit(self.now) else {
                break;
            };
            let Ok(packet) = ControlPacket::decode(&bytes) else {
                panic!("{bytes:02x?} is no packet")
            };
            assert!(!(packet.poll && packet.fin), "RFC 5880 §6.8.7");
            let status = self.statuses();
            assert_eq!(packet.state, status[&key].state);
            assert!(
                packet.state == State::Up || packet.min_tx >= Duration::from_secs(1),
                "{packet:?}"
            );
            self.discriminators.insert(key, packet.my_discr.get());
            let others = self
                .discriminators
                .iter()
                .filter(|(_, discr)| **discr == packet.my_discr.get());
            assert_eq!(others.count(), 1, "two sessions of one number");
        }
    }

    fn statuses(&self) -> BTreeMap<Key, SessionStatus> {
        self.table.statuses().map(|status| (status.key, status)).collect()
    }

    /// What is reported is what has changed.
    fn events(&mut self, before: Option<&BTreeMap<Key, SessionStatus>>) {
        let after = self.statuses();
        let mut states: BTreeMap<Key, State> = before
            .into_iter()
            .flatten()
            .map(|(k, status)| (*k, status.state))
            .collect();
        while let Some(event) = self.table.poll_event() {
            assert!(event.from != event.to);
            let state = states.insert(event.key, event.to);
            assert_eq!(state, Some(event.from), "{event:?}");
            assert!(event.why != Why::TimeExpired || event.to == State::Down);
        }
        for (k, state) in states {
            // A session that begins anew is Down without a word.
            let now = after.get(&k).map(|status| status.state);
            let anew = before.is_some_and(|before| before[&k].state == State::AdminDown);
            assert!(
                anew || now == Some(state),
                "{k:?} is {now:?}, reported as {state:?}"
            );
        }
    }

    /// All sessions say goodbye and go.
    fn end(&mut self) {
        self.table.administratively_down(self.now);
        assert!(
            self.table
                .statuses()
                .all(|status| status.state == State::AdminDown)
        );
        // The longest goodbye: an interval of 71 minutes as a packet can ask for, 255 times, and more.
        while let Some(at) = self.table.poll_timeout() {
            let Some(last) = self.longest() else { break };
            self.now = self.now.max(at).max(last);
            self.table.handle_timeout(self.now);
            while self.table.poll_transmit(self.now).is_some() {}
        }
        assert!(self.table.is_empty(), "sessions are left");
        assert_eq!(self.table.poll_timeout(), None);
    }

    /// Later than any goodbye of those that are there.
    fn longest(&self) -> Option<Instant> {
        let interval = self
            .table
            .statuses()
            .map(|status| status.transmit_interval)
            .max()?;
        Some(self.now + interval * 256)
    }
}

fn settings(n: u8, choice: u8) -> Settings {
    let time = |bits: u8| Duration::from_millis([300, 10, 1000, 50][usize::from(bits & 3)]);
    let mut settings = Settings::new(if n == 2 || choice & 2 != 0 {
        Hops::Multi
    } else {
        Hops::Single
    });
    settings.follow = choice & 4 != 0;
    settings.min_tx = time(choice >> 3);
    settings.min_rx = time(choice >> 5);
    settings.detect_mult = if choice & 0x80 != 0 { 1 } else { 3 };
    settings
}
