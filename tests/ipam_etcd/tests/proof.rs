//! Nodes claim blocks from a cluster that fails. The size is `IPAM_BLOCKS` (2,000 where it is not set).

use std::time::Duration;

use ipam_proof::{Scale, run};

fn number(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn no_block_has_two_owners_and_nothing_acknowledged_is_lost() {
    let blocks = number("IPAM_BLOCKS", 2000);
    let figures = run(&Scale {
        nodes: number("IPAM_NODES", 200),
        blocks,
        faults: number("IPAM_FAULTS", 1) == 1,
        faults_for: Duration::from_millis(u64::try_from(blocks).unwrap_or(0) * 5),
        seed: u64::try_from(number("IPAM_SEED", 1)).unwrap_or(1),
    });
    println!("{figures}");
    assert!(
        figures.blocks >= blocks - blocks / 50,
        "{} blocks are too few",
        figures.blocks
    );
    assert!(figures.history.claims >= u64::try_from(blocks).unwrap_or(0));
}
