//! IPIP for real: the devices that the crate `tunnel` makes, and packets through them.
//!
//! The tests of `inside` are ignored where they are listed: `ipip_on_a_kernel_that_has_it` runs all of them at once, in
//! one machine, or right here where this kernel has IPIP. By hand, on a kernel that has it: `--ignored inside`.

mod inside;
mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use vm::{Job, Need, Place, where_has};

/// Far more than it takes: some 6 s.
const DEADLINE: Duration = Duration::from_secs(180);

/// As many as `inside` has: a filter that matches nothing must not pass for success.
const TESTS: usize = 10;

#[test]
fn ipip_on_a_kernel_that_has_it() {
    let own = std::env::current_exe().expect("a running program has a path");
    let arguments = ["--ignored", "--test-threads=4", "--color=never", "inside::"];
    let (success, output) = match where_has(&[Need::Ipip]) {
        Place::Here => {
            let done = Command::new(own)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .expect("it starts");
            (
                done.status.success(),
                String::from_utf8_lossy(&done.stdout).into_owned(),
            )
        }
        Place::In(machine) => {
            let job = Job::new(own, DEADLINE)
                .args(arguments)
                .modules(Need::Ipip.modules().iter().copied().chain(["veth", "vxlan"]))
                .guest(env!("CARGO_BIN_EXE_roadbed-vm"));
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
    };
    println!("{output}");
    assert!(success, "tests of `inside` failed; what they printed is above");
    assert!(
        output.contains(&format!("{TESTS} passed; 0 failed")),
        "not all tests of `inside` ran"
    );
}
