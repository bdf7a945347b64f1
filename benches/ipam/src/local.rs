//! Addresses on one node: our ledger, whose every answer is on disk, beside host-local, which is a process for each
//! call and leaves its files to the page cache.
//!
//! The agent is a daemon and the plugin a small process that asks it. So that the comparison is fair, the cost of
//! starting our plugin is measured as well (verb VERSION, which asks nobody) and added.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ipam::local::LedgerStep;
use ipam::{Ipam, Owner, Request};

use crate::host_local::{self, HostLocal};
use crate::report::{Sample, millis, ratio};

/// Takes `count` addresses of each, and gives them back.
pub fn run(count: usize) {
    // Not the memory's file system: both are to write to a disk.
    let folder = tempfile::tempdir_in(here()).expect("a temporary folder can be made");
    let (add, del) = ledger(&folder.path().join("ledger"), count);
    add.print("ledger: assign, on disk (fsync)");
    del.print("ledger: release, on disk (fsync)");
    let many = together(&folder.path().join("together"), count, 8);
    println!(
        "{:<58} {many:.0} a second",
        "ledger: assign and release, 8 pods at a time"
    );

    let peer = HostLocal::new(&folder.path().join("host-local"));
    let peer_add = Sample::take(count, |number| peer.call("ADD", &container(number)));
    let peer_del = Sample::take(count, |number| peer.call("DEL", &container(number)));
    peer_add.print("host-local: ADD, a process, no fsync");
    peer_del.print("host-local: DEL, a process, no fsync");
    let theirs = sum(&peer_add, &peer_del);
    println!(
        "{:<58} {:.0} a second",
        "host-local: assign and release, one at a time",
        1.0 / theirs.as_secs_f64()
    );

    let ours = sum(&add, &del);
    ratio("ledger / host-local, assign and release", ours, theirs);
    match plugin() {
        Some(program) => {
            let config = r#"{"cniVersion":"1.0.0","name":"bench","type":"roadbed"}"#;
            let start = Sample::take(count, |_| host_local::run(&program, "VERSION", "x", config));
            start.print("our plugin: start of the process alone (VERSION)");
            let with = ours + start.median() * 2;
            println!("{:<58} {:>8.3} ms", "ledger with two such starts", millis(with));
            ratio(
                "(ledger and process) / host-local, assign and release",
                with,
                theirs,
            );
        }
        None => println!("our plugin is not built: cargo build --release -p cni"),
    }
}

fn here() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map(Path::to_owned).unwrap_or_default()
}

/// The plugin beside this program.
fn plugin() -> Option<PathBuf> {
    let path = here().join("roadbed-cni");
    path.exists().then_some(path)
}

fn container(number: usize) -> String {
    format!("bench-{number}")
}

fn sum(add: &Sample, del: &Sample) -> Duration {
    add.median() + del.median()
}

fn open(folder: &Path) -> Ipam {
    let ipam = Ipam::open(folder).expect("a ledger can be made");
    let block = "10.1.0.0/16".parse().expect("a prefix");
    ipam.set_given(vec![(block, None)], SystemTime::now())
        .expect("the disk works");
    ipam.apply(&[LedgerStep::Known], SystemTime::now())
        .expect("the disk works");
    ipam
}

fn request(container: String) -> Request {
    Request {
        owner: Owner::new(container, "eth0"),
        network: "bench".to_owned(),
        pod: None,
        netns: "/proc/self/ns/net".to_owned(),
        host_ifname: "rb0".to_owned(),
        wanted: Vec::new(),
        pools: Vec::new(),
        sticky: None,
    }
}

fn ledger(folder: &Path, count: usize) -> (Sample, Sample) {
    let ipam = open(folder);
    let add = Sample::take(count, |number| {
        let lease = ipam.assign(&request(container(number)), SystemTime::now());
        lease.expect("there is room");
    });
    let del = Sample::take(count, |number| {
        let owner = Owner::new(container(number), "eth0");
        let lease = ipam.release(&owner, SystemTime::now()).expect("the disk works");
        assert!(lease.is_some(), "it was given");
    });
    (add, del)
}

/// Pairs of assign and release in a second, from several threads.
fn together(folder: &Path, count: usize, threads: usize) -> f64 {
    let ipam = open(folder);
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let ipam = &ipam;
            scope.spawn(move || {
                for number in 0..count {
                    let request = request(format!("{thread}-{number}"));
                    ipam.assign(&request, SystemTime::now()).expect("there is room");
                    ipam.release(&request.owner, SystemTime::now())
                        .expect("the disk works");
                }
            });
        }
    });
    let pairs = u32::try_from(count * threads).unwrap_or(u32::MAX);
    f64::from(pairs) / begun.elapsed().as_secs_f64()
}
