//! Namespaces, commands and waiting, inside.

use std::fs::File;
use std::future::Future;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tunnel::{DesiredTunnels, Handle, IpipDevice, Settings};

/// Enough for an emulated processor.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a test on a thread with a network namespace of its own, loopback up.
pub fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let _first = Namespace::enter_new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let finished = tokio::time::timeout(3 * DEADLINE, test()).await;
            finished.expect("the test waits for something that does not come");
        });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A network namespace without a name; it lives as long as a process, socket or this file is in it.
pub struct Namespace(File);

impl Namespace {
    /// Makes one and moves the calling thread into it.
    pub fn enter_new() -> Namespace {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root: unshare(CLONE_NEWNET)");
        run("ip link set lo up");
        Namespace::current()
    }

    /// That of the calling thread.
    pub fn current() -> Namespace {
        Namespace(File::open("/proc/thread-self/ns/net").expect("the thread has a namespace"))
    }

    /// Moves the calling thread into it.
    pub fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("it can be entered");
    }

    /// A path that `ip link set ... netns` takes.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Runs a command in the thread's namespace; it must succeed.
#[track_caller]
pub fn run(line: &str) -> String {
    let (ok, text) = attempt(line);
    assert!(ok, "`{line}` failed: {text}");
    text
}

/// Runs a command; whether it succeeded, and what it printed.
pub fn attempt(line: &str) -> (bool, String) {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    let output = command.args(words).output().expect(line);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

/// A link with its details; null where there is none.
pub fn link(name: &str) -> Value {
    let (ok, text) = attempt(&format!("ip -d -s -j link show dev {name}"));
    if !ok {
        return Value::Null;
    }
    let links: Value = serde_json::from_str(&text).expect("ip prints JSON");
    links[0].clone()
}

/// The index of a link.
pub fn index(name: &str) -> u64 {
    link(name)["ifindex"]
        .as_u64()
        .unwrap_or_else(|| panic!("there is no {name}"))
}

/// Packets that a link has received.
pub fn received(name: &str) -> u64 {
    link(name)["stats64"]["rx"]["packets"]
        .as_u64()
        .expect("a counter")
}

/// Waits for a condition.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// An owner that repairs.
pub fn start() -> Handle {
    tunnel::start(Settings::default()).expect("netlink sockets can be opened")
}

/// Publishes and waits until the kernel has it.
pub async fn bring(handle: &Handle, desired: &DesiredTunnels) {
    let generation = handle.publish(desired.clone());
    if let Err(error) = handle.ready(generation, DEADLINE).await {
        panic!("{error}");
    }
}

/// `rb-ipip` alone, with this local end and own pod address.
pub fn ipip(local: &str, pod: &str, mtu: u32) -> DesiredTunnels {
    DesiredTunnels {
        ipip: Some(IpipDevice {
            local: local.parse().expect("an address"),
            mtu,
            address: Some(format!("{pod}/32").parse().expect("a prefix")),
        }),
        sweep: true,
        ..DesiredTunnels::default()
    }
}
