//! Waiting for a condition with a deadline, and a failure text that says what was seen instead.

use std::time::{Duration, Instant};

use crate::error::Error;

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until `probe` gives `Ok`; its last `Err` text goes into the failure.
pub fn until<T>(
    deadline: Duration,
    what: impl Into<String>,
    mut probe: impl FnMut() -> Result<T, String>,
) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(last) if start.elapsed() >= deadline => {
                return Err(Error::Timeout {
                    what: what.into(),
                    seconds: deadline.as_secs_f64(),
                    last,
                });
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::until;

    #[test]
    fn the_failure_says_what_was_seen_last() {
        let mut n = 0;
        let e = until(Duration::from_millis(120), "the session", || {
            n += 1;
            Err::<(), _>(format!("state {n}"))
        })
        .unwrap_err();
        let text = e.to_string();
        assert!(
            text.starts_with("the session did not happen within 0.1 s; last seen: state "),
            "{text}"
        );
        assert!(n >= 2);
    }

    #[test]
    fn a_met_condition_returns_its_value_at_once() {
        assert_eq!(until(Duration::ZERO, "x", || Ok(7)).unwrap(), 7);
    }
}
