//! What is printed: medians, 99th percentiles, processor time, and the ratios.

use std::time::Duration;

use crate::plugin::Plugin;

/// Calls of one kind.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    took: Vec<Duration>,
    cpu: Duration,
}

impl Sample {
    /// More calls, with the processor time of all of them.
    pub fn add(&mut self, took: Vec<Duration>, cpu: Duration) {
        self.took.extend(took);
        self.took.sort();
        self.cpu += cpu;
    }

    /// Milliseconds below which this share of the calls lies.
    fn percentile(&self, share: f64) -> f64 {
        let last = self.took.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.took
            .get(at)
            .map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }

    /// Milliseconds of processor time for each call.
    fn cpu(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.took.len().max(1) as f64
    }

    fn row(&self, name: &str) {
        println!(
            "  {name:<18} {:>5} calls   p50 {:>7.2} ms   p99 {:>7.2} ms   processor {:>6.2} ms a call",
            self.took.len(),
            self.percentile(0.5),
            self.percentile(0.99),
            self.cpu()
        );
    }
}

/// What the next lines are about.
pub fn title(text: &str) {
    println!("\n{text}");
}

/// Ours beside theirs.
pub fn pair(verb: &str, plugins: &[Plugin], ours: &Sample, theirs: &Sample) {
    println!(" {verb}");
    for (plugin, sample) in plugins.iter().zip([ours, theirs]) {
        sample.row(plugin.name);
    }
    println!(
        "  ratio              p50 {:.2}   p99 {:.2}   processor {:.2}",
        ours.percentile(0.5) / theirs.percentile(0.5),
        ours.percentile(0.99) / theirs.percentile(0.99),
        ours.cpu() / theirs.cpu()
    );
}

/// How calls go as a node fills, or empties.
pub fn slope(name: &str, verb: &str, hundreds: &[Sample]) {
    let medians: Vec<String> = hundreds
        .iter()
        .map(|s| format!("{:.2}", s.percentile(0.5)))
        .collect();
    let cpu: Vec<String> = hundreds.iter().map(|s| format!("{:.2}", s.cpu())).collect();
    let ratio = match (hundreds.first(), hundreds.last()) {
        (Some(first), Some(last)) => last.percentile(0.5) / first.percentile(0.5),
        _ => f64::NAN,
    };
    println!(
        " {verb} {name:<18} p50 {} ms; processor {} ms; last to first {ratio:.2}",
        medians.join(" "),
        cpu.join(" ")
    );
}
