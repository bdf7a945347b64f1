//! `make bench-ipam`: what address management costs, each figure beside that of its peer, measured in the same run.
//!
//! - a claim of a block in three etcd members, beside a bare etcd transaction of the same size;
//! - an address given out and taken back on this node, durable, beside the reference plugin `host-local`;
//! - then the proof at its full size, with its figures.
//!
//! Nothing here is a test: no figure makes it fail. `--quick` leaves the proof out and takes fewer samples, `--proof`
//! leaves all else out.

mod claims;
mod host_local;
mod local;
mod report;

use std::time::Duration;

use ipam_proof::Scale;

fn main() {
    let asked = |what: &str| std::env::args().any(|argument| argument == what);
    if !asked("--proof") {
        costs(asked("--quick"));
    }
    if !asked("--quick") {
        proof();
    }
}

fn costs(quick: bool) {
    println!("Addresses of one node, one after the other; ledger and host-local on the same disk\n");
    local::run(if quick { 100 } else { 500 });
    println!("\nBlocks, one node and three etcd members without faults\n");
    claims::run(if quick { 50 } else { 300 });
}

fn proof() {
    println!("\nThe proof: 200 nodes, 10,000 blocks, members and nodes that fail\n");
    let figures = ipam_proof::run(&Scale {
        nodes: 200,
        blocks: 10_000,
        faults: true,
        faults_for: Duration::from_secs(50),
        seed: 1,
    });
    println!("{figures}");
}
