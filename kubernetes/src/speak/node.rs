//! The condition `NetworkUnavailable` of this node's Node, and the taint that goes with it.
//!
//! The Node as the watch has it is compared with what routing is; [`crate::node`] decides. The taint is the node
//! lifecycle controller's, which removes it once the condition is `False`; some distributions do not run it, so that
//! it is removed from here as well.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Failed, Limit, asked, pause};
use crate::follow::Shared;
use crate::follow::known::{Kind, Table};
use crate::node::{self, NodeView, Verdict, Weight};
use crate::report::{Report, Routing};

const TOPIC: &str = "condition of this node";

/// Something is looked at again after this long.
const AGAIN: Duration = Duration::from_secs(30);

/// Keeps the Node's condition as routing is, for ever.
pub async fn run(shared: Arc<Shared>, client: kube::Client, mut reports: watch::Receiver<Report>) {
    let mut nodes = shared.node.subscribe();
    let mut duty = Duty {
        api: Api::all(client),
        shared,
        ready: None,
        condition: Limit::default(),
        taint: Limit::default(),
    };
    loop {
        let routing = reports.borrow_and_update().routing.clone();
        let view = nodes.borrow_and_update().clone();
        let wait = match (routing, view) {
            (Some(routing), Some(view)) => duty.step(&routing, &view).await,
            (Some(_), None) => duty.missing(),
            (None, _) => None,
        };
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            changed = nodes.changed() => if changed.is_err() { return },
            () = pause(wait) => {}
        }
    }
}

struct Duty {
    api: Api<Node>,
    shared: Arc<Shared>,
    /// Whether routing is ready, and since when that is so.
    ready: Option<(bool, Instant)>,
    condition: Limit,
    taint: Limit,
}

impl Duty {
    /// Does what is to be done now; says when to look again.
    async fn step(&mut self, routing: &Routing, view: &NodeView) -> Option<Duration> {
        let since = match self.ready {
            Some((ready, since)) if ready == routing.ready => since,
            _ => Instant::now(),
        };
        self.ready = Some((routing.ready, since));
        let pace = &self.shared.pace;
        let now = Timestamp::now();
        let verdict = node::condition(
            view.condition.as_ref(),
            routing,
            since.elapsed(),
            pace.patience,
            now,
        );
        match verdict {
            Verdict::Wait(wait) => Some(wait),
            Verdict::Write(condition, weight) => match self.condition.wait(pace, weight) {
                Some(wait) if weight == Weight::Status => Some(wait),
                Some(wait) => self.untaint(routing, view).await.into_iter().chain([wait]).min(),
                None => {
                    self.write(node::patch(&condition, now)).await;
                    // The Node changes with that; else it is tried again.
                    Some(self.condition.wait(&self.shared.pace, weight).unwrap_or(AGAIN))
                }
            },
            Verdict::Leave => self.untaint(routing, view).await,
        }
    }

    async fn write(&mut self, patch: Value) {
        let (name, params) = (self.shared.node_name.clone(), PatchParams::default());
        let patch = Patch::Strategic(patch);
        let done = asked(self.api.patch_status(&name, &params, &patch)).await;
        self.condition.done(&done);
        self.heard(done);
    }

    /// Removes the taint of a node whose condition is good; says when to look again.
    async fn untaint(&mut self, routing: &Routing, view: &NodeView) -> Option<Duration> {
        let patch = node::without_taint(&view.taints).filter(|_| routing.ready)?;
        if let Some(wait) = self.taint.wait(&self.shared.pace, Weight::Status) {
            return Some(wait);
        }
        let name = self.shared.node_name.clone();
        let params = PatchParams::default();
        let done = match serde_json::from_value(patch) {
            Ok(patch) => asked(self.api.patch(&name, &params, &Patch::Json::<()>(patch))).await,
            Err(error) => Err(Failed {
                code: None,
                what: format!("not a JSON patch: {error}"),
            }),
        };
        // The taints were others meanwhile: they are looked at anew.
        let moved = |failed: &Failed| matches!(failed.code, Some(409 | 422));
        let done = match done {
            Err(failed) if moved(&failed) => asked(self.api.get(&name)).await,
            done => done,
        };
        self.taint.done(&done);
        self.heard(done);
        Some(
            self.taint
                .wait(&self.shared.pace, Weight::Status)
                .unwrap_or(AGAIN),
        )
    }

    /// The Node is as the server said; or something is wrong.
    fn heard(&self, done: Result<Node, Failed>) {
        match done {
            Ok(node) => {
                self.shared.problems.clear(TOPIC);
                let name = self.shared.node_name.clone();
                self.shared
                    .change(|known| known.node.put(name, NodeView::of(&node)));
            }
            Err(failed) => (self.shared.problems).set(TOPIC, failed.what, SystemTime::now()),
        }
    }

    /// There is no such Node, as far as is known.
    fn missing(&self) -> Option<Duration> {
        if self.shared.known().listed.contains(&Kind::Node) {
            let name = &self.shared.node_name;
            let what =
                format!("there is no Node {name}; nodeName of the agent's file has to be the Node's name");
            self.shared.problems.set(TOPIC, what, SystemTime::now());
        }
        Some(AGAIN)
    }
}
