//! The tables: printed as they come, and written into a page that other benchmarks write to as well.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bench_support::markdown::{Marks, with_old_cases};

use crate::Args;
use crate::meter::RATE;
use crate::outcome::{Goal, Known, Row, Spread, Way};

/// Where this benchmark's section of the page begins and ends.
const MARKS: Marks = Marks {
    begin: "<!-- begin: bench-failover -->",
    end: "<!-- end: bench-failover -->",
};

/// What is told.
pub struct Report {
    text: String,
    quick: bool,
}

const HEAD: &str = "| what | runs | lost there | lost back | recovered there (ms) | recovered back (ms) | known there (ms) | known back (ms) | goal |\n\
                    |---|---|---|---|---|---|---|---|---|\n";

impl Report {
    /// With a word about how is measured.
    pub fn new(args: &Args) -> Report {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let settings = if args.agent.is_empty() {
            "the defaults".to_owned()
        } else {
            args.agent.join(", ")
        };
        let text = format!(
            "## Failover\n\n`make bench-failover`: {RATE} numbered packets a second each way between two pods, {} runs, median / worst. \
             Lost is by sequence number. Recovered is from the touch of the fabric to the sending of the first packet after the last \
             loss; known is since when the node that has to act knew of the fault (0: the kernel told it at once). Agent settings: {settings}. \
             Machine: {cores} cores, kernel {}.\n",
            args.runs(),
            kernel.trim()
        );
        println!("{text}");
        Report {
            text,
            quick: args.quick,
        }
    }

    /// A case begins.
    pub fn begin(&self, title: &str) {
        eprintln!("... {title}");
    }

    /// The figures of a case.
    pub fn rows(&mut self, title: &str, tables: Vec<Table>) {
        let mut text = format!("\n### {title}\n\n");
        for table in tables {
            match table {
                Table::Rows(rows) => {
                    text += HEAD;
                    for row in rows {
                        text += &line(&row);
                    }
                }
                Table::Text(words) => text += &words,
            }
        }
        print!("{text}");
        self.text += &text;
    }

    /// A case that could not be measured.
    pub fn failed(&mut self, title: &str, error: &anyhow::Error) {
        eprintln!("not measured: {title}: {error:#}");
        let _ = write!(self.text, "\n### {title}\n\nnot measured in this run\n");
    }

    /// Writes the page, with the cases in this order.
    pub fn end(self, page: Option<&Path>, order: &[&str]) -> anyhow::Result<()> {
        let Some(page) = page else { return Ok(()) };
        if self.quick {
            println!("{} stays as it is: it is written from full runs", page.display());
            return Ok(());
        }
        MARKS.write(page, |old| Ok(with_old_cases(old, &self.text, order)))
    }
}

/// What a case gives.
pub enum Table {
    /// Streams.
    Rows(Vec<Row>),
    /// Something of its own, in Markdown.
    Text(String),
}

fn line(row: &Row) -> String {
    let count =
        |spread: Option<Spread<u64>>| spread.map_or("".to_owned(), |s| format!("{} / {}", s.median, s.worst));
    let time = |spread: Option<Spread<Duration>>| {
        spread.map_or("".to_owned(), |s| format!("{} / {}", ms(s.median), ms(s.worst)))
    };
    let goal = match (row.goal, row.met()) {
        (Goal::NoLoss, met) => format!("0 lost: {}", verdict(met)),
        (Goal::Within(more), met) => format!("known + {} ms: {}", more.as_millis(), verdict(met)),
        (Goal::None, _) => String::new(),
    };
    let slow = row.runs.iter().filter(|run| run.slow).count();
    let slow = if slow > 0 {
        format!(" ({slow} below the rate)")
    } else {
        String::new()
    };
    format!(
        "| {}{} | {}{slow} | {} | {} | {} | {} | {} | {} | {goal} |\n",
        row.what,
        oddities(row),
        row.runs.len(),
        count(row.spread(|r| Some(r.there.lost))),
        count(row.spread(|r| Some(r.back.lost))),
        time(row.spread(|r| Some(r.there.recovered))),
        time(row.spread(|r| Some(r.back.recovered))),
        known(row, 0),
        known(row, 1),
    )
}

/// When the fault was known for one direction.
fn known(row: &Row, direction: usize) -> String {
    let after = row.spread(|run| match run.known[direction] {
        Known::After(time) => Some(time),
        _ => None,
    });
    match after {
        Some(s) => format!("{} / {}", ms(s.median), ms(s.worst)),
        None if row
            .runs
            .iter()
            .any(|run| run.known[direction] == Known::Elsewhere) =>
        {
            "by the switch".to_owned()
        }
        None => String::new(),
    }
}

/// What there should be none of, where there is some.
fn oddities(row: &Row) -> String {
    let sum = |of: fn(&Way) -> u64| -> u64 { row.runs.iter().map(|r| of(&r.there) + of(&r.back)).sum() };
    let all = [
        (sum(|w| w.refused), "refused by the sender's kernel"),
        (sum(|w| w.reordered), "out of order"),
        (sum(|w| w.duplicates), "twice"),
    ];
    let told: Vec<String> = all
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(" ({} in all runs)", told.join(", "))
    }
}

fn verdict(met: Option<bool>) -> &'static str {
    if met == Some(true) { "met" } else { "missed" }
}

/// Milliseconds, as fine as they are small.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        _ if ms == 0.0 => "0".to_owned(),
        _ if ms < 1.0 => format!("{ms:.3}"),
        _ if ms < 100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}
