//! Namespaces, commands and waiting.

use std::fs::File;
use std::future::Future;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tunnel::{
    DesiredTunnels, Device, Family, Handle, Remote, RemoteKey, Settings, VxlanDevice, vtep_gateway, vtep_mac,
};

/// Enough for a loaded machine; nothing waits that long when all is well.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test on a thread with a network namespace of its own, loopback up.
pub fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let _first = Namespace::enter_new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
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
    pub fn enter_new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root: unshare(CLONE_NEWNET)");
        run("ip link set lo up");
        Self::current()
    }

    /// That of the calling thread.
    pub fn current() -> Self {
        Self(File::open("/proc/thread-self/ns/net").unwrap())
    }

    /// Moves the calling thread into it.
    pub fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// A path that `ip link set ... netns` takes.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Runs a command in the thread's namespace; it must succeed.
pub fn run(line: &str) -> String {
    let (ok, text) = attempt(line);
    assert!(ok, "`{line}` failed: {text}");
    text
}

/// Runs a command; whether it succeeded, and what it printed.
pub fn attempt(line: &str) -> (bool, String) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .expect(line);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

/// The JSON that a command prints.
pub fn json(line: &str) -> Value {
    let text = run(line);
    if text.trim().is_empty() {
        Value::Array(Vec::new())
    } else {
        serde_json::from_str(&text).expect(line)
    }
}

/// A link with its details.
pub fn link(name: &str) -> Value {
    json(&format!("ip -d -j link show dev {name}"))[0].clone()
}

/// The (MAC, destination) pairs of a device's forwarding table that are static.
pub fn fdb(device: &str) -> Vec<(String, String)> {
    let rows = rows(&format!("bridge -j fdb show dev {device}"));
    let rows = rows.iter().filter(|row| row["state"] == "permanent");
    rows.map(|row| (text(&row["mac"]), text(&row["dst"]))).collect()
}

/// The (address, MAC) pairs of a device's permanent neighbours.
pub fn neighbours(device: &str) -> Vec<(String, String)> {
    let rows = rows(&format!("ip -j neigh show dev {device} nud permanent"));
    rows.iter()
        .map(|row| (text(&row["dst"]), text(&row["lladdr"])))
        .collect()
}

/// The addresses of a device, as `ip` shows them.
pub fn addresses(device: &str) -> Vec<String> {
    let rows = rows(&format!("ip -j address show dev {device}"));
    let infos = rows
        .iter()
        .filter_map(|row| row["addr_info"].as_array())
        .flatten();
    infos
        .map(|info| format!("{}/{}", text(&info["local"]), info["prefixlen"]))
        .collect()
}

/// The rows of a JSON listing; none if the device is not there.
fn rows(line: &str) -> Vec<Value> {
    let (ok, text) = attempt(line);
    if ok && !text.trim().is_empty() {
        serde_json::from_str(&text).expect(line)
    } else {
        Vec::new()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Waits for a condition.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Publishes and waits until the kernel has it.
pub async fn bring(handle: &Handle, desired: &DesiredTunnels) {
    let generation = handle.publish(desired.clone());
    handle.ready(generation, DEADLINE).await.unwrap();
}

/// What stands in the way of a generation, once it was tried.
pub async fn refusal(handle: &Handle, generation: u64) -> String {
    let mut status = handle.status();
    status
        .wait_for(|status| status.tried >= generation)
        .await
        .unwrap();
    let outcome = handle.ready(generation, Duration::ZERO).await;
    outcome.unwrap_err().to_string()
}

/// An owner that repairs; its audit never comes, so that only notices can cause a repair.
pub fn start() -> Handle {
    tunnel::start(Settings {
        repair: true,
        audit: Duration::from_secs(3600),
        linger: Duration::ZERO,
    })
    .unwrap()
}

/// `rb-vxlan` on node-a.
pub fn device() -> VxlanDevice {
    VxlanDevice {
        vni: tunnel::DEFAULT_VNI,
        port: tunnel::DEFAULT_PORT,
        local: "192.0.2.11".parse().unwrap(),
        mtu: 1450,
        mac: vtep_mac("node-a", Family::Ipv4),
        address: Some("10.244.1.0/32".parse().unwrap()),
    }
}

/// A remote of `node` at `address`.
pub fn remote(node: &str, address: &str) -> (RemoteKey, Remote) {
    let endpoint: IpAddr = address.parse().unwrap();
    let family = Family::from(endpoint);
    let mac = vtep_mac(node, family);
    let gateway = vtep_gateway(endpoint, mac);
    (
        RemoteKey::new(node, family),
        Remote {
            endpoint,
            mac,
            gateway,
        },
    )
}

/// node-a with `rb-vxlan` and a remote node-b.
pub fn desired() -> DesiredTunnels {
    DesiredTunnels {
        vxlan: Some(device()),
        remotes: [remote("node-b", "192.0.2.12")].into(),
        sweep: true,
        ..DesiredTunnels::default()
    }
}

/// The one static entry that node-b's remote gives.
pub fn entry_b() -> Vec<(String, String)> {
    vec![("66:89:3a:22:7a:ac".to_owned(), "192.0.2.12".to_owned())]
}

/// The one neighbour that node-b's remote gives.
pub fn neighbour_b() -> Vec<(String, String)> {
    vec![("192.0.2.12".to_owned(), "66:89:3a:22:7a:ac".to_owned())]
}

/// The index of a device of ours.
pub fn index(device: Device) -> u64 {
    link(device.name())["ifindex"].as_u64().unwrap()
}
