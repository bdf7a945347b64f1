//! What runs gave, and what of it is told.

use std::time::Duration;

use bench_support::series::percentile;

use crate::cases::Case;
use crate::contenders::Contender;

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// From the first byte (or connection) to the read that made everything right; nothing where nothing is waited for.
    pub took: Option<Duration>,
    /// Processor time of all the daemon's processes until they rest.
    pub cpu: Duration,
    /// The highest proportional set of all its processes, in bytes.
    pub peak: u64,
    /// The same at the end.
    pub at_end: u64,
    /// Processor time of the receivers' thread: how near this program is to being the slowest part.
    pub listening: Duration,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Everything was right.
    Measured(Sample),
    /// Something was wrong or missing: it counts for nothing.
    Void(String),
    /// The contender cannot do it.
    NotAble(String),
}

/// All runs of one contender in one case.
#[derive(Debug, Clone)]
pub struct Row {
    /// Who.
    pub contender: Contender,
    /// What came of each run.
    pub outcomes: Vec<Outcome>,
}

/// The middle, the lowest and the highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle.
    pub median: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
}

impl Row {
    /// The runs that count.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Measured(sample) => Some(sample),
            Outcome::Void(_) | Outcome::NotAble(_) => None,
        })
    }

    /// One figure of all runs that count.
    pub fn spread(&self, figure: impl Fn(&Sample) -> Option<u64>) -> Option<Spread> {
        let all: Vec<u64> = self.samples().filter_map(figure).collect();
        let at = |share| percentile(&all, share).map(|value| value as f64);
        Some(Spread {
            median: at(0.5)?,
            least: at(0.0)?,
            most: at(1.0)?,
        })
    }

    /// Seconds from the start to the last prefix.
    pub fn took(&self) -> Option<Spread> {
        self.spread(|sample| Some(nanos(sample.took?)))
            .map(|spread| spread.times(1e-9))
    }

    /// Seconds of processor time.
    pub fn cpu(&self) -> Option<Spread> {
        self.spread(|sample| Some(nanos(sample.cpu)))
            .map(|spread| spread.times(1e-9))
    }

    /// Mebibytes at the peak.
    pub fn peak(&self) -> Option<Spread> {
        self.spread(|sample| Some(sample.peak))
            .map(|spread| spread.times(MEBI))
    }

    /// Mebibytes at the end.
    pub fn at_end(&self) -> Option<Spread> {
        self.spread(|sample| Some(sample.at_end))
            .map(|spread| spread.times(MEBI))
    }

    /// Why there are no figures, or fewer than there should be.
    pub fn trouble(&self) -> Option<String> {
        let not_able = self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::NotAble(why) => Some(format!("not able: {why}")),
            _ => None,
        });
        if not_able.is_some() {
            return not_able;
        }
        let void: Vec<&str> = self
            .outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Void(why) => Some(why.lines().next().unwrap_or_default()),
                _ => None,
            })
            .collect();
        let first = void.first()?;
        Some(format!(
            "{} of {} runs void: {first}",
            void.len(),
            self.outcomes.len()
        ))
    }
}

const MEBI: f64 = 1.0 / (1024.0 * 1024.0);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Spread {
    fn times(self, factor: f64) -> Spread {
        Spread {
            median: self.median * factor,
            least: self.least * factor,
            most: self.most * factor,
        }
    }
}

/// A case that was played.
#[derive(Debug, Clone)]
pub struct Table {
    /// Which.
    pub case: Case,
    /// What it was made of.
    pub words: String,
    /// The contenders, in the order in which they were named.
    pub rows: Vec<Row>,
}

/// A figure against its goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Of what.
    pub what: &'static str,
    /// Ours by theirs.
    pub ratio: f64,
    /// What it may be at most.
    pub goal: f64,
    /// Who theirs is.
    pub against: &'static str,
}

impl Verdict {
    /// Whether it is met.
    pub fn met(&self) -> bool {
        self.ratio <= self.goal + 1e-9
    }
}

