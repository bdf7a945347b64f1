//! The node's sysctls, applied when what is wanted changes, checked again when something failed.

use std::collections::BTreeMap;
use std::time::Instant;

/// Remembers what was applied and what was refused.
#[derive(Default)]
pub struct Host {
    applied: Option<hostnet::Wanted>,
    refused: BTreeMap<String, Instant>,
}

impl Host {
    /// Applies what is wanted; true where something was refused and is to be tried again.
    pub fn apply(&mut self, wanted: &hostnet::Wanted) -> bool {
        if self.applied.as_ref() == Some(wanted) && self.refused.is_empty() {
            return false;
        }
        let report = hostnet::apply(wanted);
        for change in &report.changed {
            tracing::info!(%change, "sysctl set");
        }
        let now = Instant::now();
        let old = std::mem::take(&mut self.refused);
        for problem in report.refused {
            let text = problem.to_string();
            let since = old.get(&text).copied().unwrap_or(now);
            self.refused.insert(text, since);
        }
        self.applied = Some(wanted.clone());
        !self.refused.is_empty()
    }

    /// What was refused, and since when.
    pub fn problems(&self) -> Vec<(String, Instant)> {
        self.refused
            .iter()
            .map(|(text, since)| (text.clone(), *since))
            .collect()
    }
}
