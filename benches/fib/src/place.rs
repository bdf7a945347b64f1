//! Network namespaces for one router and its feeder, joined by a veth pair; gone with the value.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow, ensure};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

/// The router's address on the wire; `fd00:b::11` is its IPv6 one.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
/// The feeder's address; `fd00:b::1` is its IPv6 one.
pub const FEEDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The router's link.
pub const LINK: &str = "eth1";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Whose name begins so is of a benchmark; its process number follows.
const MARK: &str = "benchfib-";

/// Ends what a benchmark that was killed has left behind: its namespaces and folders carry its process number.
pub fn sweep() -> anyhow::Result<()> {
    sweep_of(|owner| !std::path::Path::new(&format!("/proc/{owner}")).exists())
}

/// Cleans up on SIGINT and SIGTERM, on which nothing is dropped. Call it before there are other threads.
pub fn sweep_when_told_to_end() -> anyhow::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("cannot block signals")?;
    std::thread::spawn(move || {
        let told = signals.wait();
        let swept = sweep_of(|owner| owner == std::process::id());
        eprintln!("told to end: {told:?}, {swept:?}");
        std::process::exit(1);
    });
    Ok(())
}

/// A folder that a later run removes where this one cannot.
pub fn folder() -> anyhow::Result<tempfile::TempDir> {
    let prefix = format!("{MARK}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
    folder.context("cannot make a folder")
}

/// The process number in the name of something of a benchmark.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(MARK)?.split('-').next()?.parse().ok()
}

fn sweep_of(whose: impl Fn(u32) -> bool) -> anyhow::Result<()> {
    for line in ip("netns list")?.lines() {
        let Some(name) = line.split_whitespace().next() else {
            continue;
        };
        if !owner(name).is_some_and(&whose) {
            continue;
        }
        eprintln!("removing {name}, left by a benchmark that was killed");
        for pid in ip(&format!("netns pids {name}"))?.split_whitespace() {
            if let Ok(pid) = pid.parse() {
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        ip(&format!("netns del {name}"))?;
    }
    for entry in std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_str().and_then(owner).is_some_and(&whose) {
            // Its programs may still write there; then the next run removes it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Two namespaces and the wire between them.
#[derive(Debug)]
pub struct Place {
    router: String,
    feeder: String,
}

impl Place {
    /// Makes the namespaces, with addresses of both families.
    pub fn new(what: &str) -> anyhow::Result<Place> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = format!("{MARK}{}-{number}-{what}", std::process::id());
        let place = Place {
            router: format!("{base}-r"),
            feeder: format!("{base}-f"),
        };
        for name in [&place.router, &place.feeder] {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        ip(&format!(
            "link add {LINK} netns {} type veth peer name {LINK} netns {}",
            place.router, place.feeder
        ))?;
        for (name, v4, v6) in [
            (&place.router, ROUTER, "fd00:b::11"),
            (&place.feeder, FEEDER, "fd00:b::1"),
        ] {
            ip(&format!("-n {name} addr add {v4}/24 dev {LINK}"))?;
            ip(&format!("-n {name} addr add {v6}/64 dev {LINK} nodad"))?;
            ip(&format!("-n {name} link set {LINK} up"))?;
        }
        Ok(place)
    }

    /// What the kernel tells readers of routes over nexthop objects: with their hops (as by default), or only the object's number.
    pub fn set_compat(&self, on: bool) -> anyhow::Result<()> {
        self.at_router(move || {
            let value = if on { "1" } else { "0" };
            std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", value).context("no nexthop_compat_mode")
        })
    }

    /// Runs something in the router's namespace, on a thread made for it.
    pub fn at_router<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        inside(&self.router, work)
    }

    /// Runs something in the feeder's namespace, on a thread made for it.
    pub fn at_feeder<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        inside(&self.feeder, work)
    }

    /// The number of the router's link.
    pub fn link_index(&self) -> anyhow::Result<u32> {
        let text = ip(&format!("-n {} -o link show {LINK}", self.router))?;
        let number = text
            .split(':')
            .next()
            .and_then(|number| number.trim().parse().ok());
        number.with_context(|| format!("ip printed no interface number: {text}"))
    }

    /// Starts a program in the router's namespace; its words go to the file.
    pub fn start(&self, argv: &[&str], log: &std::path::Path) -> anyhow::Result<Program> {
        let log = std::fs::File::create(log).context("cannot make a log file")?;
        let child = Command::new("ip")
            .args(["netns", "exec", &self.router])
            .args(argv)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", argv.join(" ")))?;
        Ok(Program(child))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in [&self.router, &self.feeder] {
            // What went wrong before is what is reported.
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// A program in the foreground, ended with the value. `ip netns exec` becomes the program, so the number is the program's.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// The process number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn inside<T: Send>(name: &str, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let path = format!("/run/netns/{name}");
    let file = std::fs::File::open(&path).with_context(|| format!("cannot open {path}"))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")?;
            work()
        });
        thread
            .join()
            .map_err(|_| anyhow!("a thread of the benchmark panicked"))?
    })
}

fn ip(arguments: &str) -> anyhow::Result<String> {
    let done = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .context("cannot run ip")?;
    let error = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "ip {arguments}: {error}");
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
