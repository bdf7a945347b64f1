//! What a containerd leaves when it could not remove its sandboxes: shims, containers' processes, mounts, network
//! namespaces, cgroups. Each is known by something that only this containerd has: its socket, its cgroup, its
//! folder, its mount namespace.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::{Place, hierarchies};

/// How long processes may take to end.
const END: Duration = Duration::from_secs(10);

/// The network namespaces of sandboxes that are held on the node and nowhere else on the machine.
fn sandbox_namespaces(node: &[PathBuf]) -> Vec<PathBuf> {
    let machine = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let machine = mount_points(&machine);
    let of_sandbox = |path: &&PathBuf| path.to_string_lossy().contains("/netns/cni-");
    let held = node.iter().filter(of_sandbox);
    held.filter(|path| !machine.contains(path)).cloned().collect()
}

/// Waits for the end of a process that was asked to end.
pub(crate) fn ended(child: &mut Child) -> bool {
    until(|| !matches!(child.try_wait(), Ok(None)))
}

/// Removes what is left.
pub(crate) fn sweep(place: &Place, socket: &Path, cgroup: &str, dir: &Path) {
    // Shims first: they would tell nobody of the end of their containers.
    end_all(&shims(socket));
    let folders: Vec<PathBuf> = hierarchies()
        .unwrap_or_default()
        .into_iter()
        .map(|h| h.dir.join(cgroup.trim_start_matches('/')))
        .filter(|folder| folder.is_dir())
        .collect();
    let inside: Vec<i32> = folders.iter().flat_map(|folder| members(folder)).collect();
    end_all(&inside);
    let table = place.run(&["cat", "/proc/self/mountinfo"]).unwrap_or_default();
    let mounts = mount_points(&table);
    for space in sandbox_namespaces(&mounts) {
        let _ = place.run(&["umount", "-l", &space.to_string_lossy()]);
        let _ = std::fs::remove_file(space);
    }
    // Sandboxes and containers are mounted below the folder, one in another; runc's and the shims' parts of
    // the same are below the node's `/run` and go with it.
    for mount in mounts.iter().rev().filter(|mount| mount.starts_with(dir)) {
        let _ = place.run(&["umount", "-l", &mount.to_string_lossy()]);
    }
    for folder in folders {
        until(|| {
            remove_cgroup(&folder);
            !folder.exists()
        });
    }
}

/// The processes of shims that serve this containerd: it is in their command line (`-address SOCKET`).
fn shims(socket: &Path) -> Vec<i32> {
    let socket = socket.to_string_lossy();
    let is_shim = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        String::from_utf8_lossy(program).contains("containerd-shim")
            && words.any(|word| word == socket.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_shim)
        .collect()
}

/// The processes in a cgroup and in those below it.
fn members(folder: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    all.extend(below(folder).iter().flat_map(|child| members(child)));
    all
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

fn remove_cgroup(folder: &Path) {
    below(folder).iter().for_each(|child| remove_cgroup(child));
    let _ = std::fs::remove_dir(folder);
}

fn end_all(processes: &[i32]) {
    for &process in processes {
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
    until(|| processes.iter().all(|pid| !runs(*pid)));
}

/// A process that is more than its own remains.
fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The mount points in a table of mounts (`/proc/PID/mountinfo`, proc(5)), in the order of mounting.
fn mount_points(table: &str) -> Vec<PathBuf> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(PathBuf::from).collect()
}

fn until(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > END {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
