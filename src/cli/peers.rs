//! `roadbed peers [PEER]`.

use config::api::peers::{Peer, PeerBfd, PeerRefresh};

use super::ask::Ask;
use super::output::{self, dash, span, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// One peer's address, interface or name, for everything that is known of its session.
    peer: Option<String>,
    /// Ask the peer for all its routes again (RFC 2918), and reset nothing.
    #[arg(long, requires = "peer")]
    refresh: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (client, format) = (args.ask.client(), args.ask.output);
    match &args.peer {
        Some(peer) if args.refresh => {
            let path = format!("/v1/peers/{}/refresh", segment(peer));
            let answer = client.post::<_, PeerRefresh>(&path, &())?;
            output::print(format, &answer, |answer| match answer.asked {
                true => format!("{peer} was asked for its routes\n"),
                false => format!("{peer} cannot be asked: no session, or no route refresh in its OPEN\n"),
            })
        }
        None => output::print(format, &client.get::<Vec<Peer>>("/v1/peers")?, |peers| {
            list(peers)
        }),
        Some(peer) => {
            let path = format!("/v1/peers/{}", segment(peer));
            output::print(format, &client.get::<Peer>(&path)?, one)
        }
    }
}

/// As part of a path: names have slashes in them.
fn segment(peer: &str) -> String {
    peer.replace('%', "%25").replace('/', "%2F")
}

fn list(peers: &[Peer]) -> String {
    let header = [
        "peer",
        "name",
        "as",
        "kind",
        "state",
        "since",
        "received",
        "advertised",
        "last error",
    ];
    table(&header, peers.iter().map(row))
}

fn row(peer: &Peer) -> Vec<String> {
    let sum =
        |f: fn(&config::api::peers::PeerFamily) -> u64| peer.families.iter().map(f).sum::<u64>().to_string();
    vec![
        peer.address.clone(),
        peer.name.clone(),
        peer.remote_as.to_string(),
        peer.kind.clone(),
        peer.state.clone(),
        span(peer.since_seconds),
        sum(|f| f.received),
        sum(|f| f.advertised),
        // While the session is up, the last error is history: `roadbed peers PEER` has it.
        dash(&peer.last_error.as_ref().filter(|_| peer.state != "Established")),
    ]
}

/// The BFD session in one line.
fn path(bfd: &PeerBfd) -> String {
    let mut parts = vec![format!(
        "{} for {} ({} hop)",
        bfd.state,
        span(bfd.since_seconds),
        bfd.hops
    )];
    if !bfd.note.is_empty() {
        parts.push(bfd.note.clone());
    }
    if let Some(detection) = bfd.detection_ms {
        let transmit = bfd.transmit_ms;
        parts.push(format!(
            "a packet each {transmit} ms, lost after {detection} ms of silence"
        ));
    }
    let (lost, why) = (bfd.losses, &bfd.diagnostic);
    parts.push(format!("lost {lost} times ({why})"));
    parts.push(format!("{} packets in, {} out", bfd.packets_in, bfd.packets_out));
    parts.join("; ")
}

/// Directions in which nobody has said what may pass.
fn unfiltered(directions: &[String]) -> Option<String> {
    (!directions.is_empty()).then(|| format!("{}: no BGPFilter says what may pass", directions.join(", ")))
}

fn one(peer: &Peer) -> String {
    let mut rows = vec![
        vec!["peer".into(), peer.address.clone()],
        vec!["name".into(), peer.name.clone()],
        vec![
            "AS".into(),
            format!("{} (ours {}), {}", peer.remote_as, peer.local_as, peer.kind),
        ],
        vec![
            "state".into(),
            format!("{} for {}", peer.state, span(peer.since_seconds)),
        ],
        vec!["last error".into(), dash(&peer.last_error)],
        vec!["last session ended".into(), dash(&peer.last_loss)],
        vec![
            "refused".into(),
            peer.idle_seconds
                .map_or_else(|| "-".into(), |n| format!("for {n} s more")),
        ],
        vec![
            "routes kept".into(),
            peer.kept_seconds
                .map_or_else(|| "-".into(), |n| format!("for {n} s more, it may be restarting")),
        ],
        vec!["flaps".into(), peer.flaps.to_string()],
        vec!["local address".into(), dash(&peer.local_address)],
        vec!["router id".into(), dash(&peer.router_id)],
        vec![
            "hold time".into(),
            format!(
                "{} s, a KEEPALIVE each {} s",
                peer.hold_seconds, peer.keepalive_seconds
            ),
        ],
        vec!["capabilities".into(), peer.capabilities.join(", ")],
        vec!["BFD".into(), peer.bfd.as_ref().map_or_else(|| "off".into(), path)],
        vec!["unfiltered".into(), dash(&unfiltered(&peer.unfiltered))],
        vec![
            "messages".into(),
            format!("{} in, {} out", peer.messages_in, peer.messages_out),
        ],
    ];
    for f in &peer.families {
        let fed = match (f.disabled, f.end_of_rib) {
            (true, _) => "off: its updates cannot be read",
            (false, true) => "fed",
            (false, false) => "no End-of-RIB yet",
        };
        let limit = f.limit.map_or_else(String::new, |n| format!(" of at most {n}"));
        let text = format!(
            "{} received{limit} ({} accepted, {} rejected), {} advertised, {fed}",
            f.received, f.accepted, f.rejected, f.advertised
        );
        rows.push(vec![f.family.clone(), text]);
    }
    let faults = &peer.faults;
    let text = format!(
        "{} attributes dropped, {} updates taken as withdrawals, {} families off, {} ignored",
        faults.discarded, faults.treated_as_withdraw, faults.families_disabled, faults.ignored
    );
    rows.push(vec!["faults".into(), text]);
    for fault in &faults.last {
        rows.push(vec![
            format!("{} ago", span(fault.ago_seconds)),
            fault.what.clone(),
        ]);
    }
    table(&["field", "value"], rows)
}
