//! What the kernel does for sessions: TCP MD5 signatures (RFC 2385) and TTL security (RFC 5082), IPv4 and IPv6. Each test has
//! a network namespace of its own, whose counters tell what was dropped.

use crate::support::*;
use bgpd::{Handle, Shutdown};
use bgpd_proto::session::State;
use bgpd_proto::speaker::{ListenRange, PeerConfig, SpeakerConfig};
use bgpd_proto::types::{Asn, PeerId, RouterId, Secret};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const PORT: u16 = 1179;

/// One end of a session.
struct End {
    address: IpAddr,
    asn: Asn,
    handle: Handle,
}

impl End {
    async fn new(address: &str, asn: u32) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let config = SpeakerConfig::new(Asn(asn), Self::router_id(address));
        let handle = bgpd::start(config, vec![SocketAddr::new(address, PORT)])
            .await
            .unwrap();
        let asn = Asn(asn);
        Self { address, asn, handle }
    }

    /// The last octet of its address is that of its identifier.
    fn router_id(address: IpAddr) -> RouterId {
        let last = match address {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        };
        RouterId(Ipv4Addr::new(192, 0, 2, last))
    }

    /// Makes `other` its only peer.
    async fn configure(&self, other: &End, change: impl FnOnce(&mut PeerConfig)) {
        let mut config = SpeakerConfig::new(self.asn, Self::router_id(self.address));
        config.peers.insert(other.id(), self.peer(other, change));
        self.handle.configure(config).await;
    }

    fn peer(&self, other: &End, change: impl FnOnce(&mut PeerConfig)) -> PeerConfig {
        let mut peer = PeerConfig::new("other", other.asn);
        peer.local_address = Some(self.address);
        peer.remote_port = PORT;
        peer.connect_retry = Duration::from_secs(1);
        change(&mut peer);
        peer
    }

    fn id(&self) -> PeerId {
        PeerId::Address(self.address)
    }

    /// Whether its only session is up, and how often it was lost.
    async fn session(&self) -> (bool, u64) {
        let peers = self
            .handle
            .query(|speaker, now| speaker.peers(now))
            .await
            .unwrap();
        (peers[0].state == State::Established, peers[0].counters.flaps)
    }
}

fn key(text: &'static str) -> impl FnOnce(&mut PeerConfig) {
    move |peer| peer.password = Some(Secret::new(text.as_bytes()))
}

/// How many messages of the peer must come before a session is taken to work.
async fn wait_messages(end: &End, more: u64) {
    let seen = |speaker: &bgpd::Speaker| speaker.peers(Instant::now())[0].counters.messages_in;
    let before = end.handle.query(move |speaker, _| seen(speaker)).await.unwrap();
    wait(&end.handle, "messages of the peer", move |speaker| {
        seen(speaker) >= before + more
    })
    .await;
}

async fn keys_protect(a: &str, b: &str) {
    let (a, b) = (End::new(a, 64512).await, End::new(b, 64512).await);
    let fast = |peer: &mut PeerConfig| peer.hold_time = Duration::from_secs(30);
    let failures = counter("TCPMD5Failure");
    a.configure(&b, key("swordfish")).await;
    b.configure(&a, key("catfish")).await;
    wait_counter("TCPMD5Failure", failures).await;
    assert!(!a.session().await.0 && !b.session().await.0, "the keys differ");
    // One end without a key.
    let missing = counter("TCPMD5NotFound") + counter("TCPMD5Unexpected");
    b.configure(&a, |_| {}).await;
    while counter("TCPMD5NotFound") + counter("TCPMD5Unexpected") <= missing {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!a.session().await.0 && !b.session().await.0, "one has no key");
    // The right one.
    let hold = |secret: &'static str| {
        move |peer: &mut PeerConfig| {
            fast(peer);
            key(secret)(peer);
        }
    };
    a.configure(&b, hold("swordfish")).await;
    b.configure(&a, hold("swordfish")).await;
    wait_up(&a.handle, b.id()).await;
    wait_up(&b.handle, a.id()).await;
    // A new one, while the session stands.
    a.configure(&b, hold("haddock")).await;
    b.configure(&a, hold("haddock")).await;
    for end in [&a, &b] {
        wait_messages(end, 2).await;
        assert_eq!(end.session().await, (true, 0), "the session outlives the change");
    }
}

