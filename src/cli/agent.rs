//! `roadbed agent --config FILE`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::settings::{Settings, block_on};

/// What is logged unless told otherwise. The Kubernetes client logs each failed connection once more, without saying
/// to where; our own lines say it once, with what follows from it.
const FILTER: &str = "info,kube_client=off";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.settings.load()?;
    let filter = EnvFilter::try_from_env("ROADBED_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people: a log file or the journal gets plain text.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    raise_file_limit();
    // One thread runs every task: the work is waiting. Blocking work (the ledger's disk, setns) has threads of its own.
    block_on(crate::agent::run(config))
}

/// Sessions, watches and namespaces each hold a file: the limit that processes begin with (often 1,024, for the sake of
/// `select`) is too small for a large mesh. What the hard limit allows is taken.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| match soft < hard {
        true => setrlimit(Resource::RLIMIT_NOFILE, hard, hard),
        false => Ok(()),
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
