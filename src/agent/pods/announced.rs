//! Waiting until a pod's addresses are announced: each lies in a prefix of ours that is in the Adj-RIB-Out, as it was
//! sent, of every established peer that speaks its family. A node with peers of which none is established announces
//! nothing; one without peers has nobody to announce to.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgpd_proto::session::State;
use bgpd_proto::speaker::Speaker;
use bgpd_proto::types::Family;
use config::api::ApiError;
use ipnet::IpNet;

use super::answer::try_later;
use super::around::Around;

/// How long ADD waits for that.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often it is looked at: what is sent changes nothing that could be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Waits for it.
pub(super) async fn wait(addresses: &[IpAddr], around: &mut Around) -> Result<(), ApiError> {
    let start = Instant::now();
    loop {
        let Some(missing) = missing(addresses, around).await else {
            return Ok(());
        };
        if start.elapsed() >= DEADLINE {
            return Err(try_later(
                format!(
                    "the pod's addresses are not announced after {} s: {missing}",
                    DEADLINE.as_secs()
                ),
                "see `roadbed peers` and `roadbed routes --advertised`, or leave waitFor out of the network configuration",
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What is missing, in words; `None` where all is announced.
async fn missing(addresses: &[IpAddr], around: &Around) -> Option<String> {
    let candidates: Vec<(IpAddr, Vec<IpNet>)> = {
        let snapshot = around.snapshots.borrow();
        let originated = snapshot.decisions.as_ref().map(|d| d.outline.originated.keys());
        let containing = |a: &IpAddr| {
            originated
                .clone()
                .into_iter()
                .flatten()
                .filter(|net| net.contains(a))
                .copied()
                .collect()
        };
        addresses.iter().map(|a| (*a, containing(a))).collect()
    };
    let Some(bgp) = around.bgp.borrow().clone() else {
        return Some("the BGP speaker does not run".into());
    };
    bgp.query(move |speaker, now| not_sent(speaker, now, &candidates))
        .await
        .unwrap_or_else(|error| Some(error.to_string()))
}

fn not_sent(speaker: &Speaker, now: Instant, candidates: &[(IpAddr, Vec<IpNet>)]) -> Option<String> {
    let peers = speaker.peers(now);
    let mut established = peers
        .iter()
        .filter(|peer| peer.state == State::Established)
        .peekable();
    if established.peek().is_none() {
        return (!peers.is_empty()).then(|| "no session is established".to_owned());
    }
    for peer in established {
        for (address, nets) in candidates {
            let family = if address.is_ipv4() {
                Family::Ipv4Unicast
            } else {
                Family::Ipv6Unicast
            };
            let speaks = peer.families.iter().any(|f| f.family == family && !f.disabled);
            let sent = nets.iter().any(|net| speaker.rib().has_advertised(peer.id, net));
            if speaks && !sent {
                return Some(format!(
                    "{address} was not sent to peer {} ({})",
                    peer.id, peer.name
                ));
            }
        }
    }
    None
}
