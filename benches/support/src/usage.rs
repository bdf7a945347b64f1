//! Processor time: of processes as `/proc/PID/stat` counts it (proc(5); ticks of 10 ms), or finer as the scheduler does; of a thread of
//! ours by getrusage(2).

use std::time::{Duration, Instant};

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

/// The same in nanoseconds, of the threads that run now (`/proc/PID/task/*/schedstat`), and never less than what [`of`] counts less
/// its last tick: threads that have ended are in that alone.
pub fn fine(processes: &[u32]) -> anyhow::Result<Duration> {
    let mut sum = 0;
    for process in processes {
        let path = format!("/proc/{process}/task");
        let tasks = std::fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
        for task in tasks.flatten() {
            // A thread may end meanwhile.
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let spent = text.split_whitespace().next().and_then(|word| word.parse().ok());
            sum += spent.unwrap_or(0);
        }
    }
    let ticks = of(processes)?.saturating_sub(TICK);
    Ok(Duration::from_nanos(sum).max(ticks))
}

/// User and system time of the calling thread so far.
pub fn of_this_thread() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).context("getrusage")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

/// Asks until twice the same comes, and has come for so long; what it is then, or after `patience`.
pub fn settled(
    quiet: Duration,
    patience: Duration,
    mut spent: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Duration> {
    let (began, mut last) = (Instant::now(), spent()?);
    loop {
        std::thread::sleep(quiet);
        let now = spent()?;
        if now == last || began.elapsed() > patience {
            return Ok(now);
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_in_both_ways() {
        let own = [std::process::id()];
        let before = (of(&own).unwrap(), fine(&own).unwrap());
        let began = Instant::now();
        let mut sum = 0_u64;
        while of(&own).unwrap() < before.0 + 5 * TICK {
            assert!(began.elapsed() < Duration::from_secs(60), "no time is counted");
            sum = (0..1_000_000_u64).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(fine(&own).unwrap() >= before.1 + 3 * TICK, "{sum}");
    }

    #[test]
    fn what_does_not_change_has_settled() {
        let mut readings = [1, 2, 3, 3, 4].map(Duration::from_secs).into_iter();
        let at = settled(Duration::ZERO, Duration::from_secs(9), || {
            Ok(readings.next().unwrap())
        })
        .unwrap();
        assert_eq!(at, Duration::from_secs(3));
    }
}
