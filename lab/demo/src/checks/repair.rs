//! A route that somebody deletes by hand comes back.

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::facts::by_name;

/// Where routes are deleted.
const NODE: &str = "a1";

pub fn repair(context: &mut Context<'_>) {
    context.step("deleting routes by hand on a1");
    for (form, owner) in [("direct", "a2"), ("vxlan", "b2")] {
        let Some(owner) = by_name(owner) else { continue };
        let what = format!("the {form} route to {} comes back", owner.block);
        context.check(format!("repair/{form}"), what, |c| comes_back(c, owner.block));
    }
}

fn comes_back(context: &Context<'_>, block: &str) -> Result<String, String> {
    let show = || {
        context
            .run(NODE, &["ip", "route", "show", block, "proto", "82"])
            .map(|t| t.trim().to_owned())
    };
    let before = show()?;
    if before.is_empty() {
        return Err(format!("there is no route of ours to {block} to begin with"));
    }
    let repaired = || {
        context
            .json(NODE, &["status"])
            .map(|s| s["routes"]["repaired"].as_u64().unwrap_or(0))
    };
    let counted = repaired()?;
    context.run(NODE, &["ip", "route", "del", block, "proto", "82"])?;
    let start = Instant::now();
    // Asked faster than the usual, so that the time told is not that of the asking.
    let after = loop {
        let now = show()?;
        if !now.is_empty() || start.elapsed() > context.patience {
            break now;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = start.elapsed();
    if after != before {
        return Err(format!(
            "it was `{before}`, and after {:.1} s it is `{after}`",
            took.as_secs_f64()
        ));
    }
    // The route may be back before it was seen missing; the agent's count tells that it was repaired.
    context.wait(context.patience, || match repaired()? {
        n if n > counted => Ok(()),
        n => Err(format!("the agent counts {n} repairs, as before")),
    })?;
    Ok(format!("back within {} ms: {after}", took.as_millis().max(1)))
}
