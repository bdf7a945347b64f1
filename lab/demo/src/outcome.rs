//! The result of one check.

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Stable name, `group/subject`.
    pub id: String,
    /// What is checked, in words.
    pub what: String,
    /// What was seen: as it should be, or not.
    pub result: Result<String, String>,
}

impl Outcome {
    /// The check passed.
    pub fn passed(&self) -> bool {
        self.result.is_ok()
    }
}

/// The ids of the checks that failed, in order.
pub fn failed(outcomes: &[Outcome]) -> Vec<&str> {
    outcomes
        .iter()
        .filter(|o| !o.passed())
        .map(|o| o.id.as_str())
        .collect()
}
