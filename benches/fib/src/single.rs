//! One prefix from the peer's announcement to the kernel, some hundred times, in turns.

use std::time::Duration;

use crate::bgp::{Family, SINGLE};
use crate::figures::{Figures, Kind, RAW};
use crate::raw::Raw;
use crate::routers::Router;

/// Samples in a row before the next contender's turn.
const TURN: usize = 25;

/// What the two steps of a table of that size are called.
fn steps(table: &str) -> [String; 2] {
    [
        "announced, until the kernel has it",
        "withdrawn, until the kernel has it no more",
    ]
    .map(|what| format!("One prefix {what}; {table}"))
}

/// Measures all contenders on the table that they have now. A router that takes its time (FRR holds updates back) is asked less
/// often.
pub fn run(
    figures: &mut Figures,
    raw: Option<&mut Raw>,
    routers: &mut [Router],
    table: &str,
    samples: usize,
) -> anyhow::Result<()> {
    let steps = steps(table);
    if let Some(raw) = raw {
        for n in 0..samples {
            keep(figures, &steps, RAW, raw.one(Family::V4, number(n))?);
        }
    }
    let mut slow = vec![false; routers.len()];
    for router in &*routers {
        // What stands comes first.
        router.settled()?;
    }
    for turn in 0..samples.div_ceil(TURN) {
        for (router, slow) in routers.iter_mut().zip(&mut slow) {
            router.watch.skip()?;
            let before = router.settled()?;
            let count = if *slow { TURN / 5 } else { TURN };
            for n in 0..count {
                let took = router.one(Family::V4, number(turn * TURN + n))?;
                *slow = took[0] > Duration::from_millis(20);
                keep(figures, &steps, &router.name, took);
                // Uneven pauses: no contender's timers fall in step with them.
                std::thread::sleep(Duration::from_micros(700 + 1300 * (n as u64 % 4)));
            }
            let cpu = router.settled()?.saturating_sub(before) / u32::try_from(2 * count).unwrap_or(1);
            for step in &steps {
                figures.series(step, Kind::Single, &router.name).cpu.push(cpu);
            }
        }
    }
    Ok(())
}

fn number(n: usize) -> u32 {
    SINGLE + u32::try_from(n).unwrap_or_default()
}

fn keep(figures: &mut Figures, steps: &[String; 2], contender: &str, took: [Duration; 2]) {
    for (step, took) in steps.iter().zip(took) {
        figures.series(step, Kind::Single, contender).took.push(took);
    }
}
