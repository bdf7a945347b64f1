//! The program leaves nothing behind when it is interrupted, and a kept fabric is removed by `roadbed lab down`.
//! Needs root, FRR and the built programs; without them these tests fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts the demonstration and reads its output up to a line that contains `until`.
fn start(name: &str, until: &str) -> (Child, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_roadbed-demo"))
        .args(["--name", name])
        .env_remove("KEEP")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in output.by_ref().map_while(Result::ok) {
        lines.push(line);
        if lines.last().is_some_and(|l| l.contains(until)) {
            // Goes on reading, so that the program never writes to a closed pipe.
            std::thread::spawn(move || output.for_each(drop));
            break;
        }
    }
    (child, lines)
}

fn traces(name: &str) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir("/run/netns")
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with(name))
        .collect();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(name))
            .map(str::to_owned),
    );
    if Path::new("/run/roadbed-lab").join(name).exists() {
        found.push("its folder".into());
    }
    found
}

fn interrupt(name: &str, signal: &str, at: &str) {
    let name = format!("t{}-{name}", std::process::id());
    let (child, lines) = start(&name, at);
    assert!(lines.last().is_some_and(|l| l.contains(at)), "{lines:#?}");
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let done = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(130), "{errors}");
    assert!(errors.contains("everything was removed"), "{errors}");
    assert_eq!(traces(&name), Vec::<String>::new());
}

#[test]
fn an_interrupt_while_it_comes_up_leaves_nothing() {
    interrupt("early", "-INT", "bringing up");
}

#[test]
fn a_termination_in_the_middle_leaves_nothing() {
    interrupt("middle", "-TERM", "pings between all pairs");
}
