//! What operators do, and what must cost nothing: the agent ended, killed, upgraded; encapsulation changed; the datastore away.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::Case;
use crate::Args;
use crate::fabrics;
use crate::meter::{Both, Done, measure};
use crate::outcome::{Goal, Row};
use crate::place::{Place, SOON, wait};
use crate::report::Table;

/// The case that is only run on demand.
pub const TEN_MINUTES: &str = "datastore-ten-minutes";

/// The cases.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "agent",
            title: "The agent ends and starts again",
            run: agent,
        },
        Case {
            name: "encapsulation",
            title: "The encapsulation of a pool changes",
            run: encapsulation,
        },
        Case {
            name: "datastore-away",
            title: "The datastore is away",
            run: |args| datastore(args, args.away(), args.runs()),
        },
        Case {
            name: TEN_MINUTES,
            title: "The datastore is away for ten minutes",
            run: |args| datastore(args, Duration::from_secs(600), 1),
        },
    ]
}

/// How an agent ends.
#[derive(Clone, Copy)]
enum End {
    Terminate,
    Kill,
    Upgrade,
}

fn agent(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut rows = Vec::new();
    for (mode, form) in [("CrossSubnet", "direct"), ("Always", "in the tunnel")] {
        let mut place = fabrics::pair(args, mode)?;
        let old = place.roadbed()?;
        let new = upgraded(args, &place)?;
        for (end, what) in [
            (End::Terminate, "SIGTERM and start"),
            (End::Kill, "SIGKILL and start"),
            (End::Upgrade, "SIGTERM, start of another build, and back"),
        ] {
            let mut runs = Vec::new();
            for _ in 0..args.runs() {
                runs.push(measure(
                    &mut place,
                    ["p1", "p2"],
                    |place, both| restart(place, both, end, [&new, &old]),
                    |_| Ok(()),
                )?);
            }
            let what = format!("{what}, {form}");
            rows.push(Row {
                what,
                goal: Goal::NoLoss,
                runs,
            });
        }
    }
    Ok(vec![Table::Rows(rows)])
}

/// Another build: the one that was named, else a copy at another path.
fn upgraded(args: &Args, place: &Place) -> anyhow::Result<String> {
    if let Some(other) = &args.upgrade_to {
        return Ok(other.display().to_string());
    }
    let copy = place.file("roadbed-next", "")?;
    std::fs::copy(place.roadbed()?, &copy).context("cannot copy the program")?;
    Ok(copy.display().to_string())
}

fn restart(place: &mut Place, both: &Both, end: End, [new, old]: [&str; 2]) -> anyhow::Result<Done> {
    let cut = Instant::now();
    let programs: &[&str] = match end {
        End::Terminate | End::Kill => &[old],
        End::Upgrade => &[new, old],
    };
    for program in programs {
        match end {
            End::Kill => place.kill_agent("n1")?,
            End::Terminate | End::Upgrade => place.stop_agent("n1")?,
        }
        both.settle()?;
        place.set_roadbed(program)?;
        place.start_agent("n1")?;
        place.wait_agent("n1", SOON)?;
        for node in ["n1", "n2"] {
            place.converged(node, 1)?;
        }
        both.settle()?;
    }
    Ok(Done::at(cut))
}

/// `CrossSubnet` is direct on one wire, `Always` is not: both nodes change at about the same time, as with any datastore.
fn encapsulation(args: &Args) -> anyhow::Result<Vec<Table>> {
    let mut place = fabrics::pair(args, "CrossSubnet")?;
    let mut rows = Vec::new();
    let ways = [
        ("Always", "CrossSubnet to Always (direct to VXLAN)"),
        ("CrossSubnet", "Always to CrossSubnet (VXLAN to direct)"),
    ];
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..args.runs() {
        for (i, (mode, _)) in ways.iter().enumerate() {
            let other = ways[1 - i].0;
            runs[i].push(measure(
                &mut place,
                ["p1", "p2"],
                |place, both| {
                    // Where the run before was not kept, the mode is put back first.
                    change(place, other)?;
                    both.settle()?;
                    let cut = Instant::now();
                    change(place, mode)?;
                    Ok(Done::at(cut))
                },
                |_| Ok(()),
            )?);
        }
    }
    for ((_, what), runs) in ways.iter().zip(runs) {
        rows.push(Row {
            what: (*what).to_owned(),
            goal: Goal::NoLoss,
            runs,
        });
    }
    Ok(vec![Table::Rows(rows)])
}

fn change(place: &Place, mode: &str) -> anyhow::Result<()> {
    for node in ["n1", "n2"] {
        place.edit(node, &fabrics::mesh(mode))?;
    }
    let device = if mode == "Always" {
        "dev rb-vxlan"
    } else {
        "dev eth1"
    };
    for (node, block) in ["n1", "n2"].into_iter().zip(fabrics::BLOCK.iter().rev()) {
        place.route(node, block, &[device])?;
    }
    Ok(())
}

fn datastore(args: &Args, away: Duration, runs: usize) -> anyhow::Result<Vec<Table>> {
    let mut place = fabrics::stored(args)?;
    let mut all = Vec::new();
    for _ in 0..runs {
        all.push(measure(
            &mut place,
            ["p1", "p2"],
            |place, both| {
                let cut = Instant::now();
                let etcd = place.latest()?;
                etcd.signal(nix::sys::signal::Signal::SIGKILL);
                etcd.wait_gone(SOON);
                both.last(away)?;
                fabrics::start_etcd(place)?;
                for node in ["n1", "n2"] {
                    wait("the node follows its datastore again", || {
                        let status = place.ask(node, &["status"])?;
                        let store = &status["datastore"];
                        let live = store["awaySeconds"].is_null() && store["origin"] == "live";
                        if live { Ok(()) } else { Err(store.to_string()) }
                    })?;
                }
                Ok(Done::at(cut))
            },
            |_| Ok(()),
        )?);
    }
    let what = format!("etcd killed, started again after {} s", away.as_secs());
    Ok(vec![Table::Rows(vec![Row {
        what,
        goal: Goal::NoLoss,
        runs: all,
    }])])
}
