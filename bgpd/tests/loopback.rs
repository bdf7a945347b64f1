//! Speakers on loopback addresses, with real sockets: exchange of routes, endings of each kind, a peer that does not
//! read, refused strangers.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

use bgpd::{Handle, Shutdown};
use bgpd_proto::rib::{NextHopState, NextHopTable, Originated};
use bgpd_proto::session::State;
use bgpd_proto::speaker::{PeerConfig, Speaker, SpeakerConfig};
use bgpd_proto::types::{Asn, PeerId, RouterId};
use bgpd_proto::wire::Community;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);
const ASN: Asn = Asn(64512);

/// A loopback address that belongs to one test (`net`) and one speaker in it.
fn address(net: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 82, net, host)
}

fn config(net: u8, host: u8) -> SpeakerConfig {
    SpeakerConfig::new(ASN, RouterId(address(net, host)))
}

fn peer(net: u8, us: u8, port: u16) -> PeerConfig {
    let mut peer = PeerConfig::new("peer", ASN);
    peer.local_address = Some(address(net, us).into());
    peer.remote_port = port;
    peer.connect_retry = Duration::from_secs(1);
    peer.next_hop_v4 = Some(next_hop(us));
    peer
}

fn id(net: u8, host: u8) -> PeerId {
    PeerId(address(net, host).into())
}

/// NEXT_HOP of a speaker: a loopback address would be refused as one.
fn next_hop(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, host)
}

/// All speakers of a test reach all others.
fn next_hops() -> NextHopTable {
    (1..=9)
        .map(|host| {
            (
                IpAddr::from(next_hop(host)),
                NextHopState::Reachable { metric: 1 },
            )
        })
        .collect()
}

fn prefixes(first: u8, count: u32) -> BTreeMap<IpNet, Originated> {
    let base = u32::from(Ipv4Addr::new(first, 0, 0, 0));
    (0..count)
        .map(|n| {
            (
                IpNet::new(Ipv4Addr::from(base + (n << 8)).into(), 24).unwrap(),
                Originated::default(),
            )
        })
        .collect()
}

async fn listening(net: u8, host: u8) -> Handle {
    let at = SocketAddr::new(address(net, host).into(), 0);
    let handle = bgpd::start(config(net, host), vec![at]).await.unwrap();
    handle.set_next_hops(next_hops()).await;
    handle
}

/// Makes `hosts` peers of each other.
async fn mesh(net: u8, hosts: &[(u8, &Handle)]) {
    for (us, handle) in hosts {
        let mut config = config(net, *us);
        for (other, theirs) in hosts.iter().filter(|(other, _)| other != us) {
            config
                .peers
                .insert(id(net, *other), peer(net, *us, theirs.listening()[0].port()));
        }
        handle.configure(config).await;
    }
}

async fn wait(handle: &Handle, what: &str, condition: impl Fn(&Speaker) -> bool + Clone + Send + 'static) {
    let waited = timeout(DEADLINE, async {
        loop {
            let condition = condition.clone();
            if handle.query(move |speaker, _| condition(speaker)).await.unwrap() {
                return;
            }
            // State changes that are no news (an attempt begins) are caught by asking again.
            let _ = timeout(Duration::from_millis(100), handle.changes().changed()).await;
        }
    });
    if waited.await.is_err() {
        let peers = handle
            .query(|speaker, now| format!("{:#?}", speaker.peers(now)))
            .await
            .unwrap();
        panic!("waited in vain for: {what}; {peers}");
    }
}

async fn wait_routes(handle: &Handle, count: usize) {
    wait(handle, &format!("{count} routes"), move |speaker| {
        speaker.rib().loc_rib().count() == count
    })
    .await;
}

async fn wait_up(handle: &Handle, peer: PeerId) {
    wait(handle, "a session", move |speaker| {
        speaker
            .peers(Instant::now())
            .iter()
            .any(|s| s.id == peer && s.state == State::Established)
    })
    .await;
}

async fn wait_down(handle: &Handle, peer: PeerId, reason: &'static str) {
    wait(handle, reason, move |speaker| {
        speaker.peers(Instant::now()).iter().any(|status| {
            status.id == peer
                && status.state != State::Established
                && status
                    .last_loss
                    .as_deref()
                    .is_some_and(|text| text.contains(reason))
        })
    })
    .await;
}