impl Table {
    fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| row.contender == contender)
    }

    /// The median of one figure of a contender.
    pub fn median(&self, contender: Contender, figure: fn(&Row) -> Option<Spread>) -> Option<f64> {
        Some(figure(self.row(contender)?)?.median)
    }

    /// The lowest median of the other routers.
    pub fn best_other(&self, figure: fn(&Row) -> Option<Spread>) -> Option<(Contender, f64)> {
        self.rows
            .iter()
            .filter(|row| row.contender.routes() && row.contender != Contender::Roadbed)
            .filter_map(|row| Some((row.contender, figure(row)?.median)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The agent's figures against the goals: half of BIRD's processor time and memory, 0.7 of the best time.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let bird = |what, figure: fn(&Row) -> Option<Spread>| {
            let theirs = self.median(Contender::Bird, figure)?;
            Some((what, figure, 0.5, Contender::Bird, theirs))
        };
        let best = self
            .best_other(Row::took)
            .map(|(who, theirs)| ("time", Row::took as fn(&Row) -> Option<Spread>, 0.7, who, theirs));
        [
            bird("processor time", Row::cpu),
            best,
            bird("peak memory", Row::peak),
        ]
        .into_iter()
        .flatten()
        .filter_map(|(what, figure, goal, who, theirs)| {
            let ours = self.median(Contender::Roadbed, figure)?;
            (theirs > 0.0).then_some(Verdict {
                what,
                ratio: ours / theirs,
                goal,
                against: who.name(),
            })
        })
        .collect()
    }

    /// The time of the copy by that of the best router: above one half, this program may be what is measured.
    pub fn floor(&self) -> Option<f64> {
        let copy = self.median(Contender::Copy, Row::took)?;
        let routers = self.rows.iter().filter(|row| row.contender.routes());
        let best = routers
            .filter_map(|row| Some(row.took()?.median))
            .min_by(f64::total_cmp)?;
        Some(copy / best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(took: u64, cpu: u64, peak: u64) -> Outcome {
        Outcome::Measured(Sample {
            took: Some(Duration::from_millis(took)),
            cpu: Duration::from_millis(cpu),
            peak: peak << 20,
            at_end: peak << 20,
            listening: Duration::ZERO,
        })
    }

    fn row(contender: Contender, outcomes: Vec<Outcome>) -> Row {
        Row { contender, outcomes }
    }

    #[test]
    fn ratios_are_of_medians_and_goals_are_held_against_them() {
        let void = Outcome::Void("a digest\nmore".into());
        let table = Table {
            case: Case::FullTable,
            words: String::new(),
            rows: vec![
                row(
                    Contender::Roadbed,
                    vec![
                        sample(700, 500, 60),
                        sample(710, 400, 90),
                        sample(600, 450, 70),
                        void,
                    ],
                ),
                row(Contender::Bird, vec![sample(1100, 1000, 100)]),
                row(Contender::Frr, vec![sample(1000, 9000, 2000)]),
                row(Contender::Gobgp, vec![Outcome::NotAble("no".into())]),
                row(Contender::Copy, vec![sample(210, 10, 2)]),
            ],
        };
        let verdicts = table.verdicts();
        let of = |what| verdicts.iter().find(|verdict| verdict.what == what).unwrap();
        let (cpu, time, peak) = (of("processor time"), of("time"), of("peak memory"));
        assert!((cpu.ratio - 0.45).abs() < 1e-9 && cpu.met() && cpu.against == "bird");
        assert!((time.ratio - 0.7).abs() < 1e-9 && time.met() && time.against == "frr");
        assert!((peak.ratio - 0.7).abs() < 1e-9 && !peak.met());
        assert!((table.floor().unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(table.rows[0].trouble().unwrap(), "1 of 4 runs void: a digest");
        assert_eq!(table.rows[3].trouble().unwrap(), "not able: no");
        assert_eq!(table.rows[1].trouble(), None);
        let spread = table.rows[0].took().unwrap();
        assert!((spread.least - 0.6).abs() < 1e-9 && (spread.most - 0.71).abs() < 1e-9);
    }

    #[test]
    fn without_figures_there_is_no_verdict() {
        let table = Table {
            case: Case::Idle,
            words: String::new(),
            rows: vec![
                row(Contender::Roadbed, vec![sample(1, 1, 1)]),
                row(Contender::Bird, vec![Outcome::Void(String::new())]),
            ],
        };
        assert!(table.verdicts().is_empty() && table.floor().is_none());
    }
}
