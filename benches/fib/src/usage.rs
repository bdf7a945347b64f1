//! Processor time: of processes as `/proc/PID/stat` counts it (proc(5); ticks of 10 ms), of a thread of ours by getrusage(2).

use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// `CLK_TCK`, which is 100 on every architecture of Linux that has this program.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of the processes, all threads of theirs.
pub fn of(processes: &[u32]) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for process in processes {
        let path = format!("/proc/{process}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The second field is a name in parentheses that may hold anything; utime and stime are fields 14 and 15.
        let (_, rest) = text
            .rsplit_once(')')
            .with_context(|| format!("{path} has no name"))?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        ticks += [14, 15]
            .into_iter()
            .filter_map(|field| fields.get(field - 3)?.parse::<u32>().ok())
            .sum::<u32>();
    }
    Ok(TICK * ticks)
}

/// User and system time of the calling thread so far.
pub fn of_this_thread() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).context("getrusage")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}
