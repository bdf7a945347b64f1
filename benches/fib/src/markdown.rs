//! The section of the page that this benchmark writes.

use std::path::Path;

use bench_support::markdown::{Marks, machine};

use crate::figures::Figures;
use crate::report::{HEADS, rows};

const MARKS: Marks = Marks {
    begin: "<!-- bench-fib: begin (written by `make bench-fib`) -->",
    end: "<!-- bench-fib: end -->",
};

/// Replaces the section in the file, or appends it.
pub fn write(path: &Path, figures: &Figures) -> anyhow::Result<()> {
    MARKS.write(path, |_| Ok(section(figures)))
}

fn section(figures: &Figures) -> String {
    let mut text = format!(
        "## Routes into the FIB\n\n`make bench-fib`, {}, {}. Every router has one eBGP session and a network namespace of its own; time \
         runs from the first byte of the announcement to the notification of the last route, processor time is that of all \
         processes of the router (in ticks of 10 ms) until they rest. `raw netlink` is a loop of ready-made messages without BGP, \
         `routesync alone` a complete wish without BGP and without the agent, with the hop in each route or by one nexthop set. \
         `roadbed-plain` is the agent with `nexthopObjects: off`.\n\n\
         Routes off a dead next hop: all of them refer to one group of nexthop objects. Putting another group or another object in \
         its place is one message, but costs the kernel a look at every route: IPv6 routes get new serial numbers, and as by default \
         (`net.ipv4.nexthop_compat_mode=1`) a notification is made for each route. Removing an object that is one of several in the \
         group costs neither, whatever the family and the mode; so a hop that dies leaves its groups by its own end wherever nothing \
         else needs it, and only where there is no other hop left is the group replaced.\n\n",
        figures.setting,
        machine()
    );
    text += &format!(
        "| | | {} |\n|---|---|{}\n",
        HEADS.join(" | "),
        "--:|".repeat(HEADS.len())
    );
    for row in rows(figures) {
        text += &format!(
            "| {} | {} | {} |\n",
            row.step,
            row.contender,
            row.cells.join(" | ")
        );
    }
    text
}
