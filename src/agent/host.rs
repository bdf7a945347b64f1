//! The node's sysctls, applied when what is wanted changes, checked again when something failed; and limits of the
//! machine, which are said and never set.

use std::collections::BTreeMap;
use std::time::Instant;

use config::NexthopCompat;

/// Remembers what was applied and what was refused.
pub struct Host {
    nexthop_compat: NexthopCompat,
    applied: Option<hostnet::Wanted>,
    refused: BTreeMap<String, Instant>,
    advice: Vec<String>,
}

impl Host {
    /// Nothing is applied yet; the operator's choice about the compatibility of nexthop objects comes from the agent's file.
    pub fn new(nexthop_compat: NexthopCompat) -> Host {
        Host {
            nexthop_compat,
            applied: None,
            refused: BTreeMap::new(),
            advice: Vec::new(),
        }
    }

    /// Applies what is wanted; true where something was refused and is to be tried again.
    pub fn apply(&mut self, wanted: &hostnet::Wanted) -> bool {
        let wanted = hostnet::Wanted {
            nexthop_compat_off: self.nexthop_compat == NexthopCompat::Off,
            ..wanted.clone()
        };
        if self.applied.as_ref() == Some(&wanted) && self.refused.is_empty() {
            return false;
        }
        let report = hostnet::apply(&wanted);
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
        let advice: Vec<String> = hostnet::advice(&wanted).iter().map(ToString::to_string).collect();
        if self.advice != advice {
            advice.iter().for_each(|advice| tracing::warn!("{advice}"));
            self.advice = advice;
        }
        self.applied = Some(wanted);
        !self.refused.is_empty()
    }

    /// What was refused, and since when.
    pub fn problems(&self) -> Vec<(String, Instant)> {
        self.refused
            .iter()
            .map(|(text, since)| (text.clone(), *since))
            .collect()
    }

    /// Limits that were too low when it was last applied.
    pub fn advice(&self) -> Vec<String> {
        self.advice.clone()
    }
}
