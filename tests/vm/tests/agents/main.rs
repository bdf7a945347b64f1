//! A cluster with `ipipMode: CrossSubnet` for real: agents, BGP sessions, pods plugged in by the CNI plugin, and
//! packets between pods of two racks.
//!
//! The test of `inside` is ignored where it is listed: the others run it in machines, without nftables and with it, or right
//! here where this kernel has IPIP. The programs `roadbed` and `roadbed-cni` are those that cargo built beside this one.

mod inside;

use std::process::{Command, Stdio};
use std::time::Duration;

use vm::{Job, Machine, Need, Place, where_has};

/// Far more than it takes: 15 s in user-mode Linux, a minute under emulation.
const DEADLINE: Duration = Duration::from_secs(600);

/// The programs under test, where somebody names others than those beside this one.
const PROGRAMS: [&str; 2] = ["ROADBED_BIN", "ROADBED_CNI_BIN"];

#[test]
fn agents_on_a_kernel_with_ipip() {
    run(&[Need::Ipip]);
}

/// Slow where it takes an emulated machine: a minute or two.
#[test]
fn agents_on_a_kernel_with_ipip_and_nftables() {
    run(&[Need::Ipip, Need::Nftables]);
}

fn run(needs: &[Need]) {
    let own = std::env::current_exe().expect("a running program has a path");
    let arguments = ["--ignored", "--nocapture", "--color=never", "inside::"];
    let (success, output) = match where_has(needs) {
        Place::Here => {
            let done = Command::new(own)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .expect("it starts");
            let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
            (done.status.success(), text.into_owned())
        }
        Place::In(machine) => in_machine(machine, needs, &own, &arguments),
    };
    println!("{output}");
    assert!(success, "the test of `inside` failed; what it printed is above");
    assert!(
        output.contains("1 passed; 0 failed"),
        "the test of `inside` did not run"
    );
}

fn in_machine(machine: Machine, needs: &[Need], own: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut job = Job::new(own, DEADLINE)
        .args(arguments.iter().copied())
        .modules(needs.iter().flat_map(|need| need.modules()).copied())
        .modules(["vxlan", "veth", "bridge"])
        .guest(env!("CARGO_BIN_EXE_roadbed-vm"));
    for name in PROGRAMS {
        if let Ok(path) = std::env::var(name) {
            job = job.env(name, &path);
        }
    }
    let outcome = machine
        .run(&job, &mut std::io::sink())
        .unwrap_or_else(|e| panic!("{e}"));
    println!(
        "{} up after {:.1?}, off after {:.1?}",
        machine.name(),
        outcome.boot,
        outcome.total
    );
    (outcome.status.success(), outcome.output)
}
