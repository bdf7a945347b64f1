//! The section of a page that this benchmark writes: between its marks, so that what stands around it stays.

use std::path::Path;

use anyhow::Context;

use crate::figures::Figures;
use crate::report::{HEADS, rows};

const BEGIN: &str = "<!-- bench-fib: begin (written by `make bench-fib`) -->";
const END: &str = "<!-- bench-fib: end -->";

/// Replaces the section in the file, or appends it.
pub fn write(path: &Path, figures: &Figures) -> anyhow::Result<()> {
    let old = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "# Performance\n".into(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let text = replaced(&old, &section(figures));
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(old: &str, section: &str) -> String {
    let section = format!("{BEGIN}\n{section}{END}\n");
    match (old.find(BEGIN), old.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            let after = old[end + END.len()..]
                .strip_prefix('\n')
                .unwrap_or(&old[end + END.len()..]);
            format!("{}{section}{after}", &old[..begin])
        }
        _ => format!("{}\n\n{section}", old.trim_end()),
    }
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

/// Processors and kernel of this machine.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<&str> = kernel.trim().split('.').take(2).collect();
    format!("{cores} processors, Linux {}", kernel.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_section_stays() {
        let first = replaced("# Performance\n\nwords\n", "one\n");
        assert_eq!(first, format!("# Performance\n\nwords\n\n{BEGIN}\none\n{END}\n"));
        let grown = format!("{first}\n## Another\n");
        let second = replaced(&grown, "two\n");
        assert_eq!(
            second,
            format!("# Performance\n\nwords\n\n{BEGIN}\ntwo\n{END}\n\n## Another\n")
        );
        assert_eq!(replaced(&second, "two\n"), second);
    }
}
