//! What was measured, before it is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_support::series::percentile;

/// One measurement of a step.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// From the first message to the last route.
    pub took: Duration,
    /// Processor time.
    pub cpu: Duration,
}

/// All measurements of one contender in one step.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// How long each took.
    pub took: Vec<Duration>,
    /// Processor time of each, or one figure for all of them where they are too short to tell apart.
    pub cpu: Vec<Duration>,
}

impl Series {
    /// One more.
    pub fn add(&mut self, sample: Sample) {
        self.took.push(sample.took);
        self.cpu.push(sample.cpu);
    }

    /// Below which this share of the durations lies.
    pub fn percentile(&self, share: f64) -> Duration {
        percentile(&self.took, share).unwrap_or_default()
    }

    /// The median of the processor times.
    pub fn cpu(&self) -> Duration {
        percentile(&self.cpu, 0.5).unwrap_or_default()
    }
}

/// What is done in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Many routes; median and processor time.
    Bulk,
    /// One route; median and 99th percentile.
    Single,
}

/// The steps in the order in which they are printed, each with its contenders.
#[derive(Debug, Default)]
pub struct Figures {
    steps: Vec<(String, Kind, Vec<String>)>,
    series: BTreeMap<(String, String), Series>,
    /// What the run was made of, for the report.
    pub setting: String,
}

/// The name of the limit in the report.
pub const RAW: &str = "raw netlink";

impl Figures {
    /// The series of a contender in a step; both are listed in the order in which they were first asked for.
    pub fn series(&mut self, step: &str, kind: Kind, contender: &str) -> &mut Series {
        if !self.steps.iter().any(|(known, ..)| known == step) {
            self.steps.push((step.to_owned(), kind, Vec::new()));
        }
        for (known, _, contenders) in &mut self.steps {
            if known == step && !contenders.iter().any(|c| c == contender) {
                contenders.push(contender.to_owned());
            }
        }
        self.series
            .entry((step.to_owned(), contender.to_owned()))
            .or_default()
    }

    /// Every step with its contenders and their figures.
    pub fn steps(&self) -> impl Iterator<Item = (&str, Kind, Vec<(&str, &Series)>)> {
        self.steps.iter().map(|(step, kind, contenders)| {
            let series = contenders.iter().filter_map(|contender| {
                let series = self.series.get(&(step.clone(), contender.clone()))?;
                Some((contender.as_str(), series))
            });
            (step.as_str(), *kind, series.collect())
        })
    }
}
