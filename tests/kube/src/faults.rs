//! What can be made to go wrong.

use std::time::Duration;

/// Requests that are answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    /// The HTTP status.
    pub code: u16,
    /// The `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
    /// How many requests.
    pub times: usize,
    /// Only requests of this method; none: all.
    pub method: Option<&'static str>,
    /// Only requests whose path contains this; none: all.
    pub path: Option<&'static str>,
}

impl Fail {
    /// The next `times` requests get this status.
    pub fn next(code: u16, times: usize) -> Self {
        Fail {
            code,
            retry_after: None,
            times,
            method: None,
            path: None,
        }
    }
}

#[derive(Debug, Default)]
pub struct Faults {
    pub delay: Duration,
    pub fail: Option<Fail>,
    /// So many writes are carried out and never answered.
    pub lost_answers: usize,
}

impl Faults {
    /// The error that this request gets, if it gets one.
    pub fn fails(&mut self, method: &str, path: &str) -> Option<Fail> {
        let fail = self.fail.as_mut().filter(|fail| fail.times > 0)?;
        if fail.method.is_some_and(|only| only != method)
            || fail.path.is_some_and(|part| !path.contains(part))
        {
            return None;
        }
        fail.times -= 1;
        Some(fail.clone())
    }

    /// Whether the answer to this write gets lost.
    pub fn loses(&mut self) -> bool {
        let lost = self.lost_answers > 0;
        self.lost_answers = self.lost_answers.saturating_sub(1);
        lost
    }
}
