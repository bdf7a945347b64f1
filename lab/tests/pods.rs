//! How the lab plays a container runtime: what it hands to the CNI plugin, that it comes back after "try again
//! later", and how agents are ended and started. Plugin and agent are stand-ins of a few lines.
//! Needs root; without it these tests fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Lab, Options};

/// Listens where an agent listens. The agent's file is one that the topology gave it.
const AGENT: &str = r#"#!/usr/bin/perl
use IO::Socket::UNIX;
$ARGV[0] eq "agent" && $ARGV[1] eq "--config" && -e $ARGV[2] or die "usage: @ARGV";
unlink "/run/roadbed/agent.sock";
my $socket = IO::Socket::UNIX->new(Local => "/run/roadbed/agent.sock", Listen => 5) or die "listen: $!";
while (my $client = $socket->accept()) { close $client }
"#;

/// Notes what it is given; says "later" the first time.
const PLUGIN: &str = r#"#!/bin/sh
log=$(dirname "$0")/calls
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $(hostname) $(cat)" >> "$log"
if [ "$(wc -l < "$log")" = 1 ]; then
  echo '{"cniVersion":"1.0.0","code":11,"msg":"not yet"}'
  exit 1
fi
[ "$CNI_COMMAND" = DEL ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.244.1.7/32"}]}'
"#;

const TOPOLOGY: &str = "
name: p
topology:
  nodes:
    n: { kind: roadbed, startup-config: agent.yaml }
    p: { kind: linux, labels: { roadbed.dev/pod-on: n, roadbed.dev/pod-name: web }, exec: [ip link set lo up] }
";

fn program(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn pods_are_plugged_in_and_out_as_a_runtime_does_it() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("t{}-pods", std::process::id());
    let options = Options {
        name: Some(name.clone()),
        roadbed_bin: Some(program(dir.path(), "roadbed", AGENT)),
        cni_bin: Some(program(dir.path(), "roadbed-cni", PLUGIN)),
        without_agents: false,
    };
    std::fs::write(dir.path().join("agent.yaml"), "nodeName: n\n").unwrap();
    std::fs::write(dir.path().join("p.clab.yml"), TOPOLOGY).unwrap();
    let lab = Lab::up(dir.path().join("p.clab.yml"), &options).unwrap();
    assert_eq!(lab.pod_address("p").unwrap().to_string(), "10.244.1.7");

    lab.kill_agent("n").unwrap();
    assert!(
        lab.kill_agent("n")
            .unwrap_err()
            .to_string()
            .contains("does not run")
    );
    lab.start_agent("n").unwrap();
    lab.wait_agent("n", Duration::from_secs(10)).unwrap();
    assert!(
        lab.start_agent("n")
            .unwrap_err()
            .to_string()
            .contains("runs already")
    );
    lab.stop_agent("n").unwrap();
    lab.start_agent("n").unwrap();
    lab.wait_agent("n", Duration::from_secs(10)).unwrap();

    assert_eq!(lab.down().unwrap(), Vec::<String>::new());
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    let lines: Vec<&str> = calls.lines().collect();
    assert_eq!(lines.len(), 3, "{calls}");
    let network = r#""cniVersion":"1.0.0""#;
    for (line, verb) in lines.iter().zip(["ADD", "ADD", "DEL"]) {
        let start = format!(
            "{verb} {name}-p /run/netns/{name}-p eth0 IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web n "
        );
        assert!(
            line.starts_with(&start) && line.contains(network),
            "{line}\nwanted {start}"
        );
        assert_eq!(line.contains("prevResult"), verb == "DEL", "{line}");
    }
}
