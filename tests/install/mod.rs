//! `roadbed cni install` with the real programs: killed in the middle of a file, before the agent is ready, and told to end.

mod rights;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::{check, cni, eventually, pair, roadbed};

const NETWORK: &str = "net.d/10-roadbed.conflist";

fn arguments(folder: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        "cni".into(),
        "install".into(),
        "--from".into(),
        cni().display().to_string(),
        "--bin-dir".into(),
        path("bin"),
        "--conf-dir".into(),
        path("net.d"),
    ]
}

/// An install whose process is killed by the kernel (SIGXFSZ) when a file grows beyond so many blocks of 512 bytes.
fn killed_after(blocks: u64, folder: &Path) -> Output {
    let script = format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg(roadbed())
        .args(arguments(folder));
    command.output().expect("sh runs")
}

fn install(folder: &Path) -> Output {
    let output = Command::new(roadbed()).args(arguments(folder)).output();
    output.expect("roadbed runs")
}

/// The files that a runtime sees.
fn seen(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for sub in ["bin", "net.d"] {
        let entries = std::fs::read_dir(folder.join(sub))
            .into_iter()
            .flatten()
            .flatten();
        let found = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.extend(
            found
                .filter(|name| !name.starts_with('.'))
                .map(|name| format!("{sub}/{name}")),
        );
    }
    names.sort();
    names
}

#[test]
fn an_install_that_is_killed_leaves_no_half_of_a_file() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    let plugin = std::fs::read(cni()).expect("the plugin");
    for blocks in [0, 1, plugin.len() as u64 / 1024] {
        let killed = killed_after(blocks, folder);
        assert!(!killed.status.success(), "{killed:?}");
        assert_eq!(seen(folder), Vec::<String>::new(), "{blocks} blocks");
    }
    let done = install(folder);
    assert!(done.status.success(), "{done:?}");
    let all = ["bin/roadbed", "bin/roadbed-ipam", NETWORK];
    assert_eq!(seen(folder), all);
    let text = std::fs::read(folder.join(NETWORK)).expect("the network");
    // An older version is in place; the new one does not get through, and the old one is there whole.
    let mut older = plugin.clone();
    older.push(0);
    std::fs::write(folder.join("bin/roadbed-ipam"), &older).expect("written");
    assert!(!killed_after(plugin.len() as u64 / 1024, folder).status.success());
    assert!(std::fs::read(folder.join("bin/roadbed-ipam")).expect("the plugin") == older);
    // The same for the network, which is the last to come.
    std::fs::write(folder.join(NETWORK), "{}").expect("written");
    assert!(install(folder).status.success());
    std::fs::write(folder.join(NETWORK), "{}").expect("written");
    assert!(!killed_after(0, folder).status.success());
    assert_eq!(std::fs::read(folder.join(NETWORK)).expect("the network"), b"{}");
    assert!(install(folder).status.success());
    assert!(std::fs::read(folder.join(NETWORK)).expect("the network") == text);
    assert!(std::fs::read(folder.join("bin/roadbed-ipam")).expect("the plugin") == plugin);
    let left = std::fs::read_dir(folder.join("bin")).expect("the folder").count();
    assert_eq!(left, 2, "nothing is left of the attempts");
}

/// The child ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Tells it to end, and says how it did.
    fn end(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
        eventually("it ends", || {
            let ended = self.0.try_wait().map_err(|error| error.to_string())?;
            ended.map(|status| status.code()).ok_or("it runs on".to_owned())
        })
    }
}

#[test]
fn the_network_is_there_once_the_agent_is_ready() {
    let fabric = pair::wire("install", 1).up_without_agents();
    let folder = TempDir::new().expect("a folder");
    let start = || {
        let program = roadbed().display().to_string();
        let mut words = vec![program];
        words.extend(arguments(folder.path()));
        words.extend(["--wait".to_owned(), "--stay".to_owned()]);
        let words: Vec<&Path> = words.iter().map(Path::new).collect();
        let child = fabric.spawn_with("n1", &words, |command| {
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        });
        Running(child.unwrap_or_else(|error| panic!("{error}")))
    };
    let waits = |running: &mut Running| {
        let stderr = running.0.stderr.take().expect("it is piped");
        let (mut stderr, mut line) = (BufReader::new(stderr), String::new());
        stderr.read_line(&mut line).expect("it says something");
        assert!(line.contains("waiting"), "{line}");
        // Kept open: it says more.
        stderr
    };
    // Told to end while it waits: there is no network.
    let mut waiting = start();
    let open = waits(&mut waiting);
    assert_eq!(waiting.end(), Some(1));
    drop(open);
    assert_eq!(seen(folder.path()), ["bin/roadbed", "bin/roadbed-ipam"]);

    let mut waiting = start();
    let _open = waits(&mut waiting);
    fabric.start_agent("n1").expect("the agent starts");
    let network = folder.path().join(NETWORK);
    eventually("the network is there", || {
        check(network.exists(), || format!("{:?}", seen(folder.path())))
    });
    assert_eq!(waiting.end(), Some(0));
    assert!(network.exists(), "it stays when its installer ends");
}
