//! Watches: one JSON line an event, for as long as the client, the time limit and the faults allow.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::path::Target;
use crate::server::{Shared, Signal};
use crate::state::{Event, selected};
use crate::status::Refusal;

/// What a watch asked for.
pub struct Wish {
    pub target: Target,
    pub after: u64,
    pub selector: String,
    pub bookmarks: bool,
    pub limit: Duration,
}

struct Cursor {
    shared: Arc<Shared>,
    wish: Wish,
    signals: tokio::sync::watch::Receiver<Signal>,
    seen: Signal,
    ends: Instant,
    over: bool,
}

pub fn answer(shared: Arc<Shared>, wish: Wish) -> Response {
    let (compacted, as_status) = shared.with(|inner| (inner.state.compacted, inner.gone_as_status));
    if wish.after < compacted {
        let refusal = Refusal::gone("too old resource version");
        if as_status {
            return refusal.into_response();
        }
        return Response::new(Body::from(line("ERROR", &refusal.body())));
    }
    let mut signals = shared.signals.subscribe();
    let seen = signals.borrow_and_update().clone();
    let ends = Instant::now() + wish.limit;
    let cursor = Cursor {
        shared,
        wish,
        signals,
        seen,
        ends,
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
            let text = self.fresh();
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
                text += &self.bookmark();
                return Some((text, self));
            }
        }
    }

    /// Every event since the last look.
    fn fresh(&mut self) -> String {
        let wish = &mut self.wish;
        let (group, plural) = (wish.target.group.clone(), wish.target.plural.clone());
        let namespace = wish.target.namespace.clone().unwrap_or_default();
        let ours = |event: &&Event| {
            let (of, name, within, _) = &event.key;
            *of == group && *name == plural && (namespace.is_empty() || *within == namespace)
        };
        self.shared.with(|inner| {
            let state = &inner.state;
            let after = state.events.partition_point(|event| event.revision <= wish.after);
            let events = state.events.get(after..).unwrap_or_default().iter().filter(ours);
            let events = events.filter(|event| selected(&event.object, &wish.selector));
            let text = events.map(|event| line(event.what, &event.object)).collect();
            wish.after = state.revision;
            text
        })
    }

    fn bookmark(&self) -> String {
        let kind = self
            .shared
            .with(|inner| inner.state.resource(&self.wish.target).cloned());
        let kind = kind.map(|resource| resource.kind).unwrap_or_default();
        let version = match self.wish.target.group.as_str() {
            "" => self.wish.target.version.clone(),
            group => format!("{group}/{}", self.wish.target.version),
        };
        let metadata = json!({"resourceVersion": self.wish.after.to_string(), "creationTimestamp": null});
        line(
            "BOOKMARK",
            &json!({"kind": kind, "apiVersion": version, "metadata": metadata}),
        )
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}
