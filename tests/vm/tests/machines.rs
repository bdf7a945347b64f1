//! Machines as such: what their programs print and how they end comes out; deadlines hold; nothing is left.

use std::time::{Duration, Instant};

use vm::{Error, Job, Machine, Outcome, Status};

const DEADLINE: Duration = Duration::from_secs(120);

fn shell(script: &str, deadline: Duration) -> Job {
    Job::new("/bin/sh", deadline)
        .args(["-c", script])
        .guest(env!("CARGO_BIN_EXE_roadbed-vm"))
}

fn run(machine: Machine, job: &Job) -> Result<Outcome, Error> {
    machine.run(job, &mut std::io::sink())
}

/// The machines of this process, by the folders that they are named after; each test has processes of its own.
fn leftovers(unique: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc can be read");
    let lines = entries.filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(unique))
        .collect()
}

#[test]
fn two_side_by_side_have_their_own_words_and_ends() {
    let [first, second] = std::thread::scope(|scope| {
        let start = |script: &'static str| {
            scope.spawn(move || {
                let job = shell(script, DEADLINE)
                    .modules(["ipip"])
                    .env("COLOUR", "blue sky");
                run(Machine::Uml, &job).unwrap_or_else(|e| panic!("{e}"))
            })
        };
        let machines = [
            // What is written stays inside; links of the outside are not seen.
            start(
                "echo \"one $COLOUR\"; echo two >&2; touch /etc/roadbed-vm-test && echo $(ls /sys/class/net); exit 7",
            ),
            start("printf 'no end of line'; kill -9 $$"),
        ];
        machines.map(|machine| machine.join().expect("the thread ends"))
    });
    assert_eq!(first.status, Status::Exited(7), "{}", first.output);
    assert_eq!(first.output, "one blue sky\ntwo\nlo tunl0\n");
    assert!(!std::path::Path::new("/etc/roadbed-vm-test").exists());
    assert_eq!(second.status, Status::Killed(9), "{}", second.output);
    assert_eq!(second.output, "no end of line");
    assert!(first.boot < first.total && second.boot < second.total);
}

#[test]
fn a_deadline_ends_the_machine_with_all_its_processes() {
    // A daemon in a session of its own, and a name that is in no other machine's output.
    let script = "setsid sleep 99 & echo \"in $(sed 's/.*init=//; s/ .*//' /proc/cmdline)\"; sleep 98";
    let started = Instant::now();
    let error =
        run(Machine::Uml, &shell(script, Duration::from_secs(15))).expect_err("it cannot end by itself");
    let Error::Deadline { output, .. } = &error else {
        panic!("{error}");
    };
    assert!(started.elapsed() >= Duration::from_secs(15));
    let init = output.strip_prefix("in ").expect("it came up").trim();
    assert!(init.contains("roadbed-vm-"), "{output}");
    assert_eq!(leftovers(init), Vec::<String>::new());
    assert!(!std::path::Path::new(init).exists(), "{init} is left");
}

#[test]
fn a_program_or_module_that_is_not_there_is_named() {
    let missing = run(Machine::Uml, &Job::new("/no/such/program", DEADLINE)).expect_err("there is none");
    assert!(missing.to_string().contains("/no/such/program"), "{missing}");
    let module =
        run(Machine::Uml, &shell("true", DEADLINE).modules(["no-such-module"])).expect_err("there is none");
    assert!(
        module.to_string().contains("no module no_such_module"),
        "{module}"
    );
}

#[test]
fn the_whole_state_of_wide_processors_is_kept() {
    // The library that stands between user-mode Linux and ptrace where the processor needs it, forced here.
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_roadbed-vm"))
        .args([
            "uml",
            "/bin/sh",
            "-c",
            "awk 'BEGIN { for (i = 0; i < 1000; i++) s += sqrt(i); print int(s) }'",
        ])
        .env("ROADBED_VM_XSTATE", "yes")
        .output()
        .expect("roadbed-vm starts");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(text, "21065\n");
}

/// Slow by nature: one boot, with what user-mode Linux lacks.
#[test]
fn qemu_has_ipip_and_nftables_in_one_kernel() {
    let script = "nft add table inet t && nft list tables; ip -br link show type ipip; exit 7";
    let job = shell(script, 5 * DEADLINE).modules(["ipip", "nf_tables"]);
    let outcome = run(Machine::Qemu, &job).unwrap_or_else(|e| panic!("{e}"));
    println!("up after {:.1?}, off after {:.1?}", outcome.boot, outcome.total);
    assert_eq!(outcome.status, Status::Exited(7), "{}", outcome.output);
    assert!(outcome.output.contains("table inet t\n"), "{}", outcome.output);
    assert!(outcome.output.contains("tunl0"), "{}", outcome.output);
}

#[test]
fn a_kernel_that_panics_is_told_with_its_last_words() {
    let script = "echo before; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; echo after";
    let error = run(Machine::Uml, &shell(script, DEADLINE)).expect_err("the program cannot end");
    let Error::Ended { output, console, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(output, "before");
    assert!(console.contains("sysrq triggered crash"), "{console}");
}
