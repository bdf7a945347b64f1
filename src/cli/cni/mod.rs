//! `roadbed cni install` and `uninstall`: the plugin and its network configuration, put where the container runtime of a
//! node looks for them.
//!
//! The plugin goes first, under both of its names, and the network configuration last: with it the runtime calls the
//! node's network ready. Each file is there whole or not at all, and one that is as it should be is not touched
//! ([`files`]); what the configuration says is decided in [`conflist`]. Uninstalling goes the other way round and
//! removes only what is ours.

mod conflist;
mod files;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use config::api::status::Status;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::settings::block_on;
use conflist::{Chained, Network};

/// The names under which the one plugin is installed.
const PROGRAMS: [&str; 2] = ["roadbed", "roadbed-ipam"];

/// The network configuration: by the order of names the first one is the one that runtimes take.
const NETWORK_FILE: &str = "10-roadbed.conflist";

/// Between two looks at the agent.
const PAUSE: Duration = Duration::from_millis(500);

/// The plugin on this node: put there, taken away.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Put the plugin and its network configuration where the container runtime looks; what is there already stays.
    Install(Install),
    /// Take away the network configuration, then the plugin: ours only.
    Uninstall(Uninstall),
}

/// Where the runtime looks.
#[derive(Debug, clap::Args)]
struct Folders {
    /// The runtime's folder of plugins.
    #[arg(
        long,
        env = "ROADBED_CNI_BIN_DIR",
        default_value = "/opt/cni/bin",
        value_name = "DIR"
    )]
    bin_dir: PathBuf,
    /// The runtime's folder of network configurations.
    #[arg(
        long,
        env = "ROADBED_CNI_CONF_DIR",
        default_value = "/etc/cni/net.d",
        value_name = "DIR"
    )]
    conf_dir: PathBuf,
    /// When done, stay until SIGTERM: for a container that is not to be started again.
    #[arg(long)]
    stay: bool,
}

#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    folders: Folders,
    /// The agent's socket, as the node has it.
    #[arg(long, env = "ROADBED_SOCKET", default_value = config::api::DEFAULT_SOCKET)]
    socket: PathBuf,
    /// The agent's state folder, as the node has it: DELs wait there for an agent that is away.
    #[arg(long, env = "ROADBED_STATE_DIR", default_value = conflist::STATE_DIR, value_name = "DIR")]
    state_dir: PathBuf,
    /// The plugin to install; default: `roadbed-cni` beside this program.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Name of the network.
    #[arg(
        long,
        env = "ROADBED_CNI_NETWORK",
        default_value = "roadbed",
        value_name = "NAME"
    )]
    network_name: String,
    /// Plugins that run after ours; default: each of them that is in the folder of plugins. Empty for none.
    #[arg(long, env = "ROADBED_CNI_CHAIN", value_enum, value_delimiter = ',', num_args = 0.., value_name = "PLUGIN")]
    chain: Option<Vec<Chained>>,
    /// Install the plugin only, and no network configuration.
    #[arg(long, conflicts_with = "wait")]
    plugin_only: bool,
    /// Write the network configuration only once the agent is ready.
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after so many seconds; default: never.
    #[arg(long, requires = "wait", value_name = "SECONDS")]
    timeout: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct Uninstall {
    #[command(flatten)]
    folders: Folders,
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    block_on(async {
        // Before the first word that somebody may answer with a signal, and to the end: none is lost in between.
        let mut end = End::listen()?;
        let folders = match command {
            Command::Install(args) => {
                install(args, &mut end).await?;
                &args.folders
            }
            Command::Uninstall(args) => {
                uninstall(&args.folders.bin_dir, &args.folders.conf_dir)?;
                &args.folders
            }
        };
        if folders.stay {
            end.told().await;
        }
        Ok(())
    })
}

