//! `make bench-bgp`: the agent beside BIRD, FRR and GoBGP on the same work, all in one run on one machine.
//!
//! A case ([`cases`]) says which peers stand around a router, what they announce (a [`table`] drawn from a seed, encoded by
//! [`message`]) and what each has to hear. [`rounds`] starts every contender ([`contenders`]) in namespaces of its own ([`scene`]), plays
//! the peers ([`session`], which reads with [`parse`] and keeps a [`digest`]), and takes time, processor time and peak memory; [`silence`]
//! does so for peers that say nothing. [`outcome`] has medians, ratios and goals, [`report`] prints them. Nothing of the program under
//! test is linked in.
//!
//! No figure makes it fail; a wrong digest does.

mod cases;
mod contenders;
mod digest;
mod message;
mod outcome;
mod parse;
mod report;
mod rng;
mod rounds;
mod route;
mod scene;
mod session;
mod silence;
mod table;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::cases::Case;
use crate::contenders::{Agent, Contender};
use crate::outcome::{Outcome, Table};

/// What is measured.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Cases to play.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "full_table,ten_peers,reflector,mesh,idle"
    )]
    cases: Vec<String>,
    /// Who is measured; copy is the relay of bytes.
    #[arg(long, value_delimiter = ',', default_value = "roadbed,bird,frr,gobgp,copy")]
    routers: Vec<String>,
    /// Rounds of every case but the idle one; default five, with `--quick` one.
    #[arg(long)]
    rounds: Option<usize>,
    /// What feeds and orders are drawn from; default: another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// One round, everything at a tenth.
    #[arg(long)]
    quick: bool,
    /// How long nothing happens in the idle case; default ten, with `--quick` one.
    #[arg(long)]
    idle_minutes: Option<f64>,
    /// Plays one case, and waits for a line before the announcements and before the end: for a profiler.
    #[arg(long, value_name = "CASE")]
    hold: Option<String>,
    /// Looks at the memory all the time as well, to compare. The times of such a run are of no use.
    #[arg(long)]
    sample_memory: bool,
    /// A line for the agent's file; may be given more than once.
    #[arg(long, value_name = "LINE")]
    agent: Vec<String>,
    /// The agent; by default the one beside this program.
    #[arg(long)]
    roadbed: Option<PathBuf>,
    /// Writes the figures into this file, between the marks of this benchmark.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// The relay of bytes itself.
    #[arg(long, hide = true, value_name = "FILE")]
    relay: Option<PathBuf>,
}

impl Args {
    /// Rounds of every case but the idle one.
    fn rounds(&self) -> usize {
        self.rounds
            .unwrap_or(if self.quick || self.hold.is_some() { 1 } else { 5 })
    }

    /// How long nothing happens.
    fn idle_minutes(&self) -> f64 {
        self.idle_minutes.unwrap_or(if self.quick { 1.0 } else { 10.0 })
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(flag) = &args.relay {
        return contenders::relay(flag);
    }
    scene::MARK.sweep_when_told_to_end()?;
    scene::MARK.sweep()?;
    // A mesh of a thousand has more connections than the usual limit, in the daemons and here.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("getrlimit")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("setrlimit")?;
    let agent = Agent {
        program: match &args.roadbed {
            Some(path) => path.clone(),
            None => beside()?,
        },
        lines: args.agent.clone(),
    };
    let named = args.hold.as_ref().map(std::slice::from_ref);
    let cases: Vec<Case> = named
        .unwrap_or(&args.cases)
        .iter()
        .map(|name| Case::named(name))
        .collect::<Result<_, _>>()?;
    let contenders: Vec<Contender> = args
        .routers
        .iter()
        .map(|name| Contender::named(name))
        .collect::<Result<_, _>>()?;
    run(&args, &cases, &contenders, &agent)
}

fn run(args: &Args, cases: &[Case], contenders: &[Contender], agent: &Agent) -> anyhow::Result<()> {
    let seed = args.seed.map_or_else(drawn, Ok)?;
    let head = report::head(args, seed, contenders, agent);
    println!("{head}");
    let (mut texts, mut void) = (Vec::new(), 0);
    for case in Case::ALL.into_iter().filter(|case| cases.contains(case)) {
        let table = match case {
            Case::Idle => silence::play(args, contenders, seed, agent),
            _ => rounds::play(case, args, contenders, seed, agent),
        };
        let text = report::table(&table);
        println!("{text}");
        texts.push(text);
        void += voids(&table);
        // What has been measured so far is kept whatever comes.
        if let Some(page) = &args.markdown {
            report::write(page, &head, &texts, args)?;
        }
    }
    if void > 0 {
        bail!("{void} runs are void: something was missing, different, or lost");
    }
    Ok(())
}

fn voids(table: &Table) -> usize {
    let all = table.rows.iter().flat_map(|row| &row.outcomes);
    all.filter(|outcome| matches!(outcome, Outcome::Void(_))).count()
}

/// A seed that nobody has chosen.
fn drawn() -> anyhow::Result<u64> {
    use std::io::Read as _;
    let mut bytes = [0; 4];
    let mut file = std::fs::File::open("/dev/urandom").context("no random numbers")?;
    file.read_exact(&mut bytes).context("no random numbers")?;
    Ok(u32::from_ne_bytes(bytes).into())
}

/// The agent that was built with this program.
fn beside() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program has no path")?;
    Ok(here.with_file_name("roadbed"))
}
