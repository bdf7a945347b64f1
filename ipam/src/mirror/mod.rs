//! The mirror of the ledger in the datastore: one record for each address that this node gave out.
//!
//! It is for people, for `ipam check`, and for a node that lost its disk; nothing waits for it. The desired
//! records are the whole of the ledger's leases ([`plan::desired`]), compared with what is known to be in the
//! store: a listing at the start, and what was written since. The difference is written in batches, each in one
//! transaction that compares this life of the node where the store can do that. Bursts coalesce; what changed
//! while the store was away is written once, as it is then.
//!
//! The record of another node under an address of ours is double use. It is reported and never overwritten,
//! unless that node is not in the cluster any more.

pub(crate) mod plan;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Datastore, Error, Incarnation, Key, Outcome, Space};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::facade::Ipam;
use crate::keeper::backoff::{Backoff, spread};
use crate::keeper::claims::Claims;
use crate::keeper::reporter::StatusSender;
use crate::keeper::status::SinceSet;
use crate::keeper::views::Seen;
use plan::{Desired, Known, Spelled};

/// Writes of one transaction. etcd allows 128 operations, comparisons counted apart.
const BATCH: usize = 64;
/// How long changes of the ledger are collected.
const COALESCE: Duration = Duration::from_millis(200);
/// How often records of others under our addresses are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

pub(crate) struct Mirror {
    pub ipam: Arc<Ipam>,
    pub store: Arc<dyn Datastore>,
    pub node: NodeName,
    pub views: watch::Receiver<Option<Arc<Seen>>>,
    pub ledger: Arc<Notify>,
    pub status: StatusSender,
    pub state: State,
}

/// The store is listed again so long after the start: a write that an earlier run of the agent sent may have come
/// late. And from then on now and then: others may have touched the records.
const LIST_AGAIN: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(900)];

/// What the mirror remembers.
pub(crate) struct State {
    known: Option<Known>,
    spelled: Spelled,
    /// Until when a listing need not be repeated.
    listed: Option<Instant>,
    listings: usize,
    /// The life of this node in the view that was worked on last.
    incarnation: Option<Incarnation>,
    /// Others' records that were there at the last look as well.
    suspects: BTreeSet<IpAddr>,
    doubles: SinceSet,
    backoff: Backoff,
}

impl Default for State {
    fn default() -> Self {
        State {
            known: None,
            spelled: Spelled::default(),
            listed: None,
            listings: 0,
            incarnation: None,
            suspects: BTreeSet::new(),
            doubles: SinceSet::default(),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
        }
    }
}

