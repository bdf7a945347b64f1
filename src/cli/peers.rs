//! `roadbed peers [PEER]`.

use config::api::peers::Peer;

use super::ask::Ask;
use super::output::{self, dash, span, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// One peer's address, for everything that is known of its session.
    peer: Option<std::net::IpAddr>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (client, format) = (args.ask.client(), args.ask.output);
    match args.peer {
        None => output::print(format, &client.get::<Vec<Peer>>("/v1/peers")?, |peers| {
            list(peers)
        }),
        Some(address) => output::print(format, &client.get::<Peer>(&format!("/v1/peers/{address}"))?, one),
    }
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
        peer.address.to_string(),
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

fn one(peer: &Peer) -> String {
    let mut rows = vec![
        vec!["peer".into(), peer.address.to_string()],
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
        vec![
            "routes kept".into(),
            peer.kept_seconds
                .map_or_else(|| "-".into(), |n| format!("for {n} s more, it may be restarting")),
        ],
        vec!["flaps".into(), peer.flaps.to_string()],
        vec!["local address".into(), dash(&peer.local_address)],
        vec!["router id".into(), dash(&peer.router_id)],
        vec!["hold time".into(), format!("{} s", peer.hold_seconds)],
        vec!["capabilities".into(), peer.capabilities.join(", ")],
        vec![
            "messages".into(),
            format!("{} in, {} out", peer.messages_in, peer.messages_out),
        ],
    ];
    for f in &peer.families {
        let fed = if f.end_of_rib { "fed" } else { "no End-of-RIB yet" };
        let text = format!(
            "{} received ({} accepted, {} rejected), {} advertised, {fed}",
            f.received, f.accepted, f.rejected, f.advertised
        );
        rows.push(vec![f.family.clone(), text]);
    }
    table(&["field", "value"], rows)
}
