//! FRR of the distribution as the router of a node.
//!
//! The daemons run with their default paths, which are private in a node, so `vtysh -c` works inside. They are
//! started without configuration; then `vtysh -b` reads `/etc/frr/frr.conf` into all of them as the
//! distribution's start script does, and a line that FRR does not know makes `up` fail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Group, User, chown};

use crate::error::Error;
use crate::fabric::record::{Record, last_lines, tail};
use crate::fabric::run;
use crate::topology::{Bind, Node};
use crate::wait;

/// Where distributions put the daemons.
const FOLDERS: [&str; 2] = ["/usr/lib/frr", "/usr/libexec/frr"];

/// Daemons that every FRR needs, where its version has them.
const ALWAYS: [&str; 3] = ["mgmtd", "zebra", "staticd"];

/// How long the daemons may take to listen.
const START: Duration = Duration::from_secs(15);

/// Starts the daemons of a node and configures them.
pub fn start(record: &mut Record, node: &str, spec: &Node) -> Result<(), Error> {
    let folder = folder()?;
    let state = record.node(node)?;
    for name in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
        run::sysctl(state, name, "1")?;
    }
    let config = spec.startup_config.as_deref().map(read).transpose()?;
    let chosen_daemons = spec.binds.iter().any(covers_daemons);
    let daemons = state.namespaces.run(|| prepare(config, chosen_daemons))??;
    let present = |name: &&str| folder.join(name).is_file();
    let mut all: Vec<String> = ALWAYS.into_iter().filter(present).map(str::to_owned).collect();
    all.extend(daemons.into_iter().filter(|d| !ALWAYS.contains(&d.as_str())));
    for daemon in &all {
        let program = folder.join(daemon);
        let program = program.to_string_lossy();
        let argv = [
            &*program,
            "-u",
            "frr",
            "-g",
            "frr",
            "-P",
            "0",
            "--log",
            "stdout",
            "--log-level",
            "warnings",
        ];
        run::daemon(record, node, daemon, &argv)?;
    }
    for daemon in &all {
        wait_listening(record, node, daemon)?;
    }
    configure(record, node)
}

fn folder() -> Result<PathBuf, Error> {
    let found = FOLDERS
        .iter()
        .map(Path::new)
        .find(|dir| dir.join("zebra").is_file() && dir.join("bgpd").is_file());
    found.map(Path::to_owned).ok_or_else(|| Error::Missing {
        what: "FRR".into(),
        remedy: "it plays the switches; install it with `apt-get install frr`".into(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(Error::system(format!("read {}", path.display())))
}

/// The file that chooses daemons is the node's own, not the machine's.
fn covers_daemons(bind: &Bind) -> bool {
    Path::new("/etc/frr/daemons").starts_with(&bind.destination)
}

/// Inside the node: gives FRR its folder and its configuration, and says which daemons are wanted.
fn prepare(config: Option<Vec<u8>>, chosen_daemons: bool) -> Result<Vec<String>, Error> {
    let user = User::from_name("frr").ok().flatten();
    let group = Group::from_name("frr").ok().flatten();
    let (Some(user), Some(group)) = (user, group) else {
        return Err(Error::Missing {
            what: "the user or the group frr".into(),
            remedy: "the package frr makes them; reinstall it".into(),
        });
    };
    let own = |path: &str| {
        chown(path, Some(user.uid), Some(group.gid))
            .map_err(Error::system(format!("give {path} to the user frr")))
    };
    own("/run/frr")?;
    if let Some(config) = config {
        std::fs::write("/etc/frr/frr.conf", config).map_err(Error::system("write /etc/frr/frr.conf"))?;
        own("/etc/frr/frr.conf")?;
    }
    if !chosen_daemons {
        return Ok(vec!["bgpd".to_owned()]);
    }
    let text = std::fs::read_to_string("/etc/frr/daemons").map_err(Error::system("read /etc/frr/daemons"))?;
    Ok(wanted(&text))
}

/// The daemons that a `daemons` file switches on.
fn wanted(text: &str) -> Vec<String> {
    let yes = |line: &str| Some(line.trim().strip_suffix("=yes")?.trim().to_owned());
    text.lines()
        .filter_map(yes)
        .filter(|name| name.ends_with('d') || name == "zebra")
        .collect()
}

fn wait_listening(record: &Record, node: &str, daemon: &str) -> Result<(), Error> {
    let state = record.node(node)?;
    let socket = PathBuf::from(format!("/run/frr/{daemon}.vty"));
    let process = state.processes.iter().find(|p| p.name == daemon);
    wait::until(START, format!("{daemon} of FRR on node {node} listens"), || {
        let there = state
            .namespaces
            .run(|| socket.exists())
            .map_err(|e| e.to_string())?;
        match process {
            _ if there => Ok(Ok(())),
            Some(p) if !p.id.is_alive() => Ok(Err(Error::Command {
                node: node.to_owned(),
                command: daemon.to_owned(),
                status: "ended".into(),
                output: tail(&p.log),
            })),
            _ => Err(format!("{} is not there", socket.display())),
        }
    })?
}

fn configure(record: &Record, node: &str) -> Result<(), Error> {
    let state = record.node(node)?;
    let done = run::output(state, &["vtysh", "-b"])?;
    let text = [&done.stdout[..], &done.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    if done.status.success() && !text.contains("% Unknown command") {
        return Ok(());
    }
    Err(Error::Command {
        node: node.to_owned(),
        command: "vtysh -b".into(),
        status: done.status.to_string(),
        output: last_lines(&text),
    })
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn only_daemons_that_say_yes_are_started() {
        let text =
            "# comment\nbgpd=yes\nospfd=no\nbfdd=yes\nvtysh_enable=yes\nzebra_options=\"-A 127.0.0.1\"\n";
        assert_eq!(wanted(text), ["bgpd", "bfdd"]);
    }
}
