//! Times, and how they are printed.

use std::time::{Duration, Instant};

/// Some times of the same thing, and the processor time that all of them took together.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Each by the clock.
    pub times: Vec<Duration>,
    /// Of the processor, of this process and of those that it waited for.
    pub cpu: Duration,
}

impl Sample {
    /// Takes the time of `count` calls.
    pub fn take(count: usize, mut call: impl FnMut(usize)) -> Sample {
        let before = cpu();
        let times = (0..count)
            .map(|number| {
                let begun = Instant::now();
                call(number);
                begun.elapsed()
            })
            .collect();
        Sample {
            times,
            cpu: cpu().saturating_sub(before),
        }
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        ipam_proof::counted::median(self.times.clone())
    }

    /// The one that 99 of 100 do not exceed.
    fn slow(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let at = times.len() * 99 / 100;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    /// One line.
    pub fn print(&self, what: &str) {
        let count = u32::try_from(self.times.len()).unwrap_or(1).max(1);
        println!(
            "{what:<58} median {:>8.3} ms   99% {:>8.3} ms   processor {:>7.3} ms each",
            millis(self.median()),
            millis(self.slow()),
            millis(self.cpu / count)
        );
    }
}

/// In milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// `a` against `b`.
pub fn ratio(what: &str, a: Duration, b: Duration) {
    println!("{what:<58} {:.3}", a.as_secs_f64() / b.as_secs_f64().max(1e-9));
}

/// Processor time of this process and its children that have ended: `/proc/self/stat`, in ticks of 10 ms (proc(5)).
pub fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = (after_name.split_whitespace().skip(11).take(4))
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}