#[tokio::test]
async fn two_speakers_exchange_and_withdraw_routes() {
    let (a, b) = (listening(1, 1).await, listening(1, 2).await);
    a.originate(prefixes(10, 100)).await;
    b.originate(prefixes(20, 7)).await;
    mesh(1, &[(1, &a), (2, &b)]).await;
    wait_routes(&a, 107).await;
    wait_routes(&b, 107).await;
    wait(&b, "a full feed", |speaker| speaker.fully_fed()).await;
    assert!(b.changes().borrow().fully_fed);
    a.originate(prefixes(10, 1)).await;
    wait_routes(&b, 8).await;
}

#[tokio::test]
async fn a_cease_tells_its_text_and_silence_tells_nothing() {
    let (a, b, c) = (
        listening(2, 1).await,
        listening(2, 2).await,
        listening(2, 3).await,
    );
    mesh(2, &[(1, &a), (2, &b), (3, &c)]).await;
    wait_up(&a, id(2, 2)).await;
    wait_up(&a, id(2, 3)).await;
    b.shutdown(Shutdown::Cease(Some("moving house".into()))).await;
    wait_down(&a, id(2, 2), "moving house").await;
    c.shutdown(Shutdown::Silent).await;
    wait_down(&a, id(2, 3), "closed the TCP connection").await;
}

#[tokio::test]
async fn dropping_the_handle_ends_everything() {
    let (a, b) = (listening(3, 1).await, listening(3, 2).await);
    b.originate(prefixes(20, 3)).await;
    mesh(3, &[(1, &a), (2, &b)]).await;
    wait_routes(&a, 3).await;
    let address = b.listening()[0];
    drop(b);
    wait_down(&a, id(3, 2), "closed").await;
    // Silence is taken for a restart (RFC 4724): the routes stay for a while.
    wait_routes(&a, 3).await;
    let refused = timeout(DEADLINE, async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    refused.await.expect("the listener goes away with the handle");
}

#[tokio::test]
async fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind("127.82.4.1:0").await.unwrap();
    let error = bgpd::start(config(4, 1), vec![taken.local_addr().unwrap()])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("port {} is in use", taken.local_addr().unwrap().port())),
        "{error}"
    );
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let a = listening(5, 1).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.82.5.77:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(a.listening()[0]).await.unwrap();
    let mut buffer = [0; 64];
    let read = timeout(DEADLINE, stream.read(&mut buffer))
        .await
        .expect("refused in time");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

/// Routes for the peer that does not read.
const COUNT: usize = 60_000;

/// A peer by hand: says OPEN and KEEPALIVE, then never reads again.
async fn stalled_peer(net: u8, host: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket
        .bind(SocketAddr::new(address(net, host).into(), 0))
        .unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let mut open = vec![0xff; 16];
    open.extend([0, 29, 1, 4]);
    open.extend((ASN.0 as u16).to_be_bytes());
    open.extend([0, 180]);
    open.extend(address(net, host).octets());
    open.push(0);
    stream.write_all(&open).await.unwrap();
    let mut keepalive = vec![0xff; 16];
    keepalive.extend([0, 19, 4]);
    stream.write_all(&keepalive).await.unwrap();
    stream
}

#[tokio::test]
async fn a_peer_that_does_not_read_disturbs_no_other() {
    let (a, b) = (listening(6, 1).await, listening(6, 2).await);
    let mut config_a = config(6, 1);
    config_a
        .peers
        .insert(id(6, 2), peer(6, 1, b.listening()[0].port()));
    let mut deaf = peer(6, 1, 9);
    deaf.passive = true;
    config_a.peers.insert(id(6, 3), deaf);
    a.configure(config_a).await;
    let stream = stalled_peer(6, 3, a.listening()[0]).await;
    wait_up(&a, id(6, 3)).await;
    // Attributes of its own for each route: far more bytes than all socket buffers hold.
    let mut routes = prefixes(10, COUNT as u32);
    for (number, route) in (0..).zip(routes.values_mut()) {
        route.communities = vec![Community(number)];
    }
    a.originate(routes).await;
    let mut config_b = config(6, 2);
    config_b
        .peers
        .insert(id(6, 1), peer(6, 2, a.listening()[0].port()));
    b.configure(config_b).await;
    wait_routes(&b, COUNT).await;
    let peers = a.query(|speaker, now| speaker.peers(now)).await.unwrap();
    let deaf = peers.iter().find(|status| status.id == id(6, 3)).unwrap();
    assert_eq!(deaf.state, State::Established);
    assert!(
        deaf.families[0].advertised < COUNT,
        "the deaf peer was to be stuck half-way"
    );
    a.originate(prefixes(10, 5)).await;
    wait_routes(&b, 5).await;
    drop(stream);
}
