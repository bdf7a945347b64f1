//! How long `add` and `remove` take with 1, 100 and 500 pods on the node, one at a time and 32 at once.
//!
//! Needs root. Everything is in network namespaces that live as long as this process. Each line: the median and
//! the 99th of a hundred, in microseconds, with so many pods present; CPU is that of the process per ADD and DEL
//! together. `cargo run --release -p attach --example speed`.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use attach::{PodLink, add, host_ifname, remove};
use nix::sched::{CloneFlags, unshare};

const ROUNDS: usize = 100;
const AT_ONCE: usize = 32;

/// A network namespace that lives as long as the sender.
fn namespace() -> (PathBuf, mpsc::Sender<()>) {
    let (ready, at) = mpsc::channel();
    let (alive, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("this needs root");
        let path = format!(
            "/proc/{}/task/{}/ns/net",
            std::process::id(),
            nix::unistd::gettid()
        );
        let _ = ready.send(PathBuf::from(path));
        let _ = end.recv();
    });
    (at.recv().expect("the namespace's thread answers"), alive)
}

fn link(netns: PathBuf, n: usize) -> PodLink {
    let container = format!("speed-{n}");
    let v4 = std::net::Ipv4Addr::from(0x0a01_0000 + n as u32 + 1);
    let v6 = std::net::Ipv6Addr::from((0x2001_0db8_0001_u128 << 80) + n as u128 + 1);
    PodLink {
        netns,
        ifname: "eth0".into(),
        host_ifname: host_ifname(&container, "eth0"),
        addresses: vec![v4.into(), v6.into()],
        mtu: 1450,
        mac: None,
        default_route: Default::default(),
        routes: Vec::new(),
        sysctls: Default::default(),
    }
}

/// User and system time of the process, in steps of 10 ms (proc_pid_stat(5), fields 14 and 15).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let fields = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = fields.filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn line(what: &str, present: usize, mut all: Vec<Duration>) {
    all.sort();
    let at = |share: usize| all[(all.len() - 1) * share / 100].as_micros();
    println!(
        "{what:<18} {present:>4} present  p50 {:>6} us  p99 {:>6} us",
        at(50),
        at(99)
    );
}

fn measure(present: usize) {
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    let before = cpu();
    for n in 0..ROUNDS {
        let (netns, _alive) = namespace();
        let wanted = link(netns, 10_000 + n);
        adds.push(timed(|| add(&wanted).expect("add")));
        removes.push(timed(|| remove(&wanted.host_ifname).expect("remove")));
    }
    let spent = (cpu() - before) / ROUNDS as u32;
    line("add", present, adds);
    line("remove", present, removes);
    println!(
        "cpu of both        {present:>4} present  {:>10} us",
        spent.as_micros()
    );
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    let before = cpu();
    for round in 0..4 {
        let pods: Vec<_> = (0..AT_ONCE).map(|_| namespace()).collect();
        let wanted: Vec<PodLink> = (0..AT_ONCE)
            .map(|n| link(pods[n].0.clone(), 20_000 + round * AT_ONCE + n))
            .collect();
        adds.extend(at_once(&wanted, |link| drop(add(link).expect("add"))));
        removes.extend(at_once(&wanted, |link| {
            remove(&link.host_ifname).expect("remove")
        }));
    }
    let spent = (cpu() - before) / (4 * AT_ONCE) as u32;
    line("add, 32 at once", present, adds);
    line("remove, 32 at once", present, removes);
    println!(
        "cpu of both        {present:>4} present  {:>10} us",
        spent.as_micros()
    );
}

fn at_once(links: &[PodLink], work: impl Fn(&PodLink) + Sync) -> Vec<Duration> {
    thread::scope(|scope| {
        let all: Vec<_> = links
            .iter()
            .map(|link| scope.spawn(|| timed(|| work(link))))
            .collect();
        all.into_iter()
            .map(|one| one.join().expect("a worker panicked"))
            .collect()
    })
}

fn main() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this needs root");
    let mut pods = Vec::new();
    for present in [1, 100, 500] {
        while pods.len() < present {
            let (netns, alive) = namespace();
            let wanted = link(netns, pods.len());
            add(&wanted).expect("add");
            pods.push((wanted, alive));
        }
        measure(present);
    }
}
