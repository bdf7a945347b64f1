//! This node's `BGPNodeStatus`, by server-side apply: made where it is missing, its status kept as it is reported.
//!
//! What is there is read at the start and every [`RESYNC`], in case somebody else changed or deleted it; in between it
//! is what was written last. States are written at once, counters when there is time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Failed, Limit, asked, pause};
use crate::bgp;
use crate::follow::Shared;
use crate::node::Weight;
use crate::report::Report;

const TOPIC: &str = "BGPNodeStatus";
/// The field manager: who owns what was applied.
const MANAGER: &str = "roadbed-agent";
/// How often it is read again.
const RESYNC: Duration = Duration::from_secs(600);

/// Keeps the status as it is reported, for ever.
pub async fn run(shared: Arc<Shared>, client: kube::Client, mut reports: watch::Receiver<Report>) {
    let mut nodes = shared.node.subscribe();
    let mut duty = Duty {
        api: Api::all_with(client, &bgp::resource()),
        shared,
        there: None,
        limit: Limit::default(),
    };
    loop {
        let status = reports.borrow_and_update().bgp.clone();
        let uid = nodes.borrow_and_update().as_ref().map(|node| node.uid.clone());
        let wait = match (status, uid) {
            (Some(status), Some(uid)) => duty.step(bgp::tidy(status), &uid).await,
            _ => None,
        };
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            changed = nodes.changed() => if changed.is_err() { return },
            () = pause(wait) => {}
        }
    }
}

/// What is there.
struct There {
    /// The Node that it belongs to.
    owner: Option<String>,
    /// What was reported when it was written; at first what the server has.
    reported: Value,
    /// What the server made of that.
    status: Value,
    read: Instant,
}

impl There {
    fn of(object: Option<&DynamicObject>) -> Self {
        let status = object.and_then(|object| object.data.get("status")).cloned();
        let status = bgp::tidy(status.unwrap_or_default());
        let owners = object.and_then(|object| object.metadata.owner_references.as_ref());
        There {
            owner: owners
                .and_then(|owners| owners.first())
                .map(|owner| owner.uid.clone()),
            reported: status.clone(),
            status,
            read: Instant::now(),
        }
    }
}

/// 404 about an object that may be missing is about its kind.
fn no_kind(failed: Failed) -> Failed {
    match failed.code {
        Some(404) => Failed {
            what: "there is no such kind: apply the definitions of deploy/crds".into(),
            ..failed
        },
        _ => failed,
    }
}

struct Duty {
    api: Api<DynamicObject>,
    shared: Arc<Shared>,
    there: Option<There>,
    limit: Limit,
}

impl Duty {
    /// Writes what is different; says when to look again.
    async fn step(&mut self, status: Value, uid: &str) -> Option<Duration> {
        let pace = &self.shared.pace;
        let fresh = self.there.as_ref().filter(|there| there.read.elapsed() < RESYNC);
        let weight = match fresh {
            Some(there) if there.owner.as_deref() == Some(uid) => bgp::differs(&there.reported, &status),
            _ => Some(Weight::Status),
        };
        let Some(weight) = weight else {
            return Some(RESYNC);
        };
        if let Some(wait) = self.limit.wait(pace, weight) {
            return Some(wait);
        }
        let done = self.write(status, uid).await;
        self.limit.done(&done);
        match done {
            Ok(()) => self.shared.problems.clear(TOPIC),
            Err(failed) => {
                self.there = None;
                self.shared.problems.set(TOPIC, failed.what, SystemTime::now());
            }
        }
        Some(
            self.limit
                .wait(&self.shared.pace, Weight::Status)
                .unwrap_or(RESYNC),
        )
    }

    async fn write(&mut self, status: Value, uid: &str) -> Result<(), Failed> {
        let name = self.shared.node_name.clone();
        let ours = PatchParams::apply(MANAGER).force();
        let stale = self
            .there
            .as_ref()
            .is_none_or(|there| there.read.elapsed() >= RESYNC);
        if stale {
            let object = asked(self.api.get_opt(&name)).await.map_err(no_kind)?;
            let mut there = There::of(object.as_ref());
            // The server may keep less than it is sent; what it kept of the last write is no difference.
            if let Some(before) = self.there.take().filter(|before| before.status == there.status) {
                there.reported = before.reported;
            }
            self.there = Some(there);
        }
        let there = self.there.get_or_insert_with(|| There::of(None));
        if there.owner.as_deref() != Some(uid) {
            let object = bgp::object(&name, uid);
            let done = asked(self.api.patch(&name, &ours, &Patch::Apply(&object))).await;
            done.map_err(no_kind)?;
            there.owner = Some(uid.to_owned());
        }
        if bgp::differs(&there.reported, &status).is_none() {
            return Ok(());
        }
        let object = bgp::with_status(&name, &status, Timestamp::now());
        let done = asked(self.api.patch_status(&name, &ours, &Patch::Apply(&object))).await;
        let object = done?;
        there.reported = status;
        there.status = There::of(Some(&object)).status;
        Ok(())
    }
}
