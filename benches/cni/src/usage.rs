//! Processor time, as `/proc` counts it (proc(5), `/proc/PID/stat`): in ticks of 10 ms, so only sums over many calls mean something.

use std::time::Duration;

use anyhow::Context;

/// `CLK_TCK`, which is 100 on every architecture of Linux that has this program.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of the children of this process that have ended, with their children, and of another process.
pub fn spent(agent: i32) -> anyhow::Result<Duration> {
    // Fields 16 and 17: cutime, cstime; fields 14 and 15: utime, stime.
    Ok(fields("self", [16, 17])? + fields(&agent.to_string(), [14, 15])?)
}

fn fields(process: &str, which: [usize; 2]) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The second field is a name in parentheses that may hold anything.
    let (_, rest) = text
        .rsplit_once(')')
        .with_context(|| format!("{path} has no name"))?;
    let ticks: Vec<u32> = which
        .iter()
        .filter_map(|field| rest.split_whitespace().nth(field - 3)?.parse().ok())
        .collect();
    Ok(TICK * ticks.iter().sum::<u32>())
}
