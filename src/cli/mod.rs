//! The command line. `roadbed agent` runs the daemon; every other command is a client of a running
//! agent's socket, works on files alone (`validate`) or on the datastore (`apply`, `get`, `delete`), or makes a
//! laboratory fabric (`lab`).
//!
//! Errors go to stderr as one clear line with what to do, exit 1; usage errors exit 2 (clap's rule).

mod agent;
mod apply;
mod ask;
mod cleanup;
mod cni;
mod delete;
mod drain;
mod explain;
mod get;
mod import;
mod ipam;
mod kinds;
mod output;
mod peers;
mod plan;
mod routes;
mod settings;
mod status;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use ask::Ask;
pub use output::Format;

/// BGP routing for Kubernetes nodes: announces pod subnets, installs what it learns, tunnels where it must.
#[derive(Debug, Parser)]
#[command(name = "roadbed", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node daemon in the foreground; SIGTERM leaves the data plane in place.
    Agent(agent::Args),
    /// Check resources offline: each mistake with file, line, field and what would be right.
    Validate(validate::Args),
    /// What the running agent would change if these resources were applied.
    Plan(plan::Args),
    /// Put resources into the datastore: all of them or none.
    Apply(apply::Args),
    /// Resources as the datastore has them.
    Get(get::Args),
    /// Take resources out of the datastore.
    Delete(delete::Args),
    /// One screen: sessions, routes, tunnels, blocks, datastore, what is wrong and since when.
    Status(Ask),
    /// The BGP sessions, or one of them.
    Peers(peers::Args),
    /// The looking glass: the Loc-RIB with each route's way into the kernel, or one peer's view.
    Routes(routes::Args),
    /// Why an address or a prefix is reached as it is, step by step.
    Explain(explain::Args),
    /// Read the datastore of another program: what would carry over. Changes nothing.
    #[command(subcommand)]
    Import(import::Import),
    /// Blocks and addresses: how full they are, what is wrong with them.
    #[command(subcommand)]
    Ipam(ipam::Command),
    /// Take this node out of service: its routes get the lowest preference (RFC 8326).
    Drain(drain::Args),
    /// Put it back into service.
    Undrain(Ask),
    /// The CNI plugin on this node: install, uninstall.
    #[command(subcommand)]
    Cni(cni::Command),
    /// Remove all that is ours from the kernel (pod links only with --pods); refuses while an agent runs.
    Cleanup(cleanup::Args),
    /// A fabric of network namespaces from a containerlab file.
    #[command(subcommand)]
    Lab(lab::cli::LabCommand),
}

/// Parses the command line and runs what it asks for.
pub fn main() -> ExitCode {
    finish(match Cli::parse().command {
        Command::Agent(args) => agent::run(&args),
        Command::Validate(args) => return validate::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Delete(args) => delete::run(&args),
        Command::Status(ask) => status::run(&ask),
        Command::Peers(args) => peers::run(&args),
        Command::Routes(args) => routes::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Import(import) => import::run(&import),
        Command::Ipam(command) => ipam::run(&command),
        Command::Drain(args) => drain::run(&args),
        Command::Undrain(ask) => drain::undo(&ask),
        Command::Cni(command) => cni::run(&command),
        Command::Cleanup(args) => cleanup::run(&args),
        Command::Lab(command) => lab::cli::run(command).map_err(|error| anyhow::anyhow!("{error}")),
    })
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roadbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
