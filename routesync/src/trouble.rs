//! Failed writes: the kernel's answer in words, and when to try again.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(30);

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ENETDOWN: i32 = 100;
const ENETUNREACH: i32 = 101;
const EHOSTUNREACH: i32 = 113;

/// The kernel's refusal of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The positive errno.
    pub errno: i32,
    /// The kernel's own words (`NLMSGERR_ATTR_MSG`), where it gave some.
    pub message: Option<String>,
}

impl Refusal {
    /// There is nothing (any more) to remove or replace.
    pub fn is_absence(&self) -> bool {
        matches!(self.errno, ENOENT | ESRCH | ENODEV)
    }

    /// The answer shows that the kernel holds something else at the key than the mirror says.
    pub fn contradicts_mirror(&self) -> bool {
        matches!(self.errno, EEXIST | ENOENT | ESRCH)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.message, self.errno) {
            (Some(message), _) => write!(f, "the kernel refused it: {}", message.trim_end_matches('.')),
            (None, ENETDOWN) => f.write_str("the interface is down"),
            (None, ENETUNREACH | EHOSTUNREACH) => f.write_str("the gateway is on no network of this host"),
            (None, EINVAL) => f.write_str(
                "the kernel refused it as invalid: a preferred source that this host does not have, or a gateway on no network of it",
            ),
            (None, errno) => write!(f, "the kernel refused it: {}", std::io::Error::from_raw_os_error(errno)),
        }
    }
}

/// A key that is not as wanted.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub reason: String,
    pub since: SystemTime,
    /// When to try again; `None`: when an event says that something has changed.
    pub due: Option<Instant>,
    attempts: u32,
}

impl Trouble {
    pub fn new(since: SystemTime) -> Self {
        Trouble {
            reason: String::new(),
            since,
            due: None,
            attempts: 0,
        }
    }

    /// Notes one more failure; `now` is given if another try is to follow: after 10 ms at first, twice as long each time.
    pub fn failed(&mut self, reason: String, now: Option<Instant>) {
        self.reason = reason;
        self.due = now.map(|now| now + (FIRST * 2u32.pow(self.attempts.min(16))).min(LONGEST));
        self.attempts += u32::from(now.is_some());
    }

    /// Makes a try that waits for its time due now.
    pub fn retry(&mut self, now: Instant) {
        self.due = self.due.map(|_| now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_up_to_a_limit_and_retries_at_once_when_told() {
        let now = Instant::now();
        let mut trouble = Trouble::new(SystemTime::UNIX_EPOCH);
        trouble.failed("x".into(), Some(now));
        assert_eq!(trouble.due, Some(now + FIRST));
        for _ in 0..40 {
            trouble.failed("x".into(), Some(now));
        }
        assert_eq!(trouble.due, Some(now + LONGEST));
        trouble.retry(now);
        assert_eq!(trouble.due, Some(now));
        trouble.failed("x".into(), None);
        trouble.retry(now);
        assert_eq!(trouble.due, None);
    }
}
