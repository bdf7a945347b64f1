//! What every check has at hand: the lab, the voice, the list of outcomes, and questions that several ask.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::{Lab, wait};
use serde_json::Value;

use crate::outcome::Outcome;
use crate::progress::Progress;

/// The stage.
pub struct Context<'a> {
    /// The fabric.
    pub lab: &'a Lab,
    /// The voice.
    pub progress: &'a Progress,
    /// Set when the spectator wants to leave.
    pub stop: &'a AtomicBool,
    /// How long a check of a settled fabric waits before it fails.
    pub patience: Duration,
    /// The checks so far.
    pub outcomes: Vec<Outcome>,
}

impl Context<'_> {
    /// The spectator wants to leave: nothing more is begun.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A step begins.
    pub fn step(&self, what: &str) {
        if !self.stopped() {
            self.progress.step(what);
        }
    }

    /// Makes one check and tells it.
    pub fn check(
        &mut self,
        id: impl Into<String>,
        what: impl Into<String>,
        f: impl FnOnce(&Self) -> Result<String, String>,
    ) {
        if self.stopped() {
            return;
        }
        let (id, what) = (id.into(), what.into());
        self.progress.waiting(&what);
        let result = f(self);
        if self.stopped() {
            // What fails while everything is being left says nothing.
            return;
        }
        let outcome = Outcome { id, what, result };
        self.progress.outcome(&outcome);
        self.outcomes.push(outcome);
    }

    /// Asks until the answer is good, for as long as the deadline allows.
    pub fn wait<T>(&self, deadline: Duration, mut f: impl FnMut() -> Result<T, String>) -> Result<T, String> {
        let mut last = String::new();
        let met = wait::until(deadline, "the condition", || match f() {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.stopped() => Ok(None),
            Err(e) => {
                last.clone_from(&e);
                Err(e)
            }
        });
        let seconds = deadline.as_secs();
        met.map_err(|_| format!("{last} (still after {seconds} s)"))?
            .ok_or_else(|| "interrupted".to_owned())
    }

    /// Runs a command inside a node; its standard output, or why it failed.
    pub fn run(&self, node: &str, argv: &[&str]) -> Result<String, String> {
        self.lab.exec_ok(node, argv).map_err(|e| e.to_string())
    }

    /// Runs `roadbed ...` inside a node and returns what people see.
    pub fn roadbed(&self, node: &str, arguments: &[&str]) -> Result<String, String> {
        let program = self.lab.roadbed().map_err(|e| e.to_string())?;
        self.run(node, &[&[program.as_str()], arguments].concat())
    }

    /// The same with `-o json`, parsed.
    pub fn json(&self, node: &str, arguments: &[&str]) -> Result<Value, String> {
        self.lab.roadbed_json(node, arguments).map_err(|e| e.to_string())
    }

    /// Shows a command of roadbed's and what it writes.
    pub fn show(&self, node: &str, arguments: &[&str]) {
        if self.stopped() {
            return;
        }
        let text = self.roadbed(node, arguments).unwrap_or_else(|e| e);
        self.progress
            .output(&format!("roadbed {}    (on {node})", arguments.join(" ")), &text);
    }

    /// One ping; how long it took, or that nothing came back.
    pub fn ping(&self, from: &str, to: &str) -> Result<String, String> {
        let text = self
            .run(from, &["ping", "-n", "-c", "1", "-W", "1", to])
            .map_err(|_| "no answer".to_owned())?;
        let time = text
            .split("time=")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .unwrap_or("in time");
        Ok(format!("answered, {time}"))
    }

    /// A pod's address.
    pub fn pod(&self, pod: &str) -> Result<String, String> {
        self.lab
            .pod_address(pod)
            .map(|a| a.to_string())
            .map_err(|e| e.to_string())
    }
}
