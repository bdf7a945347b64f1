//! One request, bounded in time and attempts.
//!
//! What was surely not carried out (no connection; 429, with its `Retry-After` as far as that is short) is tried
//! again; reads are tried again after anything transient; a write that may have been carried out is
//! [`Error::Unknown`] and left to the caller.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use datastore::Error;
use http::{Request, header};
use kube::client::Body;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::error::{Call, Says, not_sent};

/// How long things take at most.
#[derive(Debug, Clone)]
pub struct Timing {
    /// One request with its answer.
    pub request: Duration,
    /// Attempts of a request, and of a watch that was lost, before it is given up.
    pub attempts: usize,
    /// The wait before the second attempt; it doubles.
    pub first_wait: Duration,
    /// The longest wait, also where the server asks for more.
    pub longest_wait: Duration,
    /// After this long the server ends a watch by itself and it is opened anew.
    pub watch: Duration,
    /// A watch without event or bookmark for this long counts as lost. API servers send bookmarks about once a
    /// minute.
    pub watch_idle: Duration,
    /// Leases are looked at this often.
    pub presence: Duration,
    /// Objects in one page of a list.
    pub page: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            request: Duration::from_secs(10),
            attempts: 4,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(2),
            watch: Duration::from_secs(290),
            watch_idle: Duration::from_secs(150),
            presence: Duration::from_secs(15),
            page: 500,
        }
    }
}

impl Timing {
    /// Waits between attempts, with jitter. The seed is given: without its `std` feature the crate takes the same one
    /// in every process.
    pub(super) fn waits(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.attempts.saturating_sub(1))
            .with_jitter()
            .with_jitter_seed(crate::pause::seed())
            .build()
    }
}

/// The way to the server.
#[derive(Clone)]
pub struct Transport {
    pub client: kube::Client,
    pub says: Says,
    pub timing: Timing,
}

/// An answer that is for the caller to judge: success, or 404, 409 or 410.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub body: Value,
}

/// What one attempt came to.
enum Attempt {
    Reply(Reply),
    /// Not carried out, with how long the server wants us to wait.
    Again(Error, Option<Duration>),
    /// Carried out or not.
    Lost(Error),
    Fatal(Error),
}

impl Transport {
    /// Carries a request out.
    pub async fn call(&self, call: &Call, request: Request<Vec<u8>>) -> Result<Reply, Error> {
        let mut waits = self.timing.waits();
        loop {
            let (error, asked) = match self.attempt(call, &request).await {
                Attempt::Reply(reply) => return Ok(reply),
                Attempt::Again(error, asked) => (error, asked),
                Attempt::Lost(error) if call.writes() => return Err(error),
                Attempt::Lost(error) => (error, None),
                Attempt::Fatal(error) => return Err(error),
            };
            let Some(wait) = waits.next() else {
                return Err(error);
            };
            sleep(wait.max(asked.unwrap_or_default()).min(self.timing.longest_wait)).await;
        }
    }

    async fn attempt(&self, call: &Call, request: &Request<Vec<u8>>) -> Attempt {
        let request = request.clone().map(Body::from);
        let answer = async {
            let response = self.client.send(request).await?;
            let code = response.status().as_u16();
            let wait = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            let wait = wait.and_then(|text| text.parse().ok()).map(Duration::from_secs);
            let bytes = response.into_body().collect_bytes().await?;
            Ok::<_, kube::Error>((code, wait, bytes))
        };
        let says = &self.says;
        match timeout(self.timing.request, answer).await {
            Err(_) => Attempt::Lost(says.lost(call, &format!("no answer within {:?}", self.timing.request))),
            Ok(Err(seen)) => match says.transport(call, &seen) {
                error @ Error::Refused { .. } => Attempt::Fatal(error),
                error if not_sent(&seen) => Attempt::Again(error, None),
                error => Attempt::Lost(error),
            },
            Ok(Ok((code, wait, bytes))) => {
                let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                self.judge(call, code, wait, body, &bytes)
            }
        }
    }

    fn judge(&self, call: &Call, code: u16, wait: Option<Duration>, body: Value, bytes: &[u8]) -> Attempt {
        let says = &self.says;
        match code {
            200..=299 if body.is_null() => Attempt::Lost(says.lost(call, "an answer that is not JSON")),
            200..=299 | 409 | 410 => Attempt::Reply(Reply { code, body }),
            // A `Status` is about the object; the bare text of the router is about the path.
            404 if body["kind"] == "Status" => Attempt::Reply(Reply { code, body }),
            429 => Attempt::Again(says.busy(call), wait),
            500..=599 => Attempt::Lost(says.failed(call, code, &body, bytes)),
            _ => Attempt::Fatal(says.refusal(call, code, &body, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_callers_wait_alike() {
        let first = |_| Timing::default().waits().next();
        let differing: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert!(differing.len() > 15, "{differing:?}");
    }
}
