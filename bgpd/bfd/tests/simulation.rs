//! Two nodes over a link that loses, delays, reorders and doubles packets, on virtual time.
//!
//! Whatever the link does, no packet breaks the rules; once it behaves, both sides are Up; once it is dead, in
//! one direction or both, neither is for longer than the detection time.

use bfd_proto::{Arrival, ControlPacket, Event, Hops, Key, Settings, State, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const STEP: Duration = Duration::from_millis(1);

/// How the link treats packets of one direction.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Of a hundred packets.
    lost: u64,
    doubled: u64,
    /// At most, in milliseconds; each packet draws its own, so they overtake each other.
    delay: u64,
}

const FINE: Weather = Weather {
    lost: 0,
    doubled: 0,
    delay: 5,
};
const DEAD: Weather = Weather {
    lost: 100,
    doubled: 0,
    delay: 0,
};

struct Node {
    table: Table,
    settings: Settings,
    events: Vec<Event>,
    last: Option<(Instant, ControlPacket)>,
    /// When a packet last went out.
    sent: Option<Instant>,
}

struct Link {
    nodes: [Node; 2],
    weather: [Weather; 2],
    flying: BTreeMap<(Instant, u64), (usize, [u8; 24])>,
    now: Instant,
    random: u64,
}

fn address(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, node as u8 + 1))
}

impl Link {
    fn new(settings: [Settings; 2], weather: Weather, seed: u64) -> Self {
        let node = |index: usize| Node {
            table: Table::new(seed ^ (index as u64 + 1)),
            settings: settings[index],
            events: Vec::new(),
            last: None,
            sent: None,
        };
        let mut link = Self {
            nodes: [node(0), node(1)],
            weather: [weather; 2],
            flying: BTreeMap::new(),
            now: *ORIGIN,
            random: seed | 1,
        };
        link.want(0);
        link.want(1);
        link
    }

    fn want(&mut self, node: usize) {
        let wanted = BTreeMap::from([(Key::new(address(1 - node), 0), self.nodes[node].settings)]);
        self.nodes[node].table.want(wanted, self.now);
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            while let Some(entry) = self
                .flying
                .first_entry()
                .filter(|entry| entry.key().0 <= self.now)
            {
                let (to, bytes) = entry.remove();
                let from = Arrival {
                    source: address(1 - to),
                    scope: 0,
                    ttl: Some(255),
                    hops: Hops::Multi,
                };
                self.nodes[to].table.receive(&bytes, from, self.now);
            }
            for node in 0..2 {
                self.turn(node);
            }
        }
    }

    fn turn(&mut self, node: usize) {
        self.nodes[node].table.handle_timeout(self.now);
        while let Some((_, _, bytes)) = self.nodes[node].table.poll_transmit(self.now) {
            self.check(node, &bytes);
            let weather = self.weather[node];
            let copies = if self.random(100) < weather.doubled { 2 } else { 1 };
            for _ in 0..copies {
                if self.random(100) >= weather.lost {
                    let delay = Duration::from_millis(self.random(weather.delay + 1));
                    let number = self.random(u64::MAX);
                    self.flying.insert((self.now + delay, number), (1 - node, bytes));
                }
            }
        }
        while let Some(event) = self.nodes[node].table.poll_event() {
            self.nodes[node].events.push(event);
        }
    }

    /// What holds for each packet whatever happens.
    fn check(&mut self, index: usize, bytes: &[u8]) {
        let packet = ControlPacket::decode(bytes).expect("what we send can be read");
        let slowest = self.nodes[index]
            .settings
            .min_tx
            .max(self.nodes[1 - index].settings.min_rx);
        assert!(!(packet.poll && packet.fin), "P and F in one packet");
        assert!(packet.state == State::Up || packet.min_tx >= Duration::from_secs(1));
        let node = &mut self.nodes[index];
        node.sent = Some(self.now);
        if packet.fin {
            return;
        }
        if let Some((at, last)) = &node.last
            && (last.state, last.diag, last.my_discr) == (packet.state, packet.diag, packet.my_discr)
        {
            let pause = self.now - *at + STEP;
            // A change that was undone before it was told is told as well.
            let changes = node
                .events
                .iter()
                .rev()
                .take_while(|event| event.at >= *at)
                .count();
            assert!(
                pause >= slowest * 3 / 4 || changes > 0,
                "{pause:?} between {last:?} and {packet:?}"
            );
        }
        node.last = Some((self.now, packet));
    }

    fn states(&self) -> [Option<State>; 2] {
        [0, 1].map(|node| {
            self.nodes[node]
                .table
                .statuses()
                .next()
                .map(|status| status.state)
        })
    }

    /// The longest time that either waits for packets, and for one more.
    fn patience(&self) -> Duration {
        let [a, b] = [0, 1].map(|node| self.nodes[node].settings);
        let pace = a.min_tx.max(b.min_rx).max(b.min_tx.max(a.min_rx));
        pace * u32::from(a.detect_mult.max(b.detect_mult) + 1) + Duration::from_millis(300)
    }

    /// Long enough to have all Poll Sequences behind it.
    fn settle(&mut self) {
        self.weather = [FINE; 2];
        self.run(Duration::from_secs(12));
        assert_eq!(self.states(), [Some(State::Up); 2]);
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    (20u64..800, 20u64..800, 2u8..6).prop_map(|(tx, rx, detect_mult)| Settings {
        min_tx: Duration::from_millis(tx),
        min_rx: Duration::from_millis(rx),
        detect_mult,
        ..Settings::new(Hops::Multi)
    })
}

