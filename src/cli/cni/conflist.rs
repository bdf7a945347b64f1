//! The network configuration that is installed, and what of the files in a runtime's folders is ours. Reads folders,
//! changes nothing.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// The agent's state folder where nothing else is said: what the plugin takes for granted.
pub const STATE_DIR: &str = "/var/lib/roadbed";

/// The version that is written: the newest that Debian's containerd 1.6 and podman 4.3 read. Runtimes that know
/// 1.1.0 take it as well.
const CNI_VERSION: &str = "1.0.0";

/// Plugins that may run after ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Chained {
    /// Ports of the host (`hostPort`).
    Portmap,
    /// Limits of bandwidth by annotation.
    Bandwidth,
}

impl Chained {
    const ALL: [Chained; 2] = [Chained::Portmap, Chained::Bandwidth];

    fn program(self) -> &'static str {
        match self {
            Chained::Portmap => "portmap",
            Chained::Bandwidth => "bandwidth",
        }
    }

    fn entry(self) -> Value {
        match self {
            Chained::Portmap => {
                json!({"type": "portmap", "capabilities": {"portMappings": true}, "snat": true})
            }
            Chained::Bandwidth => json!({"type": "bandwidth", "capabilities": {"bandwidth": true}}),
        }
    }
}

/// What the network configuration says.
#[derive(Debug)]
pub struct Network<'a> {
    pub name: &'a str,
    pub socket: &'a Path,
    pub state_dir: &'a Path,
    pub chain: Vec<Chained>,
}

impl Network<'_> {
    /// The file.
    pub fn text(&self) -> String {
        let mut ours = json!({"type": "roadbed", "capabilities": {"ips": true, "mac": true}});
        // What the plugin takes for granted is not written down.
        if self.socket != Path::new(config::api::DEFAULT_SOCKET) {
            ours["socket"] = json!(self.socket);
        }
        if self.state_dir != Path::new(STATE_DIR) {
            ours["stateDir"] = json!(self.state_dir);
        }
        let chained = self.chain.iter().map(|chained| chained.entry());
        let plugins: Vec<Value> = std::iter::once(ours).chain(chained).collect();
        format!(
            "{:#}\n",
            json!({"cniVersion": CNI_VERSION, "name": self.name, "plugins": plugins})
        )
    }
}

/// The plugins that run after ours: those asked for, which have to be there, or else all that are there. One that is
/// named and missing would fail every pod.
///
/// # Errors
/// Where one that was asked for is not in the folder.
pub fn chain(wanted: Option<&[Chained]>, bin_dir: &Path) -> anyhow::Result<Vec<Chained>> {
    let there = |chained: &Chained| bin_dir.join(chained.program()).exists();
    let Some(wanted) = wanted else {
        return Ok(Chained::ALL.into_iter().filter(there).collect());
    };
    if let Some(missing) = wanted.iter().find(|chained| !there(chained)) {
        let (name, folder) = (missing.program(), bin_dir.display());
        bail!(
            "{name} is to run after our plugin and is not in {folder}: install it (package containernetworking-plugins), or leave it out of --chain"
        );
    }
    Ok(wanted.to_vec())
}

/// Whether a file is our plugin: a program that knows where our agent listens.
pub fn is_our_plugin(contents: &[u8]) -> bool {
    let socket = config::api::DEFAULT_SOCKET.as_bytes();
    contents.starts_with(b"\x7fELF") && contents.windows(socket.len()).any(|part| part == socket)
}

/// Whether a file is a network configuration of our main plugin.
pub fn is_our_network(contents: &[u8]) -> bool {
    serde_json::from_slice::<Value>(contents)
        .is_ok_and(|network| types(&network).contains(&"roadbed".to_owned()))
}

/// The network configurations of a folder that a runtime takes before this one.
///
/// # Errors
/// Where the folder cannot be read.
pub fn before(folder: &Path, ours: &str) -> anyhow::Result<Vec<String>> {
    let mut names = networks(folder)?;
    names.retain(|name| name.as_str() < ours);
    Ok(names)
}

/// The network configurations of a folder that name one of our plugins.
///
/// # Errors
/// Where the folder cannot be read.
pub fn users(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = networks(folder)?;
    names.retain(|name| {
        let network = std::fs::read(folder.join(name)).unwrap_or_default();
        let network: Value = serde_json::from_slice(&network).unwrap_or_default();
        types(&network)
            .iter()
            .any(|name| super::PROGRAMS.contains(&name.as_str()))
    });
    Ok(names)
}

/// The files that runtimes read as network configurations, by name.
fn networks(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| {
            let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| ["conf", "conflist", "json"].contains(&ending))
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The plugins that a network configuration names, for links and for addresses.
fn types(network: &Value) -> Vec<String> {
    let listed = network["plugins"].as_array().into_iter().flatten();
    let each = listed
        .chain([network])
        .flat_map(|plugin| [&plugin["type"], &plugin["ipam"]["type"]]);
    each.filter_map(Value::as_str).map(str::to_owned).collect()
}
