//! One call of a plugin, as a container runtime makes it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

/// Where the distribution has the reference plugins.
pub const REFERENCE: &str = "/usr/lib/cni";

/// A plugin with its network configuration.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// What it is called in the report.
    pub name: &'static str,
    program: PathBuf,
    config: String,
    lab: String,
}

impl Plugin {
    /// Ours, which stands beside this program.
    pub fn ours(folder: &Path, lab: &str) -> anyhow::Result<Plugin> {
        let here = std::env::current_exe().context("this program has no path")?;
        let program = here.with_file_name("roadbed-cni");
        ensure!(
            program.exists(),
            "{} is missing: build it in the same profile",
            program.display()
        );
        let config = json!({
            "cniVersion": "1.0.0", "name": "pods", "type": "roadbed", "stateDir": folder.join("state"),
        });
        Ok(Plugin {
            name: "roadbed",
            program,
            config: config.to_string(),
            lab: lab.into(),
        })
    }

    /// The reference: a veth pair with a route to it, addresses from files.
    pub fn reference(folder: &Path, lab: &str) -> Plugin {
        let config = json!({
            "cniVersion": "1.0.0", "name": "bench", "type": "ptp", "mtu": 1500,
            "ipam": {
                "type": "host-local", "dataDir": folder.join("host-local"),
                "ranges": [[{ "subnet": "10.1.0.0/16" }]], "routes": [{ "dst": "0.0.0.0/0" }],
            },
        });
        Plugin {
            name: "ptp + host-local",
            program: Path::new(REFERENCE).join("ptp"),
            config: config.to_string(),
            lab: lab.into(),
        }
    }

    /// ADD or DEL for the pod of that number; how long it took from the start of the program to its end.
    pub fn call(&self, verb: &str, pod: usize) -> anyhow::Result<Duration> {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", format!("pod{pod}"))
            .env("CNI_NETNS", format!("/run/netns/{}-p{pod}", self.lab))
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", REFERENCE)
            .env(
                "CNI_ARGS",
                format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod{pod}"),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut stdin = child.stdin.take().context("its input was asked for")?;
        stdin
            .write_all(self.config.as_bytes())
            .context("the plugin does not read its configuration")?;
        drop(stdin);
        let done = child.wait_with_output().context("the plugin was lost")?;
        let took = began.elapsed();
        ensure!(
            done.status.success(),
            "{} {verb} of pod {pod}: {}{}",
            self.name,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(took)
    }
}
