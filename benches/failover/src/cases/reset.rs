//! The only switch of two nodes loses its sessions while it forwards: both sides keep their routes (RFC 4724).

use std::time::Instant;

use anyhow::Context;
use nix::sys::signal::Signal;

use super::Case;
use crate::Args;
use crate::fabrics::{self, BGPD, BIRD, Make};
use crate::meter::{Both, Done, measure};
use crate::outcome::{Goal, Row};
use crate::place::{Place, SOON, wait};
use crate::report::Table;

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "tor-reset-frr",
            title: "A switch of FRR resets its sessions, and restarts",
            run: |args| reset(args, Make::Frr),
        },
        Case {
            name: "tor-reset-bird",
            title: "A switch of BIRD resets its sessions, and restarts",
            run: |args| reset(args, Make::Bird),
        },
    ]
}

fn reset(args: &Args, make: Make) -> anyhow::Result<Vec<Table>> {
    let mut place = fabrics::racks(args, 1, make)?;
    let mut rows = Vec::new();
    let mut row = |what: &str, goal, act: &mut dyn FnMut(&mut Place, &mut Both) -> anyhow::Result<()>| {
        let mut runs = Vec::new();
        for _ in 0..args.runs() {
            let act = |place: &mut Place, both: &mut Both| {
                let cut = Instant::now();
                act(place, both)?;
                fabrics::spread(place, 1)?;
                both.settle()?;
                Ok(Done::at(cut))
            };
            runs.push(measure(&mut place, ["p1", "p2"], act, |_| Ok(()))?);
        }
        rows.push(Row {
            what: what.to_owned(),
            goal,
            runs,
        });
        anyhow::Ok(())
    };
    // A BIRD that was not away sets neither R nor F: its routes stay all the same.
    let (what, goal) = ("TCP connections of both sessions reset", Goal::NoLoss);
    row(what, goal, &mut |place, both| {
        let before = flaps(place)?;
        place.run("tor1", "ss -K -t sport = :179 or dport = :179")?;
        wait("the session flaps", || match flaps(place) {
            Ok(now) if now > before => Ok(()),
            seen => Err(format!("{seen:?}")),
        })?;
        both.settle().context("after the reset")
    })?;
    // FRR's zebra takes the routes of a bgpd that is back out of the kernel for a moment, before it has them again: a loss in the
    // switch, while both nodes keep theirs. So it is shown, and not judged.
    let (process, what, goal) = match make {
        Make::Frr => (
            "bgpd",
            "bgpd killed and started again; what is lost is lost in its own kernel",
            Goal::None,
        ),
        Make::Bird => ("cmd", "killed and started again", Goal::NoLoss),
    };
    let mut running = None;
    row(what, goal, &mut |place, both| {
        let process = running
            .take()
            .map_or_else(|| place.process("tor1", process), Ok)?;
        process.signal(Signal::SIGKILL);
        process.wait_gone(SOON);
        both.settle().context("while it is away")?;
        running = Some(again(place, make)?);
        both.settle().context("after its start")
    })?;
    Ok(vec![Table::Rows(rows)])
}

/// How often the sessions of n1 were lost.
fn flaps(place: &Place) -> anyhow::Result<u64> {
    let peers = place.roadbed_json("n1", &["peers"])?;
    let all = peers.as_array().into_iter().flatten();
    Ok(all.filter_map(|peer| peer["flaps"].as_u64()).sum())
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
