//! `roadbed agent --config FILE`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use config::agent_file::AgentConfig;
use tracing_subscriber::EnvFilter;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The agent's file; without it /etc/roadbed/agent.yaml where that exists, else the environment alone.
    #[arg(long, env = "ROADBED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let hostname = hostname()?;
    let config = AgentConfig::load(args.config.as_deref(), &hostname).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })?;
    let filter = EnvFilter::try_from_env("ROADBED_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people: a log file or the journal gets plain text.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // One thread runs every task: the work is waiting. Blocking work (the ledger's disk, setns) has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .context("cannot start the runtime")?
        .block_on(crate::agent::run(config))
}

fn hostname() -> anyhow::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").context("cannot read the hostname")?;
    Ok(name.trim().to_owned())
}
