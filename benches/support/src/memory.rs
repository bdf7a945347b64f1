//! Peak memory of processes without sampling.
//!
//! A sampler that walks the mappings of a process of gigabytes many times a second holds up the process that it measures. The
//! kernel keeps the highest resident set by itself (`VmHWM` in `/proc/PID/status`, proc(5)). What of it is shared with other
//! processes, libraries mostly, hardly changes over a run, so that the highest proportional set is `VmHWM - (Rss - Pss)`, with `Rss` and `Pss`
//! of `/proc/PID/smaps_rollup` at the end. A process is new in each run, so that its peak is that of the run.

use anyhow::Context;

/// The highest proportional set of all these processes together, in bytes: the sum of each one's own peak.
pub fn peak(processes: &[u32]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for process in processes {
        let high = field(*process, "status", "VmHWM")?;
        let (resident, proportional) = (
            field(*process, "smaps_rollup", "Rss")?,
            field(*process, "smaps_rollup", "Pss")?,
        );
        sum += high.saturating_sub(resident.saturating_sub(proportional));
    }
    Ok(sum)
}

/// The proportional set of all these processes now, in bytes.
pub fn now(processes: &[u32]) -> anyhow::Result<u64> {
    processes
        .iter()
        .map(|process| field(*process, "smaps_rollup", "Pss"))
        .sum()
}

fn field(process: u32, file: &str, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/{file}");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    kibibytes(&text, name).with_context(|| format!("{path} has no {name}"))
}

/// A line `NAME:   123 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "Rss:  10 kB\nPss:       7 kB\nPss_Dirty:  5 kB\n";
        assert_eq!(kibibytes(text, "Pss"), Some(7 * 1024));
        assert_eq!(kibibytes(text, "Ps"), None);
        assert_eq!(kibibytes(text, "VmHWM"), None);
    }

    #[test]
    fn memory_that_was_given_back_is_in_the_peak() {
        const SIZE: usize = 64 << 20;
        let own = [std::process::id()];
        let filled = vec![1_u8; SIZE];
        assert!(filled.iter().all(|byte| *byte == 1));
        let with = now(&own).unwrap();
        drop(filled);
        let (peak, after) = (peak(&own).unwrap(), now(&own).unwrap());
        assert!(with >= SIZE as u64, "{with}");
        assert!(after + SIZE as u64 / 2 < peak, "{after} {peak}");
    }
}
