//! The page: two stretches between marks are written from records. The first, the cells, is what a run is held to;
//! the second, versions and figures, is what was measured when the page was written, and no other run is held to it.

use std::fmt;

use crate::{Feature, Make, Outcome, Record};

const CELLS: [&str; 2] = ["<!-- cells: begin -->\n", "<!-- cells: end -->\n"];
const MEASURED: [&str; 2] = ["<!-- measured: begin -->\n", "<!-- measured: end -->\n"];

/// Why a page or a run is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Complaint {
    /// No scenario has shown these cells.
    Missing(Vec<(Make, Feature)>),
    /// The page lacks its marks.
    NoMarks(&'static str),
    /// The page says something else than the run.
    Different {
        /// The lines that only the page has.
        page: Vec<String>,
        /// The lines that only the run has.
        run: Vec<String>,
    },
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::Missing(cells) => {
                write!(f, "these cells were shown by no scenario of this run:")?;
                cells
                    .iter()
                    .try_for_each(|(make, feature)| write!(f, "\n  {make}: {feature}"))
            }
            Complaint::NoMarks(mark) => write!(f, "the page has no line `{}`", mark.trim_end()),
            Complaint::Different { page, run } => {
                write!(
                    f,
                    "the page is not what this run saw; `make interop-docs` writes it anew"
                )?;
                page.iter().try_for_each(|line| write!(f, "\n- {line}"))?;
                run.iter().try_for_each(|line| write!(f, "\n+ {line}"))
            }
        }
    }
}

/// Whether every cell has a record, and the page says the same.
pub fn check(page: &str, records: &[Record]) -> Result<(), Complaint> {
    complete(records)?;
    let (_, said, _) = split(page, CELLS)?;
    let seen = cells(records);
    if said == seen {
        return Ok(());
    }
    let only = |a: &str, b: &str| {
        let there: Vec<&str> = b.lines().collect();
        let lines = a.lines().filter(|line| !there.contains(line));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    Err(Complaint::Different {
        page: only(said, &seen),
        run: only(&seen, said),
    })
}

/// The page with both stretches written anew.
pub fn written(page: &str, records: &[Record]) -> Result<String, Complaint> {
    complete(records)?;
    let (before, _, after) = split(page, CELLS)?;
    let page = format!("{before}{}{}{}{after}", CELLS[0], cells(records), CELLS[1]);
    let (before, _, after) = split(&page, MEASURED)?;
    Ok(format!(
        "{before}{}{}{}{after}",
        MEASURED[0],
        measured(records),
        MEASURED[1]
    ))
}

fn complete(records: &[Record]) -> Result<(), Complaint> {
    let mut missing = Vec::new();
    for feature in Feature::ALL {
        for make in Make::ALL {
            if find(records, make, *feature).is_none() {
                missing.push((make, *feature));
            }
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Complaint::Missing(missing))
    }
}

fn find(records: &[Record], make: Make, feature: Feature) -> Option<&Record> {
    records.iter().find(|r| (r.make, r.feature) == (make, feature))
}

/// What is before the marks, between and after them.
fn split<'a>(
    page: &'a str,
    [begin, end]: [&'static str; 2],
) -> Result<(&'a str, &'a str, &'a str), Complaint> {
    let (before, rest) = page.split_once(begin).ok_or(Complaint::NoMarks(begin))?;
    let (inside, after) = rest.split_once(end).ok_or(Complaint::NoMarks(end))?;
    Ok((before, inside, after))
}

fn row(first: &str, rest: impl Iterator<Item = String>) -> String {
    let rest: Vec<String> = rest.collect();
    format!("| {first} | {} |\n", rest.join(" | "))
}

fn cells(records: &[Record]) -> String {
    let mut text = row("", Make::ALL.iter().map(ToString::to_string));
    text += &row("---", Make::ALL.iter().map(|_| "---".to_owned()));
    for feature in Feature::ALL {
        let cell = |make: &Make| match find(records, *make, *feature).map(|r| &r.outcome) {
            Some(Outcome::Works) => "yes".to_owned(),
            Some(Outcome::NotThere(why)) => format!("no: {why}"),
            None => String::new(),
        };
        text += &row(&feature.to_string(), Make::ALL.iter().map(cell));
    }
    text
}

fn measured(records: &[Record]) -> String {
    let mut text = String::new();
    for make in Make::ALL {
        let of_make = records.iter().filter(|r| r.make == make);
        let version = of_make
            .clone()
            .map(|r| r.version.as_str())
            .find(|v| !v.is_empty());
        text += &format!("- {make}: {}\n", version.unwrap_or("version unknown"));
        for record in of_make.filter(|r| !r.detail.is_empty()) {
            text += &format!("  - {}: {}\n", record.feature, record.detail);
        }
    }
    text
}

#[cfg(test)]
mod tests;
