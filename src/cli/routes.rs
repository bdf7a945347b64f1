//! `roadbed routes [PREFIX] [--received PEER | --advertised PEER | --rejected]`.

use bgpd_proto::types::PeerId;
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
    received: Option<PeerId>,
    /// What we announce to a peer.
    #[arg(long, value_name = "PEER", group = "view")]
    advertised: Option<PeerId>,
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
                dash(&next_hop(r)),
                dash(&r.node),
                dash(&r.encapsulation),
                if r.installed { "yes".into() } else { "no".into() },
                r.reason.clone(),
            ]
        }),
    )
}

/// With its interface where it is link-local.
fn next_hop(route: &Route) -> Option<String> {
    let address = route.next_hop?.to_string();
    let interface = route.interface.as_ref();
    Some(interface.map_or(address.clone(), |interface| format!("{address}%{interface}")))
}

/// Of all three kinds.
fn communities(route: &Route) -> String {
    let all = [
        &route.communities,
        &route.large_communities,
        &route.extended_communities,
    ];
    let texts: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
    dash(&(!texts.is_empty()).then(|| texts.join(" ")))
}

fn bgp_only(routes: &[Route]) -> String {
    let header = [
        "prefix",
        "peer",
        "next hop",
        "as path",
        "local pref",
        "communities",
        "verdict",
    ];
    table(
        &header,
        routes.iter().map(|r| {
            vec![
                r.prefix.to_string(),
                dash(&r.peer),
                dash(&next_hop(r)),
                r.as_path.clone(),
                dash(&r.local_pref),
                communities(r),
                r.reason.clone(),
            ]
        }),
    )
}
