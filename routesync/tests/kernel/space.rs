//! A network namespace for one test, with two veth pairs in it, and small helpers.

use std::{
    future::Future,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, unshare};
use routesync::{
    DesiredFib, DesiredNexthops, DesiredRoute, Handle, Hop, Metric, NexthopSet, RouteKey, Settings,
    SyncStatus,
};

/// Long enough for a loaded machine; waiting ends as soon as the condition holds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the test on a thread of its own in a new network namespace; what it leaves behind vanishes with it.
///
/// There are `eth0` (192.0.2.1/24, 2001:db8::1/64) and `eth1` (198.51.100.1/24, 2001:db8:1::1/64), each with its peer
/// (`peer0`, `peer1`) in the same namespace.
pub fn in_namespace<F, T>(test: F)
where
    F: FnOnce() -> T + Send + 'static,
    T: Future<Output = ()>,
{
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace (root needed)");
        ip("link set lo up");
        for (number, v4, v6) in [
            (0, "192.0.2.1/24", "2001:db8::1/64"),
            (1, "198.51.100.1/24", "2001:db8:1::1/64"),
        ] {
            ip(&format!("link add eth{number} type veth peer name peer{number}"));
            ip(&format!("link set eth{number} up"));
            ip(&format!("link set peer{number} up"));
            ip(&format!("addr add {v4} dev eth{number}"));
            ip(&format!("-6 addr add {v6} dev eth{number} nodad"));
        }
        // Carrier comes a moment after "up".
        while ip("-brief link show").contains("DOWN") {
            std::thread::sleep(Duration::from_millis(1));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these arguments in the namespace of this thread; what it prints.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2 is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The routes of a destination in the main table as `ip` shows them, joined by `|`.
pub fn shown(destination: &str) -> String {
    let family = if destination.contains(':') { "-6" } else { "-4" };
    let text = ip(&format!("{family} route show exact {destination}"));
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join(" | ")
}

/// How many routes carry our protocol number, both families.
pub fn ours() -> usize {
    let count = |family: &str| {
        ip(&format!("{family} route show table all proto 82"))
            .lines()
            .filter(|l| !l.starts_with('\t'))
            .count()
    };
    count("-4") + count("-6")
}

pub fn key(destination: &str, metric: u32) -> RouteKey {
    RouteKey::main(destination.parse().unwrap(), Metric(metric))
}

pub fn via(gateway: &str, interface: &str) -> DesiredRoute {
    DesiredRoute::forward(vec![hop(Some(gateway), interface)])
}

pub fn hop(gateway: Option<&str>, interface: &str) -> Hop {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Hop {
        gateway,
        interface: interface.into(),
        onlink: false,
        weight: 1,
    }
}

pub fn fib(routes: impl IntoIterator<Item = (RouteKey, DesiredRoute)>, sweep: bool) -> DesiredFib {
    DesiredFib {
        routes: routes.into_iter().collect(),
        sweep,
    }
}

/// A route over the set of that name.
pub fn over(set: &str) -> DesiredRoute {
    DesiredRoute::via(set.into())
}

/// Sets of hops by name.
pub fn sets<'a>(sets: impl IntoIterator<Item = (&'a str, Vec<Hop>)>) -> DesiredNexthops {
    let sets = sets.into_iter();
    DesiredNexthops {
        sets: sets
            .map(|(name, hops)| (name.into(), NexthopSet::of(hops)))
            .collect(),
    }
}

/// Our nexthop objects as `ip` shows them, one a line.
pub fn objects() -> Vec<String> {
    let text = ip("nexthop show proto 82");
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// `ip monitor` of routes and nexthop objects in this namespace; it ends with the value.
pub struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    marks: u8,
}

impl Watch {
    pub async fn start() -> Self {
        let mut child = Command::new("ip")
            .args(["-o", "monitor", "route", "nexthop"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("iproute2 is installed");
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        let mut watch = Watch {
            child,
            lines,
            marks: 0,
        };
        // It listens once it tells of something; the first marks may be too early.
        let start = Instant::now();
        while watch.lines.lock().unwrap().is_empty() {
            assert!(start.elapsed() < PATIENCE, "ip monitor is silent");
            watch.mark();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watch.seen().await;
        watch
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        ip(&format!(
            "route replace blackhole 203.0.113.{} proto static",
            self.marks
        ));
        format!("203.0.113.{} ", self.marks)
    }

    /// All that happened since the last call.
    pub async fn seen(&mut self) -> Vec<String> {
        let (mark, mut seen) = (self.mark(), Vec::new());
        let start = Instant::now();
        loop {
            let before = std::mem::take(&mut *self.lines.lock().unwrap());
            let done = before.iter().any(|line| line.contains(&mark));
            seen.extend(before.into_iter().filter(|line| !line.contains("203.0.113.")));
            if done {
                return seen;
            }
            assert!(start.elapsed() < PATIENCE, "ip monitor does not show {mark}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

pub fn start() -> Handle {
    routesync::start(Settings::default()).unwrap()
}

/// Publishes and waits until it was carried out, successfully or not.
pub async fn publish(handle: &Handle, wish: DesiredFib) -> SyncStatus {
    let generation = handle.publish(wish);
    status_where(handle, move |status| status.in_sync_with >= generation).await
}

/// Publishes and waits until all of it is in the kernel.
pub async fn install(handle: &Handle, wish: DesiredFib) -> SyncStatus {
    let generation = handle.publish(wish);
    status_where(handle, move |s| {
        s.in_sync_with >= generation && s.installed == s.wanted && s.failed.is_empty()
    })
    .await
}

pub async fn status_where(handle: &Handle, condition: impl Fn(&SyncStatus) -> bool) -> SyncStatus {
    let mut status = handle.status();
    match tokio::time::timeout(PATIENCE, status.wait_for(|status| condition(status))).await {
        Ok(found) => (**found.expect("the task runs")).clone(),
        Err(_) => panic!(
            "the status never became what was expected: {:#?}",
            handle.status().borrow()
        ),
    }
}

/// Waits until `ip` shows the destination as expected; how long that took.
pub async fn until_shown(destination: &str, expected: impl Fn(&str) -> bool) -> Duration {
    let start = Instant::now();
    loop {
        let now = shown(destination);
        if expected(&now) {
            return start.elapsed();
        }
        assert!(start.elapsed() < PATIENCE, "{destination} is still {now:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
