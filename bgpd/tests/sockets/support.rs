//! Speakers and peers of the tests, on loopback addresses of their own, and waiting for what they come to.

use bgpd::Handle;
use bgpd_proto::rib::{NextHopState, NextHopTable, Originated};
use bgpd_proto::session::State;
use bgpd_proto::speaker::{PeerConfig, Speaker, SpeakerConfig};
use bgpd_proto::types::{Asn, PeerId, RouterId};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub use crate::namespace::{in_namespace, ip};

pub const DEADLINE: Duration = Duration::from_secs(60);
pub const ASN: Asn = Asn(64512);

/// A loopback address that belongs to one test (`net`) and one speaker in it.
pub fn address(net: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 82, net, host)
}

pub fn config(net: u8, host: u8) -> SpeakerConfig {
    SpeakerConfig::new(ASN, RouterId(address(net, host)))
}

pub fn peer(net: u8, us: u8, port: u16) -> PeerConfig {
    let mut peer = PeerConfig::new("peer", ASN);
    peer.local_address = Some(address(net, us).into());
    peer.remote_port = port;
    peer.connect_retry = Duration::from_secs(1);
    peer.next_hop_v4 = Some(next_hop(us));
    peer
}

pub fn id(net: u8, host: u8) -> PeerId {
    PeerId::Address(address(net, host).into())
}

/// NEXT_HOP of a speaker: a loopback address would be refused as one.
pub fn next_hop(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, host)
}

/// All speakers of a test reach all others.
pub fn next_hops() -> NextHopTable {
    (1..=9)
        .map(|host| (next_hop(host).into(), NextHopState::Reachable { metric: 1 }))
        .collect()
}

pub fn prefixes(first: u8, count: u32) -> BTreeMap<IpNet, Originated> {
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

pub async fn listening(net: u8, host: u8) -> Handle {
    let at = SocketAddr::new(address(net, host).into(), 0);
    let handle = bgpd::start(config(net, host), vec![at]).await.unwrap();
    handle.set_next_hops(next_hops()).await;
    handle
}

/// Makes `hosts` peers of each other.
pub async fn mesh(net: u8, hosts: &[(u8, &Handle)]) {
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

pub async fn wait(
    handle: &Handle,
    what: &str,
    condition: impl Fn(&Speaker) -> bool + Clone + Send + 'static,
) {
    let waited = timeout(DEADLINE, async {
        loop {
            let condition = condition.clone();
            if handle.query(move |speaker, _| condition(speaker)).await.unwrap() {
                return;
            }
            // Questions take the speaker's time: not one for each change.
            tokio::time::sleep(Duration::from_millis(50)).await;
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

pub async fn wait_routes(handle: &Handle, count: usize) {
    wait(handle, &format!("{count} routes"), move |speaker| {
        speaker.rib().loc_rib().count() == count
    })
    .await;
}

pub async fn wait_up(handle: &Handle, peer: PeerId) {
    wait(handle, "a session", move |speaker| {
        speaker
            .peers(Instant::now())
            .iter()
            .any(|s| s.id == peer && s.state == State::Established)
    })
    .await;
}

pub async fn wait_down(handle: &Handle, peer: PeerId, reason: &'static str) {
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

/// A peer by hand: says OPEN and KEEPALIVE, and never reads.
pub async fn peer_by_hand(net: u8, host: u8, to: SocketAddr) -> TcpStream {
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

/// A counter of the kernel (`nstat`) in the namespace of this thread.
pub fn counter(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("TcpExt:")).collect();
    let [names, values] = &lines[..] else {
        panic!("{text}")
    };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = pairs.find(|(key, _)| *key == name).expect(name);
    value.parse().unwrap()
}

/// Waits until the kernel has counted something since it counted `before`.
pub async fn wait_counter(name: &str, before: u64) {
    let counted = timeout(DEADLINE, async {
        while counter(name) <= before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    counted
        .await
        .unwrap_or_else(|_| panic!("{name} stays at {before}"));
}
