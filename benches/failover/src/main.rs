//! `make bench-failover`: what pods notice of restarts, outages and cuts, as numbers.
//!
//! Each case makes a fabric of real kernel network stacks, sends 1,000 numbered packets a second each way between two
//! pods, does one thing to the fabric, and counts what was lost and for how long. It does so ten times (`--quick`:
//! three) and prints median and worst. A run in which the machine did not send the full rate is done again.
//!
//! `place` and `fabrics` make the fabrics, `meter` measures one run, `cases` are what is done to them, `raw` is the bare
//! netlink program that moves of many prefixes are compared with, `report` prints and writes the section of
//! `docs/performance.md`; an interrupted run's `leftovers` are removed. Nothing here is a test: no figure makes it fail.

mod cases;
mod fabrics;
mod leftovers;
mod meter;
mod outcome;
mod place;
mod raw;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;

/// What pods notice of restarts, outages and cuts.
#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Fewer runs, shorter outages.
    #[arg(long)]
    pub quick: bool,
    /// Runs of each case; default: ten, with `--quick` three.
    #[arg(long)]
    pub runs: Option<usize>,
    /// Cases whose name begins so; default: all. `--list` names them.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Names the cases and ends.
    #[arg(long)]
    pub list: bool,
    /// The program that an upgrade goes to; default: a copy of the same build at another path.
    #[arg(long)]
    pub upgrade_to: Option<PathBuf>,
    /// How many seconds the datastore stays away; default: 60, with `--quick` 10.
    #[arg(long)]
    pub away: Option<u64>,
    /// How many prefixes are moved off a dead next hop.
    #[arg(long, default_value_t = 100_000)]
    pub prefixes: u32,
    /// Once more with the datastore away for ten minutes.
    #[arg(long)]
    pub ten_minutes: bool,
    /// Further lines of every agent's own file, such as `nexthopObjects: off`.
    #[arg(long)]
    pub agent: Vec<String>,
    /// Writes the tables into this file between their markers; other sections stay, and so do cases that were not run.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
}

impl Args {
    /// Runs of each case.
    pub fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 3 } else { 10 })
    }

    /// How long the datastore stays away.
    pub fn away(&self) -> Duration {
        Duration::from_secs(self.away.unwrap_or(if self.quick { 10 } else { 60 }))
    }

    fn wants(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| case.starts_with(only.as_str()))
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let cases = cases::all(&args);
    if args.list {
        for case in &cases {
            println!("{:<24} {}", case.name, case.title);
        }
        return Ok(());
    }
    let wanted: Vec<_> = cases.into_iter().filter(|case| args.wants(case.name)).collect();
    ensure!(!wanted.is_empty(), "no case is called so; --list names them");
    leftovers::watch()?;
    let mut report = report::Report::new(&args);
    for case in &wanted {
        report.begin(case.title);
        match (case.run)(&args) {
            Ok(rows) => report.rows(case.title, rows),
            // The others are measured all the same; what failed is said where its figures would be.
            Err(error) => report.failed(case.title, &error),
        }
    }
    let order: Vec<&str> = cases::all(&Args {
        ten_minutes: true,
        ..args.clone()
    })
    .iter()
    .map(|case| case.title)
    .collect();
    report.end(args.markdown.as_deref(), &order)
}
