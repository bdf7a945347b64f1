//! A watch: reads the history from where it was, and sleeps until there is more.

use std::sync::Arc;
use std::task::Poll;

use futures::stream::{self, BoxStream, StreamExt};

use super::{Shared, lock, number, unavailable};
use crate::error::Error;
use crate::key::Space;
use crate::value::Changes;

/// Where a watch is.
struct Follower {
    shared: Arc<Shared>,
    space: Space,
    after: u64,
    epoch: u64,
    ended: bool,
}

/// What changes in the space after a revision. Ends after its first error.
pub(super) fn stream(
    shared: Arc<Shared>,
    space: Space,
    after: u64,
) -> BoxStream<'static, Result<Changes, Error>> {
    let epoch = lock(&shared.state).epoch;
    let mut follower = Follower {
        shared,
        space,
        after,
        epoch,
        ended: false,
    };
    stream::poll_fn(move |context| follower.poll(context)).boxed()
}

impl Follower {
    fn poll(&mut self, context: &mut std::task::Context<'_>) -> Poll<Option<Result<Changes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut state = lock(&self.shared.state);
        let found = match state.epoch == self.epoch {
            true => state.changes(self.space, self.after),
            false => Err(unavailable()),
        };
        match found {
            Err(e) => {
                self.ended = true;
                Poll::Ready(Some(Err(e)))
            }
            Ok(found) => match found.into_iter().next() {
                Some(changes) => {
                    self.after = number(changes.revision.as_str()).unwrap_or(self.after);
                    Poll::Ready(Some(Ok(changes)))
                }
                None => {
                    // What is not of this space is behind us as well: compaction does not end a watch that
                    // has seen everything.
                    self.after = self.after.max(state.revision());
                    state.wake_me(context.waker());
                    Poll::Pending
                }
            },
        }
    }
}
