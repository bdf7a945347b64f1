//! What is printed: a table, with each contender's ratio to the raw loop and to BIRD.

use std::time::Duration;

use crate::figures::{Figures, Kind, RAW, Series};

/// A line of the table.
pub struct Row {
    /// The step, in its first line only.
    pub step: String,
    /// Who.
    pub contender: String,
    /// The figures as text: median, p99 or processor time, and the ratios of both to the raw loop and to BIRD.
    pub cells: Vec<String>,
}

/// The heads of the cells.
pub const HEADS: [&str; 5] = [
    "median",
    "p99",
    "processor",
    "time to raw, BIRD",
    "processor to raw, BIRD",
];

/// All lines.
pub fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    for (step, kind, contenders) in figures.steps() {
        let find = |wanted: &str| {
            contenders
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, s)| *s)
        };
        let (raw, bird) = (find(RAW), find("bird"));
        for (at, (name, series)) in contenders.iter().enumerate() {
            rows.push(Row {
                step: if at == 0 { step.to_owned() } else { String::new() },
                contender: (*name).to_owned(),
                cells: vec![
                    millis(series.percentile(0.5)),
                    if kind == Kind::Single {
                        millis(series.percentile(0.99))
                    } else {
                        "–".into()
                    },
                    if series.cpu.is_empty() {
                        "–".into()
                    } else {
                        millis(series.cpu())
                    },
                    ratios(series, raw, bird, |series| series.percentile(0.5)),
                    ratios(series, raw, bird, Series::cpu),
                ],
            });
        }
    }
    rows
}

fn millis(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    if millis < 10.0 {
        format!("{millis:.2} ms")
    } else {
        format!("{millis:.0} ms")
    }
}

fn ratios(
    series: &Series,
    raw: Option<&Series>,
    bird: Option<&Series>,
    figure: impl Fn(&Series) -> Duration,
) -> String {
    let ratio = |other: Option<&Series>| {
        let other = other.map(&figure).filter(|other| !other.is_zero());
        let own = figure(series);
        match other {
            Some(other) if !own.is_zero() => format!("{:.2}", own.as_secs_f64() / other.as_secs_f64()),
            _ => "–".into(),
        }
    };
    format!("{}, {}", ratio(raw), ratio(bird))
}

/// The table for people at a terminal.
pub fn print(figures: &Figures) {
    println!("\n{}", figures.setting);
    println!(
        "  {:<46}{:>10}{:>10}{:>11}{:>20}{:>24}",
        "", HEADS[0], HEADS[1], HEADS[2], HEADS[3], HEADS[4]
    );
    for row in rows(figures) {
        if !row.step.is_empty() {
            println!("\n{}", row.step);
        }
        let [median, p99, cpu, time, processor] = &row.cells[..] else {
            continue;
        };
        println!(
            "  {:<46}{median:>10}{p99:>10}{cpu:>11}{time:>20}{processor:>24}",
            row.contender
        );
    }
}