async fn install(args: &Install, end: &mut End) -> anyhow::Result<()> {
    let Folders {
        bin_dir, conf_dir, ..
    } = &args.folders;
    let from = args.from.clone().map_or_else(beside, Ok)?;
    let plugin = std::fs::read(&from).with_context(|| {
        format!(
            "cannot read the plugin at {}; name it with --from",
            from.display()
        )
    })?;
    if !conflist::is_our_plugin(&plugin) {
        bail!(
            "{} is not the plugin roadbed-cni; name it with --from",
            from.display()
        );
    }
    {
        let _held = files::hold(bin_dir)?;
        for name in PROGRAMS {
            said(files::put(bin_dir, name, &plugin, 0o755)?, &bin_dir.join(name));
        }
    }
    if args.plugin_only {
        return Ok(());
    }
    let network = Network {
        name: &args.network_name,
        socket: &args.socket,
        state_dir: &args.state_dir,
        chain: conflist::chain(args.chain.as_deref(), bin_dir)?,
    };
    if args.wait {
        let limit = args.timeout.map(Duration::from_secs);
        ready(&args.socket, limit, end).await?;
    }
    let _held = files::hold(conf_dir)?;
    let changed = files::put(conf_dir, NETWORK_FILE, network.text().as_bytes(), 0o644)?;
    said(changed, &conf_dir.join(NETWORK_FILE));
    for other in conflist::before(conf_dir, NETWORK_FILE)? {
        eprintln!(
            "roadbed: {} comes before {NETWORK_FILE}, and the runtime takes the first: remove it, or pods get its network",
            conf_dir.join(other).display()
        );
    }
    Ok(())
}

fn uninstall(bin_dir: &Path, conf_dir: &Path) -> anyhow::Result<()> {
    // The configuration first: with the plugin gone before it, every pod would fail in between.
    if conf_dir.is_dir() {
        let _held = files::hold(conf_dir)?;
        removed(conf_dir, NETWORK_FILE, conflist::is_our_network)?;
        for other in conflist::users(conf_dir)? {
            let path = conf_dir.join(other);
            eprintln!(
                "roadbed: {} names our plugin too, and does not work without it",
                path.display()
            );
        }
    }
    if bin_dir.is_dir() {
        let _held = files::hold(bin_dir)?;
        for name in PROGRAMS {
            removed(bin_dir, name, conflist::is_our_plugin)?;
        }
    }
    Ok(())
}

/// The plugin that came with this program.
fn beside() -> anyhow::Result<PathBuf> {
    let program =
        std::env::current_exe().context("cannot tell where this program is; name the plugin with --from")?;
    Ok(program.with_file_name("roadbed-cni"))
}

fn said(changed: bool, path: &Path) {
    let what = if changed {
        "installed"
    } else {
        "is as it should be:"
    };
    println!("{what} {}", path.display());
}

fn removed(folder: &Path, name: &str, ours: fn(&[u8]) -> bool) -> anyhow::Result<()> {
    let path = folder.join(name);
    match files::remove(folder, name, ours)? {
        files::Removed::Gone => println!("removed {}", path.display()),
        files::Removed::Absent => println!("not there: {}", path.display()),
        files::Removed::NotOurs => eprintln!("roadbed: {} is not ours and stays", path.display()),
    }
    Ok(())
}

/// Returns when the agent is ready.
async fn ready(socket: &Path, limit: Option<Duration>, end: &mut End) -> anyhow::Result<()> {
    let client = config::api::Client::new(socket);
    let ends = limit.map(|limit| Instant::now() + limit);
    let mut last = String::new();
    loop {
        let why = match client.get::<Status>("/v1/status") {
            Ok(status) if status.ready => return Ok(()),
            Ok(status) => match status.conditions.iter().find(|c| c.required && !c.met) {
                Some(missing) => format!("the agent is not ready: {}: {}", missing.name, missing.message),
                None => "the agent is not ready".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if ends.is_some_and(|ends| Instant::now() >= ends) {
            bail!("no network configuration is written: {why}");
        }
        if why != last {
            eprintln!("roadbed: waiting: {why}");
            last = why;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = end.told() => {
                bail!("told to end before the agent was ready; no network configuration is written");
            }
        }
    }
}

/// What tells this program to end. As the first process of a container it has to say that it wants to hear.
struct End {
    terminated: Signal,
    interrupted: Signal,
}

impl End {
    fn listen() -> anyhow::Result<End> {
        let listens = "cannot listen for signals";
        Ok(End {
            terminated: signal(SignalKind::terminate()).context(listens)?,
            interrupted: signal(SignalKind::interrupt()).context(listens)?,
        })
    }

    /// Returns when it is told to.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