fn weather() -> impl Strategy<Value = Weather> {
    (0u64..70, 0u64..30, 0u64..200).prop_map(|(lost, doubled, delay)| Weather { lost, doubled, delay })
}

fn link() -> impl Strategy<Value = Link> {
    ([settings(), settings()], weather(), any::<u64>())
        .prop_map(|(settings, weather, seed)| Link::new(settings, weather, seed))
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = [&self.nodes[0].settings, &self.nodes[1].settings];
        write!(f, "{settings:?} {:?} {:#x}", self.weather, self.random)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn up_once_the_weather_is_fine_and_down_once_a_direction_is_dead(mut link in link(), dead in 1usize..4) {
        link.run(Duration::from_secs(10));
        link.settle();
        let before = [0, 1].map(|node| link.nodes[node].events.len());
        link.run(Duration::from_secs(5));
        prop_assert_eq!(before, [0, 1].map(|node| link.nodes[node].events.len()), "fine weather disturbs nobody");
        for node in 0..2 {
            if dead & (1 << node) != 0 {
                link.weather[node] = DEAD;
            }
        }
        link.run(link.patience());
        prop_assert!(!link.states().contains(&Some(State::Up)), "{:?}", link.states());
        link.settle();
    }

    #[test]
    fn one_that_leaves_takes_the_other_down_without_a_failure(mut link in link(), leaving in 0usize..2) {
        link.settle();
        let told = link.nodes[1 - leaving].events.len();
        link.nodes[leaving].table.want(BTreeMap::new(), link.now);
        let (left, patience) = (link.now, link.patience());
        link.run(patience);
        prop_assert_eq!(link.states()[leaving], None);
        prop_assert!(link.nodes[leaving].sent.is_some_and(|at| at - left <= patience));
        let events = &link.nodes[1 - leaving].events[told..];
        prop_assert!(events.len() == 1 && events[0].to == State::Down && !events[0].why.is_failure(), "{:?}", events);
        let last = link.nodes[leaving].sent;
        link.run(Duration::from_secs(5));
        prop_assert_eq!(last, link.nodes[leaving].sent, "nothing more is said");
        prop_assert_eq!(link.states()[1 - leaving], Some(State::Down));
        link.want(leaving);
        link.settle();
    }

    #[test]
    fn a_restarted_node_comes_up_again_without_help(mut link in link(), seed: u64) {
        link.settle();
        link.nodes[0].table = Table::new(seed);
        link.nodes[0].last = None;
        link.want(0);
        link.settle();
        let noticed = link.nodes[1].events.iter().any(|event| event.from == State::Up && !event.why.is_failure());
        prop_assert!(noticed, "it was noticed, and not taken for dead");
    }

    #[test]
    fn other_timers_disturb_nobody(mut link in link(), settings in settings(), node in 0usize..2) {
        link.settle();
        let before = [0, 1].map(|node| link.nodes[node].events.len());
        // What the checks of each packet allow is the faster of both while they change.
        let old = link.nodes[node].settings;
        let now = link.now;
        link.nodes[node].table.want(BTreeMap::from([(Key::new(address(1 - node), 0), settings)]), now);
        link.nodes[node].settings = Settings {
            min_tx: old.min_tx.min(settings.min_tx),
            min_rx: old.min_rx.min(settings.min_rx),
            detect_mult: settings.detect_mult,
            ..settings
        };
        link.run(Duration::from_secs(10));
        link.nodes[node].settings = settings;
        link.run(Duration::from_secs(10));
        prop_assert_eq!(before, [0, 1].map(|node| link.nodes[node].events.len()));
        let statuses = [0, 1].map(|n| link.nodes[n].table.statuses().next().unwrap());
        let [a, b] = [&link.nodes[0].settings, &link.nodes[1].settings];
        prop_assert_eq!(statuses[0].transmit_interval, a.min_tx.max(b.min_rx));
        prop_assert_eq!(statuses[1].transmit_interval, b.min_tx.max(a.min_rx));
        prop_assert_eq!(statuses[0].detection_time, Some(b.min_tx.max(a.min_rx) * u32::from(b.detect_mult)));
        prop_assert_eq!(statuses[1].detection_time, Some(a.min_tx.max(b.min_rx) * u32::from(a.detect_mult)));
    }
}
