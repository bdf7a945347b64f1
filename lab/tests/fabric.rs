//! A small lab for real: two FRR routers, two hosts; up, talking, down, and nothing left behind.
//! Needs root and FRR; without them these tests fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Lab, Options, wait};

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small/small.clab.yml")
}

/// Everything of this lab's that is visible on the machine.
fn traces(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for dir in ["/run/netns", "/run/roadbed-lab"] {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let names = entries.map(|e| e.path().display().to_string());
        found.extend(names.filter(|path| path.contains(name)));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(name))
            .map(str::to_owned),
    );
    found
}

fn alive(pid: i32) -> bool {
    lab::kernel::process::ProcessId::of(pid).is_some()
}

#[test]
fn routers_route_between_hosts_and_nothing_stays_behind() {
    let name = format!("t{}-small", std::process::id());
    let lab = Lab::up(small(), &Options::named(&name)).unwrap();

    wait::until(Duration::from_secs(20), "the route of the other router", || {
        let routes = lab
            .exec_ok("r1", &["ip", "route", "show", "203.0.113.0/24"])
            .map_err(|e| e.to_string())?;
        if routes.contains("via 192.0.2.2") {
            Ok(())
        } else {
            Err(format!("{routes:?}"))
        }
    })
    .unwrap();
    // The far router may still be a moment behind: it needs the way back.
    wait::until(Duration::from_secs(20), "an answer from the other host", || {
        lab.exec_ok("h1", &["ping", "-c", "1", "-W", "1", "203.0.113.10"])
            .map_err(|e| e.to_string())
    })
    .unwrap();
    assert!(
        lab.exec_ok("r2", &["vtysh", "-c", "show bgp summary"])
            .unwrap()
            .contains("192.0.2.1")
    );

    // Standard paths, private to the node; the machine's own are untouched.
    assert_eq!(lab.exec_ok("h1", &["hostname"]).unwrap().trim(), "h1");
    lab.exec_ok(
        "h1",
        &[
            "sh",
            "-c",
            "echo x > /etc/roadbed-lab-test && mkdir /var/lib/roadbed-lab-test",
        ],
    )
    .unwrap();
    assert!(!Path::new("/etc/roadbed-lab-test").exists() && !Path::new("/var/lib/roadbed-lab-test").exists());
    assert!(
        !lab.exec("h2", &["test", "-e", "/etc/roadbed-lab-test"])
            .unwrap()
            .status
            .success()
    );
    assert_eq!(
        lab.exec_ok("h1", &["sh", "-c", "echo $COLOUR"]).unwrap().trim(),
        "green"
    );
    assert_eq!(
        lab.exec_ok("h1", &["cat", "/sys/class/net/eth1/mtu"])
            .unwrap()
            .trim(),
        "1400"
    );
    assert_eq!(
        lab.exec_ok("h1", &["cat", "/proc/sys/net/ipv4/ip_default_ttl"])
            .unwrap()
            .trim(),
        "61"
    );

    let report = lab.inspect().unwrap();
    assert!(report.iter().all(|n| n.state == "up"), "{report:#?}");
    let pids: Vec<i32> = report.iter().flat_map(|n| &n.processes).map(|p| p.pid).collect();
    assert!(
        pids.len() >= 5,
        "two times zebra and bgpd, and the cmd: {report:#?}"
    );
    assert!(
        report
            .iter()
            .any(|n| n.addresses.iter().any(|a| a == "eth1 198.51.100.10/24")),
        "{report:#?}"
    );

    // A process that the record does not know goes with the lab too.
    let mut stray = lab.spawn("h2", &["sleep", "3600"]).unwrap();
    let second = Lab::find(&name).unwrap().expect("the record is on disk");
    lab.leave();
    assert_eq!(second.down().unwrap(), Vec::<String>::new());
    assert!(stray.try_wait().unwrap().is_some(), "the stray process is alive");
    assert!(pids.iter().all(|pid| !alive(*pid)), "daemons are alive");
    assert_eq!(traces(&name), Vec::<String>::new());
    assert!(Lab::find(&name).unwrap().is_none());
}

#[test]
fn a_failing_command_is_named_and_the_half_made_lab_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("t{}-half", std::process::id());
    let text = "name: half\ntopology:\n  nodes:\n    h1: { kind: linux, cmd: sleep 3600, exec: ['ip link show eth1', 'ip link show eth9'] }\n    \
                h2: { kind: linux }\n  links:\n    - endpoints: ['h1:eth1', 'h2:eth1']\n";
    let file = dir.path().join("half.clab.yml");
    std::fs::write(&file, text).unwrap();
    let error = Lab::up(&file, &Options::named(&name)).unwrap_err().to_string();
    assert!(
        error.contains("node h1: `ip link show eth9` failed") && error.contains("does not exist"),
        "{error}"
    );
    assert_eq!(traces(&name), Vec::<String>::new());
}

#[test]
fn a_line_that_frr_does_not_know_fails_the_lab() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("t{}-frr", std::process::id());
    std::fs::write(
        dir.path().join("frr.conf"),
        "router bgp 65001\n neighbour 192.0.2.1 remote-as 65002\n",
    )
    .unwrap();
    let file = dir.path().join("frr.clab.yml");
    std::fs::write(
        &file,
        "name: f\ntopology:\n  nodes:\n    r: { kind: frr, startup-config: frr.conf }\n",
    )
    .unwrap();
    let error = Lab::up(&file, &Options::named(&name)).unwrap_err().to_string();
    assert!(error.contains("neighbour"), "{error}");
    assert_eq!(traces(&name), Vec::<String>::new());
}

#[test]
fn dropping_a_lab_takes_it_down_and_a_name_is_used_once() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("t{}-drop", std::process::id());
    let file = dir.path().join("drop.clab.yml");
    std::fs::write(&file, "name: d\ntopology:\n  nodes:\n    h: { kind: linux }\n").unwrap();
    let lab = Lab::up(&file, &Options::named(&name)).unwrap();
    let again = Lab::up(&file, &Options::named(&name)).unwrap_err().to_string();
    assert!(again.contains("is up already"), "{again}");
    assert!(
        lab.in_namespace("h", || std::fs::read_to_string("/proc/thread-self/net/dev")
            .unwrap())
            .unwrap()
            .contains("lo:")
    );
    drop(lab);
    assert_eq!(traces(&name), Vec::<String>::new());
}
