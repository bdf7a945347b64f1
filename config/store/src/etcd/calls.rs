//! One call as several attempts: member after member, with pauses that grow and differ, until an answer, an error
//! that no other member would change, or the end of the call's time.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep, timeout};

use super::errors::{self, Trouble};
use super::pool::{Live, Pool};
use crate::pause::seed;

/// How often a lost token is fetched again within one call.
const TOKENS: usize = 3;

/// Whether it may be sent again when the answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Carrying it out twice is the same as once.
    Repeatable,
    /// Once an answer is lost, the caller has to look.
    Once,
}

/// Pauses with jitter, as many as asked for. The seed is given: without its `std` feature the crate takes the same
/// one in every process, and all nodes would come back in step.
pub(super) fn pauses(first: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .with_jitter_seed(seed())
        .without_max_times()
        .build()
}

impl Pool {
    /// Carries `operation` out at whichever member answers.
    pub async fn call<T, F>(&self, kind: Kind, operation: impl Fn(Live) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let deadline = Instant::now() + self.timing.total;
        // An attempt cut short would leave a write in doubt for nothing: the last one begins while there is time.
        let last_start = match kind {
            Kind::Once => deadline.checked_sub(self.timing.attempt).unwrap_or(deadline),
            Kind::Repeatable => deadline,
        };
        let mut pauses = pauses(self.timing.pause);
        let mut said: Vec<Option<Trouble>> = vec![None; self.size()];
        let mut tokens = 0;
        loop {
            for _ in 0..self.size() {
                let slot = self.current();
                let trouble = match self.attempt(slot, deadline, &operation).await {
                    Ok(value) => return Ok(value),
                    Err(trouble) => trouble,
                };
                match &trouble {
                    Trouble::Lost(_) if kind == Kind::Once => return Err(trouble),
                    Trouble::Away(_) | Trouble::Lost(_) | Trouble::Refused { .. } => self.move_on(slot),
                    Trouble::Token if tokens < TOKENS => tokens += 1,
                    _ => return Err(trouble),
                }
                said[slot] = Some(trouble);
                if Instant::now() >= last_start {
                    return Err(self.summary(&said));
                }
            }
            if let Some(refused) = all_refuse(&said) {
                return Err(refused);
            }
            let left = last_start.saturating_duration_since(Instant::now());
            sleep(pauses.next().unwrap_or_default().min(left)).await;
        }
    }

    async fn attempt<T, F>(
        &self,
        slot: usize,
        deadline: Instant,
        operation: &impl Fn(Live) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let live = self
            .live(slot)
            .await
            .map_err(|trouble| self.hint(slot, trouble))?;
        let left = deadline.saturating_duration_since(Instant::now());
        // The last one gets a moment even so: connecting may have used up the time.
        let limit = self.timing.attempt.min(left.max(self.timing.attempt / 3));
        match timeout(limit, operation(live.clone())).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.hint(slot, self.failure(&live, &error))),
            Err(_) => {
                self.failed(&live);
                Err(Trouble::Lost(format!(
                    "no answer within {:.1} s",
                    limit.as_secs_f32()
                )))
            }
        }
    }

    /// What an error on a connection means, and throws the connection away if it is the reason.
    pub fn failure(&self, live: &Live, error: &etcd_client::Error) -> Trouble {
        let trouble = errors::classify(error);
        match trouble {
            // Authentication was switched on since.
            Trouble::Denied { .. } if live.anonymous => {
                self.broke(live);
                Trouble::Token
            }
            Trouble::Token => {
                self.broke(live);
                trouble
            }
            _ if errors::is_of_connection(error) => {
                self.failed(live);
                trouble
            }
            _ => trouble,
        }
    }

    /// What the end of a connection may mean where one side speaks TLS and the other does not.
    fn hint(&self, slot: usize, trouble: Trouble) -> Trouble {
        let detail = trouble.detail();
        let said = |words: &[&str]| words.iter().any(|word| detail.contains(word));
        let fix = match self.url(slot).starts_with("https:") {
            // Whether the end of the connection or its reset is heard first depends on the moment.
            true if said(&["handshake eof", "broken pipe", "reset"]) => {
                "if it does not speak TLS, write http:// in datastore.endpoints; if it wants a certificate of its \
                 clients, look at datastore.certFile"
            }
            false if said(&["broken pipe", "reset", "closed"]) => {
                "if it speaks TLS, write https:// in datastore.endpoints"
            }
            _ => return trouble,
        };
        match trouble {
            Trouble::Away(_) => Trouble::Away(format!("{detail}; {fix}")),
            Trouble::Lost(_) => Trouble::Lost(format!("{detail}; {fix}")),
            trouble => trouble,
        }
    }

    /// What each member said, as one.
    fn summary(&self, said: &[Option<Trouble>]) -> Trouble {
        if let Some(refused) = all_refuse(said) {
            return refused;
        }
        let heard = said
            .iter()
            .enumerate()
            .filter_map(|(slot, trouble)| Some((slot, trouble.as_ref()?)));
        let texts: Vec<String> = match self.size() {
            1 => heard.map(|(_, trouble)| trouble.detail()).collect(),
            _ => heard
                .map(|(slot, trouble)| format!("{}: {}", self.url(slot), trouble.detail()))
                .collect(),
        };
        Trouble::Away(texts.join("; "))
    }
}

/// The refusal, if that is what every member said.
fn all_refuse(said: &[Option<Trouble>]) -> Option<Trouble> {
    let refuses = |trouble: &Option<Trouble>| matches!(trouble, Some(Trouble::Refused { .. }));
    match said.iter().all(refuses) {
        true => said.first().cloned().flatten(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_callers_pause_alike() {
        let first = |_| pauses(Duration::from_millis(50)).next();
        let differing: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert!(differing.len() > 15, "{differing:?}");
    }
}
