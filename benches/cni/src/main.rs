//! `make bench-cni`: what a pod's network costs, beside the reference plugins `ptp` with `host-local`, in one run on one node.
//!
//! Both plugins are started for each call as a runtime starts them. Ours has the agent do the work: the agent's processor time
//! counts, and each of its leases is on disk (fsync) before the answer; `host-local` does not sync its files. The pod of ours is
//! reachable from outside at the answer (its route is in the kernel); that of `ptp` has the routes that it needs on the node.
//!
//! Nothing here is a test: no figure makes it fail. `--quick` takes fewer samples.

mod place;
mod plugin;
mod report;
mod rounds;
mod usage;

use std::path::PathBuf;

use clap::Parser;

/// What is measured.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Fewer samples.
    #[arg(long)]
    quick: bool,
    /// Pods of the measurement of density.
    #[arg(long, default_value_t = 500)]
    pods: usize,
    /// Set by the program itself: it measures on the node, in this folder.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
    /// Set by the program itself: process of the agent.
    #[arg(long, hide = true, default_value_t = 0)]
    agent: i32,
    /// Set by the program itself: what the namespaces of pods are named after.
    #[arg(long, hide = true, default_value = "")]
    lab: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match &args.inside {
        Some(folder) => rounds::run(folder, &args),
        None => place::run(&args),
    }
}
