//! The reference plugin `host-local` (containernetworking-plugins), started for each call as a runtime starts it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The plugin with a data folder of its own.
pub struct HostLocal {
    program: PathBuf,
    config: String,
}

impl HostLocal {
    /// The plugin of the distribution, which keeps its addresses under `folder`.
    ///
    /// # Panics
    /// Where it is not installed.
    pub fn new(folder: &Path) -> Self {
        let program = PathBuf::from("/usr/lib/cni/host-local");
        assert!(
            program.exists(),
            "{} is missing: scripts/install-deps bench",
            program.display()
        );
        let config = serde_json::json!({
            "cniVersion": "1.0.0",
            "name": "bench",
            "type": "bridge",
            "ipam": {
                "type": "host-local",
                "dataDir": folder,
                "ranges": [[{ "subnet": "10.1.0.0/16" }]],
            },
        });
        HostLocal {
            program,
            config: config.to_string(),
        }
    }

    /// ADD or DEL for a container.
    pub fn call(&self, verb: &str, container: &str) {
        run(&self.program, verb, container, &self.config);
    }
}

/// Starts a CNI plugin once and waits for its end.
///
/// # Panics
/// Where it fails.
pub fn run(program: &Path, verb: &str, container: &str, config: &str) {
    let mut child = Command::new(program)
        .env_clear()
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", container)
        .env("CNI_NETNS", "/proc/self/ns/net")
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", "/usr/lib/cni")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", program.display()));
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin
        .write_all(config.as_bytes())
        .expect("the plugin reads its configuration");
    drop(stdin);
    let output = child.wait_with_output().expect("the plugin ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{} {verb}: {text}", program.display());
}
