//! What is printed, and the section of the page: a table for each case, the agent's figures against the goals, and what was run.

use std::fmt::Write as _;
use std::path::Path;

use bench_support::markdown::{Marks, machine, with_old_cases};

use crate::Args;
use crate::cases::Case;
use crate::contenders::{Agent, Contender};
use crate::outcome::{Row, Spread, Table};

const MARKS: Marks = Marks {
    begin: "<!-- bench-bgp: begin (written by `make bench-bgp`) -->",
    end: "<!-- bench-bgp: end -->",
};

/// Above it, the copy is no floor.
const FLOOR: f64 = 0.5;

/// The section's beginning.
pub fn head(args: &Args, seed: u64, contenders: &[Contender], agent: &Agent) -> String {
    let versions: Vec<String> = contenders
        .iter()
        .map(|contender| contender.version(agent))
        .collect();
    let settings = if agent.lines.is_empty() {
        String::new()
    } else {
        format!(" Lines of the agent's file: `{}`.", agent.lines.join("`, `"))
    };
    format!(
        "## BGP beside other speakers\n\n`make bench-bgp`, {} round{}, seed {seed}, {}. {}.{settings}\n\n\
         Every run has a new daemon in a network namespace of its own; the contenders take turns in an order that changes with each \
         round, and each round has a feed of its own, drawn from the seed: about six prefixes share a set of attributes, lengths and \
         attributes are spread as in the default-free zone. All peers are in this program, which shares no code with what is measured and \
         decodes, digests and compares every attribute of every prefix that it is told; a run in which anything is missing or different at \
         the end is void. Settings are the same for all: IPv4, no routes into the kernel, no policy but what a case needs, hold time 90 s, \
         updates at once, passive peers, no graceful restart, no BFD. All are as they are packaged: the agent is built in the profile \
         `dist`. Time runs from the first byte announced (in the mesh: from the first connection) to the read that made everything \
         complete; processor time is that of all processes of the daemon until they rest; memory is the sum over its processes of the \
         peak proportional set (`VmHWM` less what is shared). `copy` is a relay of whole messages without any BGP: what sockets and this \
         program take. Goals: half of BIRD's processor time and memory, 0.7 of the best time.\n",
        args.rounds(),
        if args.rounds() == 1 { "" } else { "s" },
        machine(),
        versions.join("; ")
    )
}

/// A case.
pub fn table(table: &Table) -> String {
    let mut text = format!("\n### {}\n\n{}.\n\n", table.case.title(), sentence(&table.words));
    text += "| | processor (s) | time (s) | peak memory (MiB) | at the end | to BIRD: processor, time, memory |\n\
             |---|--:|--:|--:|--:|--:|\n";
    for row in &table.rows {
        text += &line(table, row);
    }
    text.push('\n');
    for verdict in table.verdicts() {
        let word = if verdict.met() { "met" } else { "missed" };
        let _ = writeln!(
            text,
            "- {}: {:.2} of {} (goal {:.2}): {word}",
            verdict.what, verdict.ratio, verdict.against, verdict.goal
        );
    }
    if let Some(floor) = table.floor() {
        let word = if floor < FLOOR {
            "the rest is the router's"
        } else {
            "the benchmark itself may be what is measured"
        };
        let _ = writeln!(
            text,
            "- the copy takes {floor:.2} of the best router's time: {word}"
        );
    }
    if let Some(most) = slowest_listener(table) {
        let _ = writeln!(
            text,
            "- listening takes at most {most:.2} s of the processor in a run"
        );
    }
    text
}

fn slowest_listener(table: &Table) -> Option<f64> {
    let all = table.rows.iter().flat_map(Row::samples);
    all.filter(|sample| sample.took.is_some())
        .map(|sample| sample.listening.as_secs_f64())
        .max_by(f64::total_cmp)
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn line(table: &Table, row: &Row) -> String {
    if let (Some(trouble), None) = (row.trouble(), row.cpu()) {
        return format!("| {} | {trouble} | | | | |\n", row.contender.name());
    }
    let note = row
        .trouble()
        .map(|trouble| format!(" ({trouble})"))
        .unwrap_or_default();
    let bird = |figure: fn(&Row) -> Option<Spread>| {
        let ratio = || Some(figure(row)?.median / table.median(Contender::Bird, figure)?);
        ratio()
            .filter(|ratio| ratio.is_finite())
            .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    format!(
        "| {}{note} | {} | {} | {} | {} | {}, {}, {} |\n",
        row.contender.name(),
        spread(row.cpu()),
        spread(row.took()),
        spread(row.peak()),
        row.at_end()
            .map_or("–".to_owned(), |spread| number(spread.median)),
        bird(Row::cpu),
        bird(Row::took),
        bird(Row::peak)
    )
}

/// The median, and from where to where where there are several.
fn spread(spread: Option<Spread>) -> String {
    match spread {
        Some(s) if s.least < s.most => {
            format!("{} ({}–{})", number(s.median), number(s.least), number(s.most))
        }
        Some(s) => number(s.median),
        None => "–".to_owned(),
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Writes the section. Cases that were not played now stay as they are.
pub fn write(page: &Path, head: &str, tables: &[String], args: &Args) -> anyhow::Result<()> {
    if args.quick {
        println!("{} stays as it is: it is written from full runs", page.display());
        return Ok(());
    }
    let order = Case::ALL.map(Case::title);
    let section = format!("{head}{}", tables.concat());
    MARKS.write(page, |old| Ok(with_old_cases(old, &section, &order)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::{Outcome, Sample};

    #[test]
    fn a_table_tells_figures_ratios_goals_and_what_could_not_be() {
        let sample = |factor: u64| {
            Outcome::Measured(Sample {
                took: Some(Duration::from_millis(1000 * factor)),
                cpu: Duration::from_millis(500 * factor),
                peak: factor << 24,
                at_end: factor << 23,
                listening: Duration::from_millis(100),
            })
        };
        let row = |contender, outcomes| Row { contender, outcomes };
        let text = table(&Table {
            case: Case::Reflector,
            words: "one peer".into(),
            rows: vec![
                row(Contender::Roadbed, vec![Outcome::NotAble("not built".into())]),
                row(Contender::Bird, vec![sample(2), sample(4), sample(3)]),
                row(Contender::Frr, vec![sample(6), Outcome::Void("lost\nlog".into())]),
                row(Contender::Copy, vec![sample(1)]),
            ],
        });
        for line in [
            "### A reflector with a hundred clients",
            "One peer.",
            "| roadbed | not able: not built | | | | |",
            "| bird | 1.50 (1.00–2.00) | 3.00 (2.00–4.00) | 48.0 (32.0–64.0) | 24.0 | 1.00, 1.00, 1.00 |",
            "| frr (1 of 2 runs void: lost) | 3.00 | 6.00 | 96.0 | 48.0 | 2.00, 2.00, 2.00 |",
            "- the copy takes 0.33 of the best router's time: the rest is the router's",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("goal 0.50"), "nothing to hold against a goal");
    }
}
