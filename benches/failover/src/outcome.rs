//! What runs gave, and what of it is told: medians and worsts.

use std::time::Duration;

/// One direction of one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// Packets that never arrived, by number.
    pub lost: u64,
    /// Of these, what the sender's own kernel refused.
    pub refused: u64,
    /// From the touch of the fabric to the first packet after the last loss.
    pub recovered: Duration,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
}

/// Since when a fault was known to who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// There is nothing to know.
    #[default]
    Nothing,
    /// So long after the touch of the fabric.
    After(Duration),
    /// A router of another make has to act: its time is not ours.
    Elsewhere,
}

/// One run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    /// From the first pod to the second.
    pub there: Way,
    /// And back.
    pub back: Way,
    /// Since when the fault was known to the node that has to act for each direction.
    pub known: [Known; 2],
    /// The machine did not keep the rate in any try.
    pub slow: bool,
}

/// What the figures are held against.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// No packet lost.
    NoLoss,
    /// Recovered within the time of detection and this.
    Within(Duration),
    /// It is only measured.
    None,
}

/// A line of a table: all runs of one thing.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// What is wanted.
    pub goal: Goal,
    /// The runs.
    pub runs: Vec<Run>,
}

/// Median and worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread<T> {
    /// The middle one.
    pub median: T,
    /// The largest.
    pub worst: T,
}

impl<T: Ord + Copy> Spread<T> {
    /// Of these values; `None` where there is none.
    pub fn of(values: impl IntoIterator<Item = T>) -> Option<Spread<T>> {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort_unstable();
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            worst: *values.last()?,
        })
    }
}

impl Row {
    /// All runs met the goal; `None` where there is none.
    pub fn met(&self) -> Option<bool> {
        let ways = |run: &Run| [run.there, run.back];
        match self.goal {
            Goal::None => None,
            Goal::NoLoss => Some(self.runs.iter().flat_map(ways).all(|way| way.lost == 0)),
            Goal::Within(more) => Some(self.runs.iter().all(|run| {
                ways(run).iter().zip(run.known).all(|(way, known)| match known {
                    Known::Nothing => way.recovered <= more,
                    Known::After(known) => way.recovered <= known + more,
                    Known::Elsewhere => true,
                })
            })),
        }
    }

    /// One figure of every run.
    pub fn spread<T: Ord + Copy>(&self, of: impl Fn(&Run) -> Option<T>) -> Option<Spread<T>> {
        Spread::of(self.runs.iter().filter_map(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_by_all_runs_or_not_at_all() {
        let quick = Run::default();
        let mut lossy = Run::default();
        lossy.back.lost = 1;
        lossy.back.recovered = Duration::from_millis(60);
        let row = |goal, runs: &[Run]| Row {
            what: String::new(),
            goal,
            runs: runs.to_vec(),
        };
        assert_eq!(row(Goal::NoLoss, &[quick]).met(), Some(true));
        assert_eq!(row(Goal::NoLoss, &[quick, lossy]).met(), Some(false));
        let within = Goal::Within(Duration::from_millis(50));
        assert_eq!(row(within, &[lossy]).met(), Some(false));
        lossy.known[1] = Known::After(Duration::from_millis(10));
        assert_eq!(row(within, &[quick, lossy]).met(), Some(true));
        lossy.known[1] = Known::Elsewhere;
        lossy.back.recovered = Duration::from_secs(1);
        assert_eq!(row(within, &[lossy]).met(), Some(true));
        assert_eq!(row(Goal::None, &[lossy]).met(), None);
    }

    #[test]
    fn median_and_worst_of_some_values() {
        assert_eq!(Spread::of([3, 1, 2]), Some(Spread { median: 2, worst: 3 }));
        assert_eq!(Spread::<u64>::of([]), None);
    }
}
