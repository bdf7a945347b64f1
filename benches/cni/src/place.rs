//! The place of the measurement: a node with the agent, its state on a real disk, and the namespaces of pods. This program is
//! started again inside the node, so that what is timed begins and ends there.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use lab::{Lab, Options};

use crate::Args;
use crate::plugin::REFERENCE;

/// Namespaces of pods under `/run/netns`, removed with the value.
struct Pods {
    names: Vec<String>,
}

impl Pods {
    fn new(lab: &str, count: usize) -> anyhow::Result<Pods> {
        let mut pods = Pods { names: Vec::new() };
        for n in 0..count {
            let name = format!("{lab}-p{n}");
            ensure!(ip(&["netns", "add", &name])?, "cannot make the namespace {name}");
            pods.names.push(name);
        }
        Ok(pods)
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        for name in &self.names {
            // What went wrong before is what is reported.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<bool> {
    let status = Command::new("ip")
        .args(arguments)
        .status()
        .context("cannot run ip")?;
    Ok(status.success())
}

/// Makes the place, measures in it, takes it down.
pub fn run(args: &Args) -> anyhow::Result<()> {
    for plugin in ["ptp", "host-local"] {
        let path = Path::new(REFERENCE).join(plugin);
        ensure!(
            path.exists(),
            "{} is missing: run scripts/install-deps bench",
            path.display()
        );
    }
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    write(folder.path())?;
    let options = Options {
        name: Some(format!("bench-cni-{}", std::process::id())),
        ..Options::default()
    };
    let lab = Lab::up(folder.path().join("node.clab.yml"), &options)?;
    let pods = Pods::new(&lab.name(), args.pods.max(64))?;
    lab::wait::until(std::time::Duration::from_secs(30), "the node is ready", || {
        let status = lab.roadbed_json("n1", &["status"]).map_err(|e| e.to_string())?;
        if status["ready"] == true {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })?;
    let agent = agent(&lab)?;
    let program = std::env::current_exe().context("this program has no path")?;
    let mut words = vec![
        program.display().to_string(),
        format!("--inside={}", folder.path().display()),
        format!("--agent={agent}"),
        format!("--lab={}", lab.name()),
        format!("--pods={}", args.pods),
    ];
    words.extend(args.quick.then(|| "--quick".to_owned()));
    let mut inside = lab.spawn_with("n1", &words, |command| {
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    })?;
    let done = inside.wait().context("the measurement was lost")?;
    drop(pods);
    lab.down()?;
    ensure!(done.success(), "the measurement failed: {done}");
    Ok(())
}

fn write(folder: &Path) -> anyhow::Result<()> {
    let state = folder.join("state");
    let files = [
        (
            "node.clab.yml",
            "name: bench\ntopology:\n  nodes:\n    n1:\n      kind: roadbed\n      startup-config: agent.yaml\n      \
             binds: [\"resources.yaml:/etc/roadbed/resources.yaml\"]\n      exec: [\"ip addr add 192.0.2.11/24 dev eth1\"]\n    \
             wire: { kind: linux }\n  links:\n    - endpoints: [\"n1:eth1\", \"wire:eth1\"]\n"
                .to_owned(),
        ),
        (
            "agent.yaml",
            format!(
                "datastore: {{ kind: file, path: /etc/roadbed/resources.yaml }}\nstateDir: {}\n",
                state.display()
            ),
        ),
        (
            "resources.yaml",
            "apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n---\n\
             apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: n1 }\n\
             spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.0.0/20] }\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    std::fs::create_dir(&state).context("cannot make the agent's folder")?;
    Ok(())
}

/// The agent of the node.
fn agent(lab: &Lab) -> anyhow::Result<i32> {
    let node = lab.inspect()?.into_iter().find(|node| node.name == "n1");
    let process = node.and_then(|node| node.processes.into_iter().next());
    Ok(process.context("the node has no agent")?.pid)
}
