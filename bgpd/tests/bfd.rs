//! BFD over real sockets on loopback addresses: two threads that know nothing of each other but what they send.

use bfd_proto::{ControlPacket, Diag, Hops, Key, Settings, State, Why};
use bgpd::bfd::{Bfd, Health, Options, Report, Reports, Wish};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Addresses that no other test of this or another process has.
fn addresses(test: u8) -> [IpAddr; 2] {
    let pid = std::process::id();
    [1, 2].map(|end| Ipv4Addr::new(127, test, pid as u8, (pid >> 8) as u8 & 0x3f | end << 6).into())
}

fn start(own: IpAddr) -> (Bfd, Reports) {
    let options = Options {
        listen: vec![own],
        retry: Duration::from_millis(50),
    };
    Bfd::new(options).expect("a file descriptor")
}

fn wish(own: IpAddr, hops: Hops) -> Wish {
    let settings = Settings {
        min_tx: Duration::from_millis(20),
        min_rx: Duration::from_millis(20),
        detect_mult: 5,
        ..Settings::new(hops)
    };
    Wish {
        settings,
        local: Some(own),
    }
}

async fn next(reports: &mut Reports) -> Report {
    timeout(PATIENCE, reports.next())
        .await
        .expect("no report came")
        .expect("the thread has ended")
}

/// Waits for a session that stays Up until its timers are negotiated.
async fn up(bfd: &Bfd, reports: &mut Reports) {
    assert!(next(reports).await.up);
    let negotiated = Duration::from_millis(100);
    let view = bfd.view();
    timeout(PATIENCE, async {
        while view.status().sessions[0].detection_time != Some(negotiated) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{:?}", view.status()));
}

struct Pair {
    keys: [Key; 2],
    bfds: [Bfd; 2],
    reports: [Reports; 2],
}

async fn pair(test: u8, hops: Hops) -> Pair {
    let [a, b] = addresses(test);
    let ((mut first, mut first_reports), (mut second, mut second_reports)) = (start(a), start(b));
    let keys = [Key::new(b, 0), Key::new(a, 0)];
    first.want(BTreeMap::from([(keys[0], wish(a, hops))]));
    second.want(BTreeMap::from([(keys[1], wish(b, hops))]));
    up(&first, &mut first_reports).await;
    up(&second, &mut second_reports).await;
    Pair {
        keys,
        bfds: [first, second],
        reports: [first_reports, second_reports],
    }
}

#[tokio::test]
async fn one_that_dies_is_missed() {
    for (test, hops) in [(1, Hops::Single), (2, Hops::Multi)] {
        let Pair {
            keys,
            bfds: [first, second],
            reports: [_, mut reports],
        } = pair(test, hops).await;
        drop(first);
        let report = next(&mut reports).await;
        assert_eq!(
            (report.key, report.up, report.switched_off),
            (keys[1], false, false)
        );
        assert_eq!(report.lost, Some(Why::TimeExpired), "{hops:?}");
        let status = second.view().status();
        assert_eq!((status.health, status.sessions[0].failures), (Health::Running, 1));
    }
}

#[tokio::test]
async fn one_that_leaves_is_not_mourned() {
    let Pair {
        bfds: [first, _second],
        reports: [mut own, mut reports],
        ..
    } = pair(3, Hops::Single).await;
    first.leave();
    let report = next(&mut reports).await;
    assert_eq!((report.lost, report.switched_off, report.up), (None, true, false));
    assert!(
        timeout(PATIENCE, own.next()).await.unwrap().is_none(),
        "the thread has ended"
    );
}

#[tokio::test]
async fn what_is_not_wanted_says_so_and_gives_its_ports_back() {
    let Pair {
        keys,
        bfds: [mut first, _second],
        reports: [_own, mut reports],
    } = pair(4, Hops::Single).await;
    first.want(BTreeMap::new());
    assert!(next(&mut reports).await.switched_off);
    let port = (keys[1].remote, Hops::Single.port());
    timeout(PATIENCE, async {
        while UdpSocket::bind(port).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the port is free");
    assert_eq!(first.view().status().health, Health::Idle);
}

#[tokio::test]
async fn packets_leave_from_a_port_of_the_range_and_always_the_same() {
    let [own, peer] = addresses(5);
    let socket = UdpSocket::bind((peer, Hops::Single.port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bfd, _reports) = start(own);
    bfd.want(BTreeMap::from([(Key::new(peer, 0), wish(own, Hops::Single))]));
    let mut buffer = [0; 100];
    let (length, first) = socket.recv_from(&mut buffer).unwrap();
    assert!(first.ip() == own && first.port() >= 49152, "{first}");
    assert_eq!(
        ControlPacket::decode(&buffer[..length]).unwrap().state,
        State::Down
    );
    let (_, second) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn packets_that_come_from_far_are_dropped() {
    let [own, peer] = addresses(6);
    let socket = UdpSocket::bind((peer, 0)).unwrap();
    let (mut bfd, mut reports) = start(own);
    bfd.want(BTreeMap::from([(Key::new(peer, 0), wish(own, Hops::Single))]));
    let view = bfd.view();
    let packet = ControlPacket {
        diag: Diag::NONE,
        state: State::Down,
        poll: false,
        fin: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).unwrap(),
        my_discr: NonZeroU32::new(9).unwrap(),
        your_discr: 0,
        min_tx: Duration::from_secs(1),
        min_rx: Duration::from_secs(1),
        min_echo_rx: Duration::ZERO,
    };
    let target = (own, Hops::Single.port());
    let sent = async |ttl: u32, done: &dyn Fn() -> bool| {
        socket.set_ttl(ttl).unwrap();
        timeout(PATIENCE, async {
            while !done() {
                let _ = socket.send_to(&packet.encode(), target);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("TTL {ttl}: {:?}", view.status()));
    };
    sent(254, &|| view.status().rejects.of(bfd_proto::Reject::Ttl) > 0).await;
    assert_eq!(view.status().sessions[0].packets_in, 0);
    sent(255, &|| view.status().sessions[0].state == State::Init).await;
    assert_eq!(reports.try_next(), None);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_and_tried_again() {
    let [a, b] = addresses(7);
    let other = UdpSocket::bind((a, Hops::Multi.port())).unwrap();
    let (mut first, mut reports) = start(a);
    let (mut second, _others) = start(b);
    first.want(BTreeMap::from([(Key::new(b, 0), wish(a, Hops::Multi))]));
    second.want(BTreeMap::from([(Key::new(a, 0), wish(b, Hops::Multi))]));
    let view = first.view();
    timeout(PATIENCE, async {
        while !matches!(view.status().health, Health::Failed(why) if why.contains("port 4784 is another program's")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{:?}", view.status()));
    drop(other);
    up(&first, &mut reports).await;
    assert_eq!(view.status().health, Health::Running);
}
