//! The agent's file as commands find it: the same one, by the same rules, for the agent and for those that work on its
//! datastore directly.

use std::path::PathBuf;

use anyhow::Context;
use config::agent_file::AgentConfig;

/// Where the agent's file is.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// The agent's file; without it /etc/roadbed/agent.yaml where that exists, else the environment alone.
    #[arg(long, env = "ROADBED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    /// Reads the file and the environment.
    pub fn load(&self) -> anyhow::Result<AgentConfig> {
        AgentConfig::load(self.config.as_deref(), &hostname()?).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        })
    }
}

fn hostname() -> anyhow::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").context("cannot read the hostname")?;
    Ok(name.trim().to_owned())
}

/// Runs work that waits, on one thread.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}
