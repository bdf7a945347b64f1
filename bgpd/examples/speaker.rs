//! A bare speaker for trying things out: one peer, all next hops taken as reachable, changes printed.
//!
//! `cargo run -p bgpd --example speaker -- ASN LOCAL_ADDRESS PEER_ADDRESS PEER_ASN [PREFIX...]`
//!
//! Listens on port 179 of the local address (root), originates the prefixes, and says Cease on Ctrl-C.

use bgpd::{Handle, Shutdown, Speaker, SpeakerConfig};
use bgpd_proto::rib::{NextHopState, Originated};
use bgpd_proto::speaker::PeerConfig;
use bgpd_proto::types::{Asn, PeerId, RouterId};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [asn, local, peer, peer_asn, prefixes @ ..] = &arguments[..] else {
        return Err("usage: speaker ASN LOCAL_ADDRESS PEER_ADDRESS PEER_ASN [PREFIX...]".into());
    };
    let (local, peer): (IpAddr, IpAddr) = (local.parse()?, peer.parse()?);
    let handle = bgpd::start(
        config(asn.parse()?, local, peer, peer_asn.parse()?),
        vec![SocketAddr::new(local, 179)],
    )
    .await?;
    let routes = prefixes
        .iter()
        .map(|text| Ok((text.parse()?, Originated::default())));
    handle
        .originate(routes.collect::<Result<_, Box<dyn Error>>>()?)
        .await;
    let mut changes = handle.changes();
    loop {
        tokio::select! {
            changed = changes.changed() => {
                changed?;
                resolve_all(&handle).await?;
                println!("{}", handle.query(picture).await?);
            }
            _ = tokio::signal::ctrl_c() => {
                handle.shutdown(Shutdown::Cease(Some("interrupted".into()))).await;
                return Ok(());
            }
        }
    }
}

fn config(asn: u32, local: IpAddr, peer: IpAddr, peer_asn: u32) -> SpeakerConfig {
    let (v4, v6) = match local {
        IpAddr::V4(v4) => (v4, v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => (Ipv4Addr::new(10, 255, 0, 1), v6),
    };
    let mut config = SpeakerConfig::new(Asn(asn), RouterId(v4));
    let mut entry = PeerConfig::new("peer", Asn(peer_asn));
    entry.local_address = Some(local);
    entry.next_hop_v4 = Some(v4);
    entry.next_hop_v6 = Some(v6);
    config.peers.insert(PeerId::Address(peer), entry);
    config
}

async fn resolve_all(handle: &Handle) -> Result<(), bgpd::Error> {
    let hops = handle.query(|speaker, _| speaker.tracked_next_hops()).await?;
    let table = hops
        .into_iter()
        .map(|hop| (hop, NextHopState::Reachable { metric: 0 }))
        .collect();
    handle.set_next_hops(table).await;
    Ok(())
}

fn picture(speaker: &Speaker, now: Instant) -> String {
    let peers = speaker.peers(now).into_iter().map(|p| {
        format!(
            "{}: {} for {:?}, last error {:?}",
            p.id,
            p.state,
            now - p.since,
            p.last_error
        )
    });
    let routes = speaker.rib().loc_rib().map(|route| {
        let hops: Vec<_> = route
            .paths
            .iter()
            .map(|path| (path.next_hop, path.kind))
            .collect();
        format!("  {} {hops:?}", route.prefix)
    });
    let fed = format!("fully fed: {}", speaker.fully_fed());
    peers.chain([fed]).chain(routes).collect::<Vec<_>>().join("\n")
}
