//! The Events of this node, written as [`Tally`] says.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::mpsc;

use super::{Limit, asked};
use crate::access::EVENT_NAMESPACE;
use crate::events::{Tally, Write};
use crate::follow::Shared;
use crate::node::Weight;
use crate::report::Note;

const TOPIC: &str = "events";

/// Writes what happened, until nobody can tell of anything any more.
pub async fn run(shared: Arc<Shared>, client: kube::Client, mut notes: mpsc::Receiver<Note>) {
    let api: Api<Event> = Api::namespaced(client, EVENT_NAMESPACE);
    let mut tally = Tally::new(&shared.node_name, shared.pace.events);
    let mut limit = Limit::default();
    loop {
        let note = match tally.is_pending() {
            true => tokio::time::timeout(shared.pace.event_tick, notes.recv()).await,
            false => Ok(notes.recv().await),
        };
        match note {
            Ok(Some(note)) => tally.note(note, Timestamp::now()),
            Ok(None) => return,
            Err(_) => {}
        }
        if limit.failures > 0 && limit.wait(&shared.pace, Weight::Status).is_some() {
            continue;
        }
        if let Some(node) = shared.node.borrow().as_ref() {
            tally.set_uid(&node.uid);
        }
        write(&shared, &api, &mut tally, &mut limit).await;
        let cut = tally.take_cut();
        if cut > 0 {
            tracing::warn!(cut, "more happened than Events were made of");
        }
    }
}

/// Writes what is due, until something fails.
async fn write(shared: &Shared, api: &Api<Event>, tally: &mut Tally, limit: &mut Limit) {
    for write in tally.due(Timestamp::now()) {
        let done = match &write {
            Write::Create(event) => asked(api.create(&PostParams::default(), event)).await,
            Write::Count(name, patch) => {
                let patch = Patch::Merge(patch);
                asked(api.patch(name, &PatchParams::default(), &patch)).await
            }
        };
        let counts = matches!(write, Write::Count(..));
        let done = done.map(drop);
        match (&done, done.as_ref().err().and_then(|failed| failed.code)) {
            (Ok(()), _) => tally.done(&write, Timestamp::now()),
            (_, Some(404)) if counts => tally.lost(&write, Timestamp::now()),
            // Its answer was lost the last time.
            (_, Some(409)) if !counts => tally.done(&write, Timestamp::now()),
            (Err(failed), Some(400 | 422)) => {
                tracing::warn!("an Event is refused: {}", failed.what);
                tally.drop_refused(&write);
            }
            (Err(failed), _) => {
                shared.problems.set(TOPIC, failed.what.clone(), SystemTime::now());
                limit.done(&done);
                return;
            }
        }
        limit.done(&Ok(()));
        shared.problems.clear(TOPIC);
    }
}
