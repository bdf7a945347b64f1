//! Checks across resources: what each alone cannot know.
//!
//! Every check looks at everything that was read and returns all that it finds. Checks that conclude from
//! the absence of a resource keep quiet while one could not be read.

mod names;
mod nodes;
mod overlap;
mod peers;
mod pools;
mod references;
mod services;

use crate::problem::Problem;
use crate::resources::Resources;
use crate::source::Rules;

/// Runs all checks.
pub fn check(resources: &Resources, rules: Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    names::check(resources, &mut problems);
    pools::check(resources, rules, &mut problems);
    nodes::check(resources, rules, &mut problems);
    peers::check(resources, &mut problems);
    references::check(resources, &mut problems);
    services::check(resources, &mut problems);
    problems
}
