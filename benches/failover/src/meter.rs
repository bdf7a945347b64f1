//! One run: streams both ways between two pods, something that is done meanwhile, and what both streams lost.

use std::time::{Duration, Instant};

use lab::traffic::{Report, Traffic};

use crate::outcome::{Known, Run, Way};
use crate::place::{Place, SOON};

/// Packets a second in each direction.
pub const RATE: u32 = 1_000;

/// Packets that arrive before something is done, and after it.
const SETTLE: u64 = RATE as u64 / 2;

/// How often a run is repeated in which the machine did not keep the rate.
const TRIES: usize = 6;

/// The streams of a run.
pub struct Both {
    pods: [String; 2],
    there: Traffic,
    back: Traffic,
}

impl Both {
    /// Starts both streams and waits until packets arrive both ways.
    pub fn start(place: &Place, a: &str, b: &str) -> anyhow::Result<Both> {
        let both = Both {
            pods: [a.to_owned(), b.to_owned()],
            there: stream(place, a, b)?,
            back: stream(place, b, a)?,
        };
        both.settle()?;
        Ok(both)
    }

    /// Puts new streams, of other ports, in the place of one or both.
    pub fn again(&mut self, place: &Place, there: bool, back: bool) -> anyhow::Result<()> {
        let [a, b] = &self.pods;
        if there {
            std::mem::replace(&mut self.there, stream(place, a, b)?).stop();
        }
        if back {
            std::mem::replace(&mut self.back, stream(place, b, a)?).stop();
        }
        self.settle()
    }

    /// Waits until half a second's worth of packets has arrived both ways from now on.
    pub fn settle(&self) -> anyhow::Result<()> {
        self.there.wait_arrived(SETTLE, SOON)?;
        self.back.wait_arrived(SETTLE, SOON)?;
        Ok(())
    }

    /// Sends for this long.
    pub fn last(&self, span: Duration) -> anyhow::Result<()> {
        let packets = u64::try_from(span.as_millis()).unwrap_or(u64::MAX) * u64::from(RATE) / 1000;
        self.there.wait_sent(self.there.sent() + packets)?;
        Ok(())
    }

    /// Ends both streams; `cut` is when what is measured began.
    pub fn stop(self, cut: Instant) -> (Run, bool) {
        let ago = cut.elapsed();
        let mark = |stream: &Traffic| stream.now().saturating_sub(ago);
        let (there_cut, back_cut) = (mark(&self.there), mark(&self.back));
        let (there, back) = (self.there.stop(), self.back.stop());
        let kept = there.full_rate() && back.full_rate();
        let way = |report: &Report, cut| Way {
            lost: report.lost,
            refused: report.refused,
            recovered: report.recovered_after(cut),
            reordered: report.reordered,
            duplicates: report.duplicates,
        };
        let run = Run {
            there: way(&there, there_cut),
            back: way(&back, back_cut),
            ..Run::default()
        };
        (run, kept)
    }
}

fn stream(place: &Place, from: &str, to: &str) -> anyhow::Result<Traffic> {
    Ok(Traffic::start(place, from, to, place.pod(to)?, RATE)?)
}

/// What a run does to the fabric while packets flow; when it began, and when it was seen where that is known.
pub struct Done {
    /// When the fabric was touched.
    pub cut: Instant,
    /// Since when the fault was known to who has to act for each direction.
    pub known: [Known; 2],
}

impl Done {
    /// Began then; nothing is to be detected.
    pub fn at(cut: Instant) -> Done {
        Done {
            cut,
            known: [Known::Nothing; 2],
        }
    }
}

/// One run of which the full rate is certain, where the machine lets us.
pub fn measure(
    place: &mut Place,
    [a, b]: [&str; 2],
    mut act: impl FnMut(&mut Place, &mut Both) -> anyhow::Result<Done>,
    mut restore: impl FnMut(&mut Place) -> anyhow::Result<()>,
) -> anyhow::Result<Run> {
    let mut last = None;
    for _ in 0..TRIES {
        let mut both = Both::start(place, a, b)?;
        let done = act(place, &mut both)?;
        both.settle()?;
        let (run, kept) = both.stop(done.cut);
        restore(place)?;
        let run = Run {
            known: done.known,
            slow: !kept,
            ..run
        };
        if kept {
            return Ok(run);
        }
        last = Some(run);
    }
    last.ok_or_else(|| anyhow::anyhow!("no run was made"))
}
