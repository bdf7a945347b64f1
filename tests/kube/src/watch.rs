//! Watches: one JSON line an event, for as long as the client, the time limit and the faults allow. A watch that selects
//! sees objects that begin to be selected as added, and those that are selected no more as deleted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::path::Target;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::server::{Shared, Signal};
use crate::state::{Event, ObjectKey, State};
use crate::status::Refusal;

/// What a watch asked for.
#[derive(Debug)]
pub struct Wish {
    target: Target,
    resource: Resource,
    /// Of a list; none: what there is comes first, as added.
    after: Option<u64>,
    /// A bookmark tells where what there is ends (`sendInitialEvents`).
    marks_end: bool,
    selector: Selector,
    bookmarks: bool,
    limit: Duration,
}

impl Wish {
    /// # Errors
    /// 400 for a version or a selector that cannot be read; 422 for a streaming list that is not asked for as the API
    /// wants it, or of a server that has none.
    pub fn new(
        target: Target,
        resource: Resource,
        query: &HashMap<String, String>,
        streaming: bool,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let bookmarks = text("allowWatchBookmarks") == "true";
        let marks_end = text("sendInitialEvents") == "true";
        let forbidden = match (
            query.contains_key("sendInitialEvents"),
            text("resourceVersionMatch"),
        ) {
            (true, _) if !streaming => Some(
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            ),
            (true, "NotOlderThan") => None,
            (true, _) => Some(
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (false, "") => None,
            (false, _) => Some(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
        };
        if let Some(what) = forbidden {
            let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {what}");
            return Err(Refusal::new(422, "Invalid", message));
        }
        let after = match text("resourceVersion") {
            "" | "0" => None,
            _ if marks_end => None,
            version => Some(version.parse().map_err(|_| {
                Refusal::bad_request(format!(
                    "Invalid value: {version:?}: strconv.ParseUint: invalid syntax"
                ))
            })?),
        };
        let selector = Selector::new(text("labelSelector"), text("fieldSelector"), &resource)?;
        let limit = Duration::from_secs(text("timeoutSeconds").parse().unwrap_or(300));
        Ok(Wish {
            target,
            resource,
            after,
            marks_end,
            selector,
            bookmarks,
            limit,
        })
    }

    fn is_ours(&self, key: &ObjectKey) -> bool {
        let (group, plural, namespace, _) = key;
        *group == self.target.group
            && *plural == self.target.plural
            && (self.target.namespace.as_ref()).is_none_or(|wanted| wanted == namespace)
    }

    /// What there is, as added.
    fn initial(&self, state: &State) -> String {
        let ours = state.objects.iter().filter(|(key, _)| self.is_ours(key));
        let selected = ours.filter(|(_, object)| self.selector.matches(object));
        selected.map(|(_, object)| line("ADDED", object)).collect()
    }

    /// What an event is to this watch.
    fn seen(&self, event: &Event) -> Option<String> {
        let now = event.what != "DELETED" && self.selector.matches(&event.object);
        let before = (event.before.as_ref()).is_some_and(|before| self.selector.matches(before));
        match (before, now) {
            (false, false) => None,
            (false, true) => Some(line("ADDED", &event.object)),
            (true, true) => Some(line("MODIFIED", &event.object)),
            (true, false) => {
                // As it was when it was last selected, at the version of its end.
                let mut last = event.before.clone()?;
                last["metadata"]["resourceVersion"] = json!(event.revision.to_string());
                Some(line("DELETED", &last))
            }
        }
    }

    fn bookmark(&self, revision: u64, end: bool) -> String {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, version) = (&self.resource.kind, self.resource.api_version());
        line(
            "BOOKMARK",
            &json!({"kind": kind, "apiVersion": version, "metadata": metadata}),
        )
    }
}

struct Cursor {
    shared: Arc<Shared>,
    wish: Wish,
    after: u64,
    first: String,
    signals: tokio::sync::watch::Receiver<Signal>,
    seen: Signal,
    ends: Instant,
    over: bool,
}

pub fn answer(shared: Arc<Shared>, wish: Wish) -> Response {
    let (compacted, as_status) = shared.with(|inner| (inner.state.compacted, inner.gone_as_status));
    if wish.after.is_some_and(|after| after < compacted) {
        let refusal = Refusal::gone("too old resource version");
        if as_status {
            return refusal.into_response();
        }
        return Response::new(Body::from(line("ERROR", &refusal.body())));
    }
    let mut signals = shared.signals.subscribe();
    let seen = signals.borrow_and_update().clone();
    let (after, first) = shared.with(|inner| match wish.after {
        Some(after) => (after, String::new()),
        None => {
            let revision = inner.state.revision;
            let end = wish.marks_end.then(|| wish.bookmark(revision, true));
            (revision, wish.initial(&inner.state) + &end.unwrap_or_default())
        }
    });
    let cursor = Cursor {
        shared,
        ends: Instant::now() + wish.limit,
        wish,
        after,
        first,
        signals,
        seen,
        over: false,
    };
    let lines = stream::unfold(cursor, |cursor| async move { cursor.next().await });
    Response::new(Body::from_stream(lines.map(Ok::<_, std::io::Error>)))
}

impl Cursor {
    /// The next lines; none at the end.
    async fn next(mut self) -> Option<(String, Self)> {
        loop {
            if self.over {
                return None;
            }
            let text = std::mem::take(&mut self.first) + &self.fresh();
            if !text.is_empty() {
                return Some((text, self));
            }
            let changed = tokio::time::timeout_at(self.ends, self.signals.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                return None;
            }
            let now = self.signals.borrow_and_update().clone();
            self.over = now.drops != self.seen.drops;
            let bookmark = now.bookmarks != self.seen.bookmarks && self.wish.bookmarks;
            self.seen = now;
            if bookmark && !self.over {
                let mut text = self.fresh();
                text += &self.wish.bookmark(self.after, false);
                return Some((text, self));
            }
        }
    }

    /// Every event since the last look.
    fn fresh(&mut self) -> String {
        let (wish, from) = (&self.wish, self.after);
        let (text, revision) = self.shared.with(|inner| {
            let state = &inner.state;
            let after = state.events.partition_point(|event| event.revision <= from);
            let events = state.events.get(after..).unwrap_or_default().iter();
            let events = events.filter(|event| wish.is_ours(&event.key));
            (
                events.filter_map(|event| wish.seen(event)).collect(),
                state.revision,
            )
        });
        self.after = revision;
        text
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}