impl Mirror {
    /// Runs until the views end or the task is dropped.
    pub async fn run(mut self) {
        loop {
            let pause = match self.round().await {
                Ok(done) => {
                    self.state.backoff.reset();
                    self.status.mirror_problem(None);
                    if done { LOOK_AGAIN } else { Duration::ZERO }
                }
                Err(error) => {
                    self.status.mirror_problem(Some(error.to_string()));
                    self.state.backoff.next()
                }
            };
            if pause == LOOK_AGAIN {
                if self.idle(spread(pause)).await.is_err() {
                    return;
                }
                tokio::time::sleep(spread(COALESCE)).await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Waits for something to do: a change of the ledger, another life of this node, or time to look again.
    async fn idle(&mut self, at_most: Duration) -> Result<(), watch::error::RecvError> {
        let again = tokio::time::sleep(at_most);
        tokio::pin!(again);
        loop {
            tokio::select! {
                () = &mut again => {
                    self.look_again().await;
                    return Ok(());
                }
                () = self.ledger.notified() => return Ok(()),
                changed = self.views.changed() => {
                    changed?;
                    let seen = self.views.borrow_and_update().clone();
                    let incarnation = seen.and_then(|seen| seen.incarnation(&self.node));
                    if incarnation != self.state.incarnation {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Writes one batch. True where nothing is left to do.
    async fn round(&mut self) -> Result<bool, Error> {
        let Some(seen) = self.views.borrow_and_update().clone() else {
            return Ok(true);
        };
        let local = self.ipam.local(SystemTime::now());
        self.state.incarnation = seen.incarnation(&self.node);
        let Some(incarnation) = self.state.incarnation.clone() else {
            return Ok(true);
        };
        if local.fresh {
            return Ok(true);
        }
        if self.state.listed.is_none_or(|until| until <= Instant::now()) {
            let listing = self.store.list(Space::Addresses).await?;
            self.state.known = Some(Known::listed(&listing.items, &self.node));
            let pause = LIST_AGAIN[self.state.listings.min(1)];
            self.state.listed = Some(Instant::now() + spread(pause));
            self.state.listings += 1;
        }
        let before = std::mem::take(&mut self.state.spelled);
        let spelled = before.of(local.leases, &self.node, &incarnation);
        let more = self.write(&seen, spelled.records(), &incarnation).await;
        self.publish(spelled.records());
        self.state.spelled = spelled;
        more.map(|more| !more)
    }

    async fn write(
        &mut self,
        seen: &Seen,
        desired: &Desired,
        incarnation: &Incarnation,
    ) -> Result<bool, Error> {
        let Some(known) = self.state.known.as_mut() else {
            return Ok(false);
        };
        known.tidy(desired);
        let claims = Claims::of(&*self.store);
        let (node, limit) = match claims.is_atomic() {
            true => (Some((&self.node, incarnation)), BATCH),
            false => (None, 1),
        };
        let Some((transaction, addresses)) = known.batch(desired, node, |node| is_gone(seen, node), limit)
        else {
            return Ok(false);
        };
        let outcome = claims.commit(&transaction).await;
        match outcome {
            Ok(Outcome::Done(version)) => {
                known.wrote(&transaction, &version);
                Ok(true)
            }
            Ok(Outcome::Conflict) => self.reread(addresses).await,
            Err(error @ Error::Unknown { .. }) => {
                // It may also come late, when what it wrote is not wanted any more.
                let soon = Instant::now() + spread(LIST_AGAIN[0]);
                self.state.listed = self.state.listed.map(|until| until.min(soon));
                self.reread(addresses).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads keys that are not as they were known. True where that was the reason; if not, the node itself has
    /// changed, and its view will say so.
    async fn reread(&mut self, addresses: Vec<IpAddr>) -> Result<bool, Error> {
        let Some(mut known) = self.state.known.clone() else {
            return Ok(false);
        };
        for address in addresses {
            let item = self.store.get(&Key::Address(address)).await?;
            known.see(address, item.as_ref(), &self.node);
        }
        let moved = self.state.known.as_ref() != Some(&known);
        self.state.known = Some(known);
        Ok(moved)
    }

    /// Looks at the records of others again: the other node may only have been behind.
    async fn look_again(&mut self) {
        let others = |known: &Known| known.others.keys().copied().collect::<Vec<_>>();
        let suspects = self.state.known.as_ref().map(others).unwrap_or_default();
        let read = self.reread(suspects.clone()).await;
        let still = self.state.known.as_ref().map(others).unwrap_or_default();
        if read.is_ok() {
            self.state.suspects = suspects.into_iter().filter(|a| still.contains(a)).collect();
        }
    }

    fn publish(&mut self, desired: &Desired) {
        let Some(known) = &self.state.known else { return };
        let double = |address: &IpAddr| {
            let other = known.others.get(address)?;
            let whose = match &other.node {
                Some(node) => format!("node {node}"),
                None => "a later version, or nobody,".to_owned(),
            };
            Some(format!(
                "address {address} is given out by this node, {}, and {whose} has the record of it as well; see \
                 `roadbed ipam check`, and remove the pod on one of them",
                self.node
            ))
        };
        let texts: Vec<_> = self.state.suspects.iter().filter_map(double).collect();
        for new in self.state.doubles.set(texts, SystemTime::now()) {
            tracing::error!("{new}");
        }
        let (records, behind) = (known.len(), known.behind(desired).len());
        self.status.mirror(records, behind, self.state.doubles.list());
    }
}

/// Whether a node is not in the cluster any more.
fn is_gone(seen: &Seen, node: &NodeName) -> bool {
    let key = Key::resource(ResourceKind::Node, node.to_string());
    !seen.resources.items.contains_key(&key)
}