#[test]
fn the_key_of_an_ipv4_session_protects_it_and_changes_without_a_new_session() {
    in_namespace(&["10.0.0.1/32", "10.0.0.2/32"], || {
        keys_protect("10.0.0.1", "10.0.0.2")
    });
}

#[test]
fn the_key_of_an_ipv6_session_protects_it_and_changes_without_a_new_session() {
    in_namespace(&["fd00::1/128", "fd00::2/128"], || {
        keys_protect("fd00::1", "fd00::2")
    });
}

#[test]
fn a_range_has_a_key_for_all_its_hosts() {
    in_namespace(&["10.0.0.1/32", "10.0.0.2/32", "10.0.9.2/32"], || async {
        let a = End::new("10.0.0.1", 64512).await;
        let mut template = PeerConfig::new("rack", Asn(64512));
        key("swordfish")(&mut template);
        let mut config = SpeakerConfig::new(a.asn, RouterId(Ipv4Addr::new(192, 0, 2, 99)));
        config.ranges = vec![ListenRange {
            prefix: "10.0.0.0/16".parse().unwrap(),
            template,
            limit: 2,
        }];
        a.handle.configure(config).await;
        let failures = counter("TCPMD5Failure");
        let b = End::new("10.0.0.2", 64512).await;
        let c = End::new("10.0.9.2", 64512).await;
        b.configure(&a, key("catfish")).await;
        wait_counter("TCPMD5Failure", failures).await;
        // The identifier of b would be that of c.
        let mut config = SpeakerConfig::new(c.asn, RouterId(Ipv4Addr::new(192, 0, 2, 9)));
        config.peers.insert(a.id(), c.peer(&a, key("swordfish")));
        c.handle.configure(config).await;
        wait_up(&a.handle, c.id()).await;
        assert_eq!(a.handle.query(|s, now| s.peers(now).len()).await.unwrap(), 1);
        b.configure(&a, key("swordfish")).await;
        wait_up(&a.handle, b.id()).await;
        // Who leaves is forgotten.
        c.handle.shutdown(Shutdown::Cease(None)).await;
        wait(&a.handle, "only b", |speaker| {
            speaker.peers(Instant::now()).len() == 1
        })
        .await;
    });
}

async fn far_packets_are_dropped(a: &str, b: &str) {
    let (a, b) = (End::new(a, 64512).await, End::new(b, 65001).await);
    let near = |peer: &mut PeerConfig| peer.ttl_security = Some(1);
    let dropped = counter("TCPMinTTLDrop");
    a.configure(&b, near).await;
    // A direct eBGP peer without TTL security sends with TTL 1, as one that is 254 hops away would seem to.
    b.configure(&a, |_| {}).await;
    wait_counter("TCPMinTTLDrop", dropped).await;
    assert!(!a.session().await.0, "b seems far away");
    b.configure(&a, near).await;
    wait_up(&a.handle, b.id()).await;
    wait_up(&b.handle, a.id()).await;
}

#[test]
fn ttl_security_drops_what_comes_from_afar_by_ipv4() {
    in_namespace(&["10.0.0.1/32", "10.0.0.2/32"], || {
        far_packets_are_dropped("10.0.0.1", "10.0.0.2")
    });
}

#[test]
fn ttl_security_drops_what_comes_from_afar_by_ipv6() {
    in_namespace(&["fd00::1/128", "fd00::2/128"], || {
        far_packets_are_dropped("fd00::1", "fd00::2")
    });
}
