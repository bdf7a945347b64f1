//! `roadbed cleanup [--stop] [--pods]`: removes all that is ours from the kernel.

use std::path::PathBuf;

use anyhow::Context;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// End a running agent first. Its BGP sessions are closed with Cease, so that peers drop this node's routes at once, where
    /// they would wait for its return after a plain stop.
    #[arg(long)]
    stop: bool,
    /// Why, for the operators of the peers (RFC 9003), up to 128 octets; with --stop.
    #[arg(long, requires = "stop")]
    message: Option<String>,
    /// Remove the links of pods too: their connections end.
    #[arg(long)]
    pods: bool,
    /// Routing protocol number of our routes, where `routeProtocol` is not the default.
    #[arg(long, default_value_t = routesync::Protocol::default().0, env = "ROADBED_ROUTE_PROTOCOL")]
    route_protocol: u8,
    /// Where an agent would answer.
    #[arg(long, env = "ROADBED_SOCKET", default_value = config::api::DEFAULT_SOCKET)]
    socket: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.stop {
        crate::agent::stop(&args.socket, args.message.clone())?;
    }
    crate::agent::refuse_if_running(&args.socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let routes = routesync::cleanup(routesync::Protocol(args.route_protocol)).await?;
        let devices = tunnel::cleanup().await?;
        let probes = match tunnel::probe::cleanup().await? {
            0 => "",
            _ => ", the rule and routes of probes",
        };
        let guard = match hostnet::ruleset::remove() {
            Ok(true) => ", and the guard of pod interfaces",
            Ok(false) => "",
            Err(error) => {
                // A kernel without nf_tables has no guard either.
                eprintln!("roadbed: {error}");
                ""
            }
        };
        println!("removed {routes} routes and {devices} tunnel devices and addresses{probes}{guard}");
        if args.pods {
            let links = attach::list()?;
            for link in &links {
                attach::remove(link)?;
            }
            println!("removed {} pod links", links.len());
        }
        Ok(())
    })
}
