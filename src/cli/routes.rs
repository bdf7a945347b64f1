//! `roadbed routes [PREFIX] [--received PEER | --advertised PEER | --rejected]`.

use std::net::IpAddr;

use config::api::routes::Route;
use ipnet::IpNet;

use super::ask::Ask;
use super::output::{self, dash, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Only this prefix and what lies inside it.
    prefix: Option<IpNet>,
    /// What a peer announced to us, before import policy.
    #[arg(long, value_name = "PEER", group = "view")]
    received: Option<IpAddr>,
    /// What we announce to a peer.
    #[arg(long, value_name = "PEER", group = "view")]
    advertised: Option<IpAddr>,
    /// What the import policy refused, and why.
    #[arg(long, group = "view")]
    rejected: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (client, format) = (args.ask.client(), args.ask.output);
    let loc_rib = args.received.is_none() && args.advertised.is_none() && !args.rejected;
    let routes: Vec<Route> = client.get(&path(args))?;
    output::print(format, &routes, |routes| {
        if loc_rib {
            with_kernel(routes)
        } else {
            bgp_only(routes)
        }
    })
}

fn path(args: &Args) -> String {
    let mut query: Vec<String> = Vec::new();
    query.extend(args.prefix.map(|p| format!("prefix={p}")));
    query.extend(args.received.map(|p| format!("received={p}")));
    query.extend(args.advertised.map(|p| format!("advertised={p}")));
    if args.rejected {
        query.push("rejected=true".into());
    }
    format!("/v1/routes?{}", query.join("&"))
}

fn with_kernel(routes: &[Route]) -> String {
    let header = [
        "prefix",
        "origin",
        "next hop",
        "node",
        "encap",
        "in kernel",
        "reason",
    ];
    table(
        &header,
        routes.iter().map(|r| {
            vec![
                r.prefix.to_string(),
                r.origin.clone(),
                dash(&r.next_hop),
                dash(&r.node),
                dash(&r.encapsulation),
                if r.installed { "yes".into() } else { "no".into() },
                r.reason.clone(),
            ]
        }),
    )
}

fn bgp_only(routes: &[Route]) -> String {
    let header = ["prefix", "peer", "next hop", "as path", "local pref", "verdict"];
    table(
        &header,
        routes.iter().map(|r| {
            vec![
                r.prefix.to_string(),
                dash(&r.peer),
                dash(&r.next_hop),
                r.as_path.clone(),
                dash(&r.local_pref),
                r.reason.clone(),
            ]
        }),
    )
}
