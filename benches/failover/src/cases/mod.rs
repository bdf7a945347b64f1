//! What is done to the fabrics, case by case.

mod links;
mod moves;
mod planned;
mod reset;

use crate::Args;
use crate::report::Table;

/// One case.
pub struct Case {
    /// What `--only` calls it.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Makes its fabric, measures, takes it down.
    pub run: fn(&Args) -> anyhow::Result<Vec<Table>>,
}

/// All cases, in the order of the page.
pub fn all(args: &Args) -> Vec<Case> {
    let mut cases = planned::cases();
    if !args.ten_minutes {
        cases.retain(|case| case.name != planned::TEN_MINUTES);
    }
    cases.extend(reset::cases());
    cases.extend(links::cases());
    cases.extend(moves::cases());
    cases
}
