//! The rounds: all contenders in turns, every round the same steps.

use std::path::PathBuf;

use anyhow::Context;

use crate::Args;
use crate::bgp::Family;
use crate::figures::{Figures, Kind, RAW};
use crate::place::Place;
use crate::raw::{self, Raw};
use crate::routers::Router;
use crate::watch::Change;
use crate::{alone, moves, single};

const SMALL: u32 = 10_000;
const LARGE: u32 = 100_000;
/// The limit with routes that refer to a nexthop object.
const RAW_OBJECT: &str = "raw netlink, by nexthop id";
/// Ours without BGP and without the agent.
const ALONE: &str = "routesync alone";
/// The same, over a set of hops.
const ALONE_SETS: &str = "routesync alone, by nexthop set";
/// The protocol number of the agent's routes.
const OURS: u8 = 82;

/// Everything that is measured, at its place.
struct Contenders {
    raw: Raw,
    alone: Place,
    routers: Vec<Router>,
}

/// Measures everything.
pub fn run(args: &Args) -> anyhow::Result<Figures> {
    let mut contenders = Contenders {
        raw: Raw::new()?,
        alone: Place::new("alone")?,
        routers: start(args)?,
    };
    let rounds = args.rounds.unwrap_or(if args.quick { 2 } else { 7 });
    let samples = if args.quick { 50 } else { 400 };
    let mut figures = Figures::default();
    figures.setting = format!("{rounds} rounds, {samples} single prefixes");
    eprintln!("one prefix, small table");
    let Contenders { raw, routers, .. } = &mut contenders;
    single::run(&mut figures, Some(raw), routers, "small table", samples)?;
    let families: &[Family] = if args.ipv6 {
        &[Family::V4, Family::V6]
    } else {
        &[Family::V4]
    };
    for round in 1..=rounds {
        for family in families {
            for count in [SMALL, LARGE] {
                eprintln!("round {round} of {rounds}: {count} {family:?} routes");
                bulk(
                    &mut figures,
                    &mut contenders,
                    *family,
                    count,
                    round == rounds && count == LARGE,
                    samples,
                )?;
            }
        }
    }
    drop(contenders);
    for round in 1..=rounds.min(5) {
        eprintln!("moves, round {round}");
        moves::round(&mut figures, LARGE)?;
    }
    Ok(figures)
}

fn start(args: &Args) -> anyhow::Result<Vec<Router>> {
    let agent = match &args.roadbed {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let mut routers = Vec::new();
    for name in &args.routers {
        eprintln!("starting {name}");
        routers.push(Router::start(name, &agent, &args.agent)?);
    }
    Ok(routers)
}

/// Measures single prefixes, and nothing else.
pub fn single_only(args: &Args, prefixes: usize) -> anyhow::Result<Figures> {
    let mut routers = start(args)?;
    let mut figures = Figures::default();
    figures.setting = format!("{prefixes} single prefixes");
    single::run(&mut figures, None, &mut routers, "small table", prefixes)?;
    Ok(figures)
}

/// Measures route synchronisation without BGP and without the agent, and nothing else.
pub fn alone_only(rounds: usize) -> anyhow::Result<Figures> {
    let (place, mut raw) = (Place::new("alone")?, Raw::new()?);
    let mut figures = Figures::default();
    figures.setting = format!("{rounds} rounds of route synchronisation alone");
    for _ in 0..rounds {
        limits(&mut figures, &mut raw, Family::V4, LARGE)?;
        synchronised(&mut figures, &place, Family::V4, LARGE)?;
    }
    Ok(figures)
}

/// Measures moves of very many routes, and nothing else.
pub fn moves_only(rounds: usize) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    figures.setting = format!("{rounds} rounds of moves");
    for _ in 0..rounds {
        moves::round(&mut figures, LARGE)?;
    }
    Ok(figures)
}

fn synchronised(figures: &mut Figures, place: &Place, family: Family, count: u32) -> anyhow::Result<()> {
    let [into, out, resync, _] = words(family, count);
    for (name, sets) in [(ALONE, false), (ALONE_SETS, true)] {
        let round = alone::round(place, family, count, sets)?;
        figures.series(&into, Kind::Bulk, name).add(round.fill);
        if count == LARGE {
            figures.series(&resync, Kind::Bulk, name).add(round.resync);
        }
        figures.series(&out, Kind::Bulk, name).add(round.empty);
    }
    Ok(())
}

/// The agent that was built with this program.
fn beside() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program has no path")?;
    Ok(here.with_file_name("roadbed"))
}

fn words(family: Family, count: u32) -> [String; 4] {
    let (family, thousands) = (if family == Family::V4 { "IPv4" } else { "IPv6" }, count / 1000);
    [
        "in",
        "out",
        "full resync",
        "all deleted by somebody else, until they are back",
    ]
    .map(|what| format!("{thousands},000 {family} routes: {what}"))
}

/// One turn of all of them. On the full tables of the last round single prefixes are measured too.
fn bulk(
    figures: &mut Figures,
    contenders: &mut Contenders,
    family: Family,
    count: u32,
    last: bool,
    samples: usize,
) -> anyhow::Result<()> {
    let [into, out, _, repair] = words(family, count);
    let Contenders { raw, alone, routers } = contenders;
    limits(figures, raw, family, count)?;
    synchronised(figures, alone, family, count)?;
    for router in &mut *routers {
        let sample = router.bulk(family, Change::Added, count)?;
        figures.series(&into, Kind::Bulk, &router.name).add(sample);
        if count == LARGE && router.name.starts_with("roadbed") {
            let sample =
                router.repaired(family, count, |place| raw::delete_all(place, family, count, OURS))?;
            figures.series(&repair, Kind::Bulk, &router.name).add(sample);
        }
    }
    if last && family == Family::V4 {
        eprintln!("one prefix, full table");
        single::run(figures, None, routers, "beside 100,000 routes", samples)?;
    }
    for router in routers {
        let sample = router.bulk(family, Change::Removed, count)?;
        figures.series(&out, Kind::Bulk, &router.name).add(sample);
    }
    Ok(())
}

/// What a loop of ready-made messages needs.
fn limits(figures: &mut Figures, raw: &mut Raw, family: Family, count: u32) -> anyhow::Result<()> {
    let [into, out, resync, _] = words(family, count);
    for (name, object) in [(RAW, false), (RAW_OBJECT, true)] {
        let sample = raw.fill(family, count, object)?;
        figures.series(&into, Kind::Bulk, name).add(sample);
        if count == LARGE && !object {
            let sample = raw.dump(family)?;
            figures
                .series(&resync, Kind::Bulk, "raw netlink, dump only")
                .add(sample);
        }
        let sample = raw.empty(family, count, object)?;
        figures.series(&out, Kind::Bulk, name).add(sample);
    }
    Ok(())
}
