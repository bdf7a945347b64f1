//! Peers that press: they cut the connection in the midst of everything, connect without end, send without end. Nobody
//! else may notice.

use crate::support::*;
use bgpd::Handle;
use bgpd_proto::session::State;
use bgpd_proto::wire::Community;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// Cease, Administrative Shutdown.
const CEASE: [u8; 21] = [
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 21, 3, 6, 2,
];

const KEEPALIVE: [u8; 19] = [
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 19, 4,
];

/// Lets peers `hosts` connect to speaker 1 of `net`.
async fn expecting(net: u8, handle: &Handle, hosts: impl Iterator<Item = u8>) {
    let mut config = config(net, 1);
    for host in hosts {
        let mut peer = peer(net, 1, 9);
        peer.passive = true;
        config.peers.insert(id(net, host), peer);
    }
    handle.configure(config).await;
}

#[tokio::test]
async fn a_notification_is_heard_although_writing_failed_first() {
    let a = listening(7, 1).await;
    // Attributes of its own for each route: more bytes than the socket takes.
    let mut routes = prefixes(10, 3_000);
    for (number, route) in (0..).zip(routes.values_mut()) {
        route.communities = vec![Community(number)];
    }
    a.originate(routes).await;
    let hosts = 10..25;
    expecting(7, &a, hosts.clone()).await;
    for host in hosts.clone() {
        let mut stream = peer_by_hand(7, host, a.listening()[0]).await;
        wait_up(&a, id(7, host)).await;
        // The speaker is in the midst of its table, and of what it has sent nothing was read: closing is a reset.
        stream.write_all(&CEASE).await.unwrap();
        drop(stream);
    }
    for host in hosts {
        wait_down(&a, id(7, host), "Administrative Shutdown").await;
    }
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Connects from `host` and hangs up, over and over.
async fn connect_and_hang_up(net: u8, host: u8, to: SocketAddr, times: usize) -> usize {
    let mut most = 0;
    for _ in 0..times {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::new(address(net, host).into(), 0))
            .unwrap();
        if let Ok(mut stream) = socket.connect(to).await {
            // Enough to make the speaker answer, and linger.
            let _ = stream.write_all(&[0; 19]).await;
        }
        most = most.max(open_files());
    }
    most
}

#[tokio::test]
async fn a_flood_of_connections_disturbs_nobody_and_uses_up_no_file_descriptors() {
    let (a, b) = (listening(8, 1).await, listening(8, 2).await);
    let mut config_a = config(8, 1);
    let mut near = peer(8, 1, b.listening()[0].port());
    near.hold_time = Duration::from_secs(3);
    config_a.peers.insert(id(8, 2), near);
    let mut mad = peer(8, 1, 9);
    mad.passive = true;
    config_a.peers.insert(id(8, 3), mad);
    a.configure(config_a).await;
    let mut config_b = config(8, 2);
    config_b
        .peers
        .insert(id(8, 1), peer(8, 2, a.listening()[0].port()));
    b.configure(config_b).await;
    wait_up(&a, id(8, 2)).await;
    let before = open_files();
    let most = connect_and_hang_up(8, 3, a.listening()[0], 2_000).await;
    assert!(most < before + 200, "{most} open files, {before} before");
    let peers = a.query(|speaker, now| speaker.peers(now)).await.unwrap();
    let near = peers.iter().find(|status| status.id == id(8, 2)).unwrap();
    assert_eq!((near.state, near.counters.flaps), (State::Established, 0));
}

/// Sends until it is told to stop, as fast as the speaker takes it.
fn send_without_end(stream: TcpStream, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    use std::io::Write;
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let burst = KEEPALIVE.repeat(4096);
    std::thread::spawn(
        move || {
            while !stop.load(Ordering::Relaxed) && stream.write_all(&burst).is_ok() {}
        },
    )
}

#[tokio::test]
async fn a_peer_that_sends_without_end_keeps_nobody_waiting() {
    let (a, b) = (listening(9, 1).await, listening(9, 2).await);
    let mut config_a = config(9, 1);
    let mut near = peer(9, 1, b.listening()[0].port());
    near.hold_time = Duration::from_secs(3);
    config_a.peers.insert(id(9, 2), near);
    for host in [3, 4] {
        let mut loud = peer(9, 1, 9);
        loud.passive = true;
        config_a.peers.insert(id(9, host), loud);
    }
    a.configure(config_a).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut loud = Vec::new();
    for host in [3, 4] {
        let stream = peer_by_hand(9, host, a.listening()[0]).await;
        wait_up(&a, id(9, host)).await;
        loud.push(send_without_end(stream, Arc::clone(&stop)));
    }
    let mut config_b = config(9, 2);
    config_b
        .peers
        .insert(id(9, 1), peer(9, 2, a.listening()[0].port()));
    b.configure(config_b).await;
    b.originate(prefixes(10, 100)).await;
    // A session comes up and routes are learned beside the noise, and twice the hold time passes without a loss.
    wait_routes(&a, 100).await;
    wait(&a, "two hold times of KEEPALIVEs", |speaker| {
        let peers = speaker.peers(Instant::now());
        peers
            .iter()
            .any(|status| status.id == id(9, 2) && status.counters.messages_in >= 10)
    })
    .await;
    let peers = a.query(|speaker, now| speaker.peers(now)).await.unwrap();
    for status in peers {
        assert_eq!(
            (status.state, status.counters.flaps),
            (State::Established, 0),
            "{}",
            status.id
        );
    }
    stop.store(true, Ordering::Relaxed);
    loud.into_iter().for_each(|thread| thread.join().unwrap());
}
