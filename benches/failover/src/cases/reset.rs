//! The only switch of two nodes loses its sessions while it forwards: both sides keep their routes (RFC 4724).

use std::time::Instant;

use nix::sys::signal::Signal;

use super::Case;
use crate::Args;
use crate::fabrics::{self, BGPD, BIRD, Make};
use crate::meter::{Done, measure};
use crate::outcome::{Goal, Row};
use crate::place::{Place, SOON};
use crate::report::Table;

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![Case {
        name: "tor-reset",
        title: "The switch restarts its BGP",
        run: reset,
    }]
}

fn reset(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut rows = Vec::new();
    for (make, process, what) in [
        (
            Make::Frr,
            "bgpd",
            "FRR: bgpd killed and started, graceful restart",
        ),
        (Make::Bird, "cmd", "BIRD: killed and started, graceful restart"),
    ] {
        let mut place = fabrics::racks(args, 1, make)?;
        let mut runs = Vec::new();
        let mut running = place.process("tor1", process)?;
        for _ in 0..args.runs() {
            runs.push(measure(
                &mut place,
                ["p1", "p2"],
                |place, both| {
                    let cut = Instant::now();
                    running.signal(Signal::SIGKILL);
                    running.wait_gone(SOON);
                    both.settle()?;
                    running = again(place, make)?;
                    fabrics::spread(place, 1)?;
                    both.settle()?;
                    Ok(Done::at(cut))
                },
                |_| Ok(()),
            )?);
        }
        rows.push(Row {
            what: what.to_owned(),
            goal: Goal::NoLoss,
            runs,
        });
    }
    Ok(vec![Table::Rows(rows)])
}

fn again(place: &mut Place, make: Make) -> anyhow::Result<lab::kernel::process::ProcessId> {
    place.start(
        "tor1",
        match make {
            Make::Frr => BGPD,
            Make::Bird => BIRD,
        },
    )
}
