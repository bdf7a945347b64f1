//! Exchange of routes, endings of each kind, a peer that does not read, refused strangers.

use crate::support::*;
use bgpd::Shutdown;
use bgpd_proto::session::State;
use bgpd_proto::wire::Community;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

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
const COUNT: usize = 20_000;

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
    let stream = peer_by_hand(6, 3, a.listening()[0]).await;
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
