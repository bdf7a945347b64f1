//! The only switch of two nodes loses its sessions while it forwards: both sides keep their routes (RFC 4724).

use std::time::Instant;

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
    vec![Case {
        name: "tor-reset",
        title: "The switch restarts its BGP",
        run: reset,
    }]
}

fn reset(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut rows = Vec::new();
    for (make, process, name) in [(Make::Frr, "bgpd", "FRR"), (Make::Bird, "cmd", "BIRD")] {
        let mut place = fabrics::racks(args, 1, make)?;
        let mut row = |what: &str, goal, act: &mut dyn FnMut(&mut Place, &mut Both) -> anyhow::Result<()>| {
            let mut runs = Vec::new();
            for _ in 0..args.runs() {
                runs.push(measure(
                    &mut place,
                    ["p1", "p2"],
                    |place, both| {
                        let cut = Instant::now();
                        act(place, both)?;
                        fabrics::spread(place, 1)?;
                        both.settle()?;
                        Ok(Done::at(cut))
                    },
                    |_| Ok(()),
                )?);
            }
            rows.push(Row {
                what: format!("{name}: {what}"),
                goal,
                runs,
            });
            anyhow::Ok(())
        };
        row(
            "TCP connections of both sessions reset",
            Goal::NoLoss,
            &mut |place, both| {
                let flaps = flaps(place)?;
                place.run("tor1", "ss -K -t sport = :179 or dport = :179")?;
                wait("the session flaps", || match self::flaps(place) {
                    Ok(now) if now > flaps => Ok(()),
                    seen => Err(format!("{seen:?}")),
                })?;
                both.settle()
            },
        )?;
        let mut running = None;
        row("killed and started again", Goal::NoLoss, &mut |place, both| {
            let process = running
                .take()
                .map_or_else(|| place.process("tor1", process), Ok)?;
            process.signal(Signal::SIGKILL);
            process.wait_gone(SOON);
            both.settle()?;
            running = Some(again(place, make)?);
            both.settle()
        })?;
    }
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
