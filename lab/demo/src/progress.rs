//! What the spectator sees: a line when a step begins, a line for each check, the outputs of commands indented.
//!
//! On a terminal the running step has a spinner; elsewhere there are plain lines only.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::outcome::Outcome;

/// The voice of the demonstration.
pub struct Progress {
    start: Instant,
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Speaks on standard output; `quiet` says nothing at all.
    pub fn new(quiet: bool) -> Progress {
        let terminal = std::io::stdout().is_terminal() && !quiet;
        let target = if terminal {
            ProgressDrawTarget::stdout()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            bar.set_style(style);
        }
        if terminal {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Progress {
            start: Instant::now(),
            bar,
            quiet,
        }
    }

    /// A step begins.
    pub fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.line(&format!("[{:5.1} s] {what}", self.start.elapsed().as_secs_f64()));
    }

    /// What is being waited for.
    pub fn waiting(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// A check was made.
    pub fn outcome(&self, outcome: &Outcome) {
        match &outcome.result {
            Ok(seen) => self.line(&format!("    ok      {:22} {}: {seen}", outcome.id, outcome.what)),
            Err(why) => self.line(&format!("    FAILED  {:22} {}: {why}", outcome.id, outcome.what)),
        }
    }

    /// What a command wrote.
    pub fn output(&self, command: &str, text: &str) {
        self.line(&format!("      $ {command}"));
        for line in text.lines() {
            self.line(&format!("      {line}"));
        }
    }

    /// A plain line.
    pub fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.bar.suspend(|| println!("{}", text.trim_end()));
    }

    /// The show is over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
