//! Speaking to the API server: one task for each thing that this node says.
//!
//! Each takes the wanted state whole, compares it with what is there, and writes the difference: [`node`] the condition
//! and the taint of the Node, [`bgp`] its `BGPNodeStatus`, [`events`] the Events. A write that fails is tried again, with
//! growing pauses and whatever is wanted by then; [`Limit`] holds each of them to few writes.

pub mod bgp;
pub mod events;
pub mod node;

use std::time::Duration;

use tokio::time::Instant;

use crate::error;
use crate::node::Weight;
use crate::pace::Pace;

/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// How often something is written.
#[derive(Debug, Default)]
struct Limit {
    last: Option<Instant>,
    failures: u32,
    refused: bool,
}

impl Limit {
    /// How long to wait before the next write; none: now.
    fn wait(&self, pace: &Pace, weight: Weight) -> Option<Duration> {
        let spacing = match weight {
            Weight::Status => pace.write,
            Weight::Words => pace.words,
        };
        let pause = match self.failures {
            0 => spacing,
            more => pace.failing(more, self.refused),
        };
        let next = self.last? + pause;
        let now = Instant::now();
        (next > now).then(|| next - now)
    }

    fn done<T>(&mut self, done: &Result<T, Failed>) {
        self.last = Some(Instant::now());
        self.failures = if done.is_ok() {
            0
        } else {
            self.failures.saturating_add(1)
        };
        self.refused = done
            .as_ref()
            .is_err_and(|failed| failed.code.is_some_and(|code| code < 500));
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
struct Failed {
    /// The status of the answer, if there was one.
    code: Option<u16>,
    /// In words.
    what: String,
}

/// What a request came to.
async fn asked<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(done) => done.map_err(|error| Failed {
            code: error::code(&error),
            what: error::says(&error),
        }),
        Err(_) => Err(Failed {
            code: None,
            what: error::silence(),
        }),
    }
}

/// Waits so long; for ever where there is nothing to wait for.
async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
