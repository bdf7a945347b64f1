//! Waits, with a line each time something changes, until sessions and routes are as they should be. It judges
//! nothing: whatever is missing afterwards fails in the checks.

use std::time::Duration;

use crate::checks::{routes, sessions};
use crate::context::Context;
use crate::facts::{NODES, SWITCHES};

pub fn settle(context: &Context<'_>, deadline: Duration) {
    let mut last = (usize::MAX, usize::MAX);
    let _ = context.wait(deadline, || {
        let up: usize = NODES
            .iter()
            .map(|n| sessions::established(context, n).map_or(0, |list| list.len()))
            .sum();
        let switches = SWITCHES
            .iter()
            .filter(|s| sessions::switch(context, s).is_ok())
            .count();
        let routes = NODES
            .iter()
            .filter(|n| routes::all_right(context, n).is_ok())
            .count();
        if last != (up, routes) {
            last = (up, routes);
            let expected = NODES.len() * sessions::PEERS;
            context.progress.line(&format!(
                "    {up} of {expected} sessions established, routes complete on {routes} of {} nodes",
                NODES.len()
            ));
        }
        let done = up == NODES.len() * sessions::PEERS && switches == SWITCHES.len() && routes == NODES.len();
        if done { Ok(()) } else { Err(String::new()) }
    });
}
